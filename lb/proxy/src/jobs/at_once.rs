//! Jobs that go to a host as they come: the write that keeps such a job claims it, too.
//!
//! Nothing waits before it and a host has room, so the runner would take it next. To be synced once
//! instead of twice before it runs is most of what a short job gains. The attempt is counted in
//! that write, thus before its work starts, as it is by the runner.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pingora::http::RequestHeader;
use tokio::sync::oneshot;

use weighbridge_core::admit::Verdict;
use weighbridge_core::balancer::JobAsk;
use weighbridge_core::request::RouteId;

use super::attempt::{self, Attempt};
use super::ledger::{Created, LedgerError, NewJob};
use super::{JobRoom, runner, wire};
use crate::ask;
use crate::exchange::{self, Asked};

/// A place at a host for a job that is not kept yet.
pub(super) struct AtOnce {
    asked: Asked,
    head: RequestHeader,
    /// What the host calls it.
    token: u64,
}

// === impl JobRoom ===

impl JobRoom {
    /// A place at a host for `new`, of which is `asked` what it needs: where nothing waits before
    /// it, and its body is at hand.
    pub(super) fn at_once(&self, new: &NewJob, mut asked: ask::Asked) -> Option<AtOnce> {
        let shared = self.rooms();
        let goes = new.request.body.is_some()
            && !self.may_wait.load(Ordering::Acquire)
            && !self.is_draining()
            && self.n_running() < self.settings().running_max;
        let head = goes.then(|| wire::request(&new.request.head).ok()).flatten();
        let Some(mut head) = head else {
            asked.noticed(&shared.dispatch);
            return None;
        };
        let token = fastrand::u64(..);
        runner::tell_host(&mut head, new.kept.job.id, token);
        asked.ask.job = Some(JobAsk { weight: new.kept.job.weight, alone: false });
        let rooms = (&*shared.dispatch, &*shared.requests);
        let asked = exchange::place(rooms, asked, Box::new(head.clone()));
        match asked.verdict {
            Verdict::Forward(_) | Verdict::Lambda(_) => Some(AtOnce { asked, head, token }),
            Verdict::Later | Verdict::Queue { .. } | Verdict::Shed(_) => None,
        }
    }

    /// Keeps `new`, claimed, and runs it at its place. The client may leave meanwhile: what is
    /// kept runs nevertheless.
    pub(super) async fn create_running(
        self: Arc<Self>,
        mut new: NewJob,
        (route, at_once): (RouteId, AtOnce),
    ) -> Result<Created, LedgerError> {
        let AtOnce { asked, head, token } = at_once;
        let (id, request) = (new.kept.job.id, new.request.clone());
        self.take(&mut new.kept);
        let fence = new.kept.job.fence;
        let stop = self.enlist(&new.kept, fence, token);
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            let created = self.ledger.create(new).await;
            let kept = match &created {
                Ok(Created::Kept(kept)) => Some(kept.clone()),
                Ok(Created::Same(_) | Created::Conflict | Created::Full(_)) | Err(_) => None,
            };
            // Fails only where the client has left.
            let _ = tell.send(created);
            if let Some(kept) = kept {
                self.is_claimed(id);
                attempt::run(self.clone(), Attempt { kept, route, head, request, asked, stop })
                    .await;
            }
            self.delist(id);
        });
        told.await.unwrap_or_else(|_| Err(LedgerError::Away("a task has ended".to_owned())))
    }
}
