//! What ends a worker, and what does not.

use std::io::{self, IsTerminal as _};
use std::thread;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// SIGTERM, SIGINT and SIGQUIT ask a worker to end, and so does SIGHUP where its terminal has gone.
/// SIGHUP otherwise, SIGUSR1 and SIGUSR2 ask for nothing, because a worker has no files to open
/// again; SIGXFSZ is an error of the write.
#[derive(Debug)]
pub(super) struct Signals {
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
    pub(super) fn new() -> io::Result<Signals> {
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

    /// Waits for the next one that asks for the end.
    pub(super) async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.quit.recv() => return,
                _ = self.hangup.recv() => {
                    if self.had_terminal && !io::stdin().is_terminal() {
                        return;
                    }
                }
                _ = self.user1.recv() => {}
                _ = self.user2.recv() => {}
            }
            tracing::info!("a signal asks for nothing that a worker has");
        }
    }
}

/// Waits until standard input ends. The read has a thread of its own that nobody waits for: a read
/// on the runtime's threads would keep the process alive until the next key is pressed.
pub(super) async fn stdin_end() {
    let (ended, end) = oneshot::channel::<()>();
    let reader = thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        // An error ends the input as well.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        drop(ended);
    });
    match reader {
        // Nothing is ever sent: the end of the sender is the message.
        Ok(_) => drop(end.await),
        Err(error) => {
            tracing::error!(%error, "cannot watch standard input");
            std::future::pending::<()>().await;
        }
    }
}
