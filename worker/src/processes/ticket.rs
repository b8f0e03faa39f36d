//! A request, as its client holds it.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::executor::{NoProcess, Shared};
use super::process::Lease;
use super::room::Measured;

/// See the module. When it is dropped before its end, the client is gone.
#[derive(Debug)]
pub(super) struct Ticket {
    shared: Arc<Shared>,
    number: u64,
    start: Option<oneshot::Receiver<Lease>>,
    /// The process that has seen it.
    seen_by: Option<Lease>,
    has_ended: bool,
}

impl Ticket {
    /// A request that was queued; `start` tells once it has a process.
    pub(super) fn new(shared: Arc<Shared>, number: u64, start: oneshot::Receiver<Lease>) -> Ticket {
        Ticket { shared, number, start: Some(start), seen_by: None, has_ended: false }
    }

    /// Waits until it has a process.
    pub(super) async fn started(&mut self) -> Result<Lease, NoProcess> {
        let Some(start) = self.start.as_mut() else { return Err(self.refused()) };
        let lease = start.await.map_err(|_| self.refused())?;
        self.start = None;
        Ok(lease)
    }

    /// From now on the process knows of the request.
    pub(super) fn seen_by(&mut self, lease: Lease) {
        self.seen_by = Some(lease);
    }

    /// Its answer has come: what it has cost. `None` where its process has ended.
    pub(super) fn finish(mut self) -> Option<Measured> {
        self.has_ended = true;
        self.shared.finish(self.number)
    }

    fn refused(&self) -> NoProcess {
        let failure = self.shared.failure();
        NoProcess::NotReady(failure.unwrap_or_else(|| "the worker ends".to_owned()))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.has_ended {
            self.shared.leave(self.number, self.seen_by.take());
        }
    }
}
