//! What the signals of an operator ask of a balancer. None of them ends it at once.
//!
//! | signal | asks for |
//! |---|---|
//! | SIGTERM, SIGINT, SIGQUIT | a drain; a second one, the end at once |
//! | SIGUSR1 | files of logs are opened again |
//! | SIGHUP | the configuration is read anew, and files of logs are opened again; where the terminal of a balancer has gone, a drain |
//! | SIGPIPE | nothing: the Rust runtime ignores it, and a write that fails is an error |
//! | SIGUSR2 | nothing |
//! | SIGXFSZ | nothing: what cannot be written is an error of that write |

use std::io::{self, IsTerminal as _};

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Finish what is there, and end.
    Stop,
    /// Go on in new files of logs.
    ReopenLogs,
    /// Read the configuration anew, too.
    Reload,
}

/// The signals that a balancer listens to. See the module.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
    user1: Signal,
    user2: Signal,
    /// Without a handler it would end the process.
    _file_size: Signal,
    /// Standard input was a terminal at the start.
    had_terminal: bool,
}

impl Signals {
    /// From here on these signals do not end the process by themselves.
    ///
    /// # Errors
    ///
    /// The system refuses to say when they come.
    pub fn listen() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            _file_size: signal(SignalKind::from_raw(Number::XFSZ.as_raw()))?,
            had_terminal: io::stdin().is_terminal(),
        })
    }

    /// Waits for the next signal that asks for something.
    pub async fn next(&mut self) -> Asked {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Asked::Stop,
                _ = self.interrupt.recv() => return Asked::Stop,
                _ = self.quit.recv() => return Asked::Stop,
                _ = self.user1.recv() => return Asked::ReopenLogs,
                _ = self.hangup.recv() => return self.hung_up(),
                _ = self.user2.recv() => tracing::info!("SIGUSR2 asks for nothing"),
            }
        }
    }

    /// A daemon is asked to read its files again. Who sat at a terminal that is gone has left.
    fn hung_up(&self) -> Asked {
        if self.had_terminal && !io::stdin().is_terminal() {
            tracing::info!("the terminal is gone");
            return Asked::Stop;
        }
        Asked::Reload
    }
}
