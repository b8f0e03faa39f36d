//! The register of a fleet: what each request that is here asks for and for whom, so that operators
//! can see it, and can have it given up.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Uri};
use parking_lot::Mutex;
use tokio::sync::Notify;

use weighbridge_core::request::RequestId;

use crate::answer::Problem;
use crate::budget::Owner;
use crate::headers::JOB;

/// Characters of a path that operators are shown.
const PATH_SHOWN: usize = 200;

/// See the module. One entry for each request inside the balancer: its limits are theirs.
#[derive(Debug, Default)]
pub(crate) struct Register(Mutex<HashMap<RequestId, Arc<Entry>>>);

/// What the register has of a request.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) method: Method,
    uri: Uri,
    /// The client's address, where there is one.
    pub(crate) client: Option<IpAddr>,
    /// The job whose attempt it is.
    job: Option<HeaderValue>,
    is_cancelled: AtomicBool,
    cancels: Notify,
}

// === impl Register ===

impl Register {
    pub(crate) fn insert(&self, id: RequestId, entry: &Arc<Entry>) {
        self.0.lock().insert(id, entry.clone());
    }

    pub(crate) fn remove(&self, id: RequestId) {
        self.0.lock().remove(&id);
    }

    /// The entry of `id`, while it is here.
    pub(crate) fn get(&self, id: RequestId) -> Option<Arc<Entry>> {
        self.0.lock().get(&id).cloned()
    }
}

// === impl Entry ===

impl Entry {
    /// Of the request with `head`, as its client has sent it, for `owner`.
    pub(crate) fn of_client(head: &Parts, owner: Owner) -> Arc<Entry> {
        Entry::new(head, owner, None)
    }

    /// Of the request with `head`, as it goes to a host, for `owner`.
    pub(crate) fn of_exchange(head: &Parts, owner: Owner) -> Arc<Entry> {
        Entry::new(head, owner, head.headers.get(JOB).cloned())
    }

    fn new(head: &Parts, owner: Owner, job: Option<HeaderValue>) -> Arc<Entry> {
        Arc::new(Entry {
            method: head.method.clone(),
            uri: head.uri.clone(),
            client: owner.0.map(|address| address.ip()),
            job,
            is_cancelled: AtomicBool::new(false),
            cancels: Notify::new(),
        })
    }

    /// The path, without the query, which may carry secrets; cut where it is long.
    pub(crate) fn path(&self) -> &str {
        let path = self.uri.path();
        path.char_indices().nth(PATH_SHOWN).map_or(path, |(end, _)| &path[..end])
    }

    /// The job whose attempt it is, where it is one.
    pub(crate) fn job(&self) -> Option<&str> {
        self.job.as_ref().and_then(|job| job.to_str().ok())
    }

    /// Whoever carries the request gives it up.
    pub(crate) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Release);
        self.cancels.notify_one();
    }

    /// Whether it is to be given up.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Acquire)
    }

    /// Resolves when it is to be given up. For whoever carries the request, and nobody else.
    pub(crate) async fn cancelled(&self) {
        while !self.is_cancelled() {
            self.cancels.notified().await;
        }
    }
}

/// What the client of a cancelled request is told.
pub(crate) fn cancelled() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "an operator has cancelled this request")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(target: &str) -> Arc<Entry> {
        let (head, ()) = http::Request::builder().uri(target).body(()).unwrap().into_parts();
        Entry::of_exchange(&head, Owner(None))
    }

    #[test]
    fn queries_are_not_shown_and_long_paths_are_cut() {
        assert_eq!(entry("/render?token=secret").path(), "/render");
        assert_eq!(entry(&format!("/{}", "x".repeat(1000))).path().len(), PATH_SHOWN);
    }

    #[test]
    fn a_client_cannot_pass_its_request_off_as_a_job() {
        let request = http::Request::builder().header(JOB, "4bf9").body(()).unwrap();
        let (head, ()) = request.into_parts();
        assert_eq!(Entry::of_client(&head, Owner(None)).job(), None);
        assert_eq!(Entry::of_exchange(&head, Owner(None)).job(), Some("4bf9"));
    }

    #[tokio::test]
    async fn it_does_not_matter_whether_somebody_waits_before_or_after() {
        let one = entry("/");
        one.cancel();
        one.cancelled().await;
        assert!(one.is_cancelled());
        let other = entry("/");
        let waits = tokio::spawn({
            let other = other.clone();
            async move { other.cancelled().await }
        });
        tokio::task::yield_now().await;
        other.cancel();
        waits.await.unwrap();
    }
}
