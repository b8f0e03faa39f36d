//! What ends a worker.

use std::io;
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on these signals do not end the process by themselves.
    pub(super) fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next of them.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Waits until standard input ends. The read is on a thread of its own that nobody waits for: the
/// runtime's would keep the process until the next key.
pub(super) async fn stdin_end() {
    let (ended, end) = oneshot::channel::<()>();
    let reader = thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        // An error ends the input as well.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        drop(ended);
    });
    match reader {
        // The sender is never used: its end is the news.
        Ok(_) => drop(end.await),
        Err(error) => {
            tracing::error!(%error, "cannot watch standard input");
            std::future::pending::<()>().await;
        }
    }
}
