//! Who asks, and gets the answer: a client's session, or a test. The exchange knows no more of it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use pingora::http::{RequestHeader, ResponseHeader};

use weighbridge_core::host::HostId;

use crate::answer::{Problem, Whole};
use crate::budget::Owner;

/// Nobody waits for the answer any longer.
#[derive(Debug, thiserror::Error)]
#[error("the caller left")]
pub(crate) struct Gone;

/// See the module.
pub(crate) trait Caller: Send {
    /// The request as it goes to a host, framed for a body of `body_bytes`. Sending it takes it:
    /// each try asks anew.
    fn request(&self, body_bytes: u64) -> pingora::Result<Box<RequestHeader>>;

    /// Whose memory its answer takes.
    fn owner(&self) -> Owner;

    /// From a request sent to a host until its answer begins, where that is not as the route says.
    fn response_max(&self) -> Option<Duration> {
        None
    }

    /// How much its request counts beside others, which have 1. Above zero.
    fn weight(&self) -> f64 {
        1.0
    }

    /// It is sent to `host` now.
    fn placed(&mut self, _: HostId) {}

    /// Takes the balancer's own word that there is no answer. Returns the bytes that went out.
    fn refused(&mut self, problem: &Problem) -> impl Future<Output = Result<u64, Gone>> + Send {
        let answer = problem.answer();
        async { self.take(answer.map_err(|_| Gone)?).await }
    }

    /// The caller's end of its connection, and ours, where it has one.
    fn between(&self) -> Option<(SocketAddr, SocketAddr)> {
        None
    }

    /// Resolves when the caller waits no longer. Dropped before that, it has had no effect.
    fn gone(&mut self) -> impl Future<Output = ()> + Send;

    /// Takes an interim answer (1xx), which comes before the head of the final one.
    fn interim(
        &mut self,
        head: Box<ResponseHeader>,
    ) -> impl Future<Output = Result<(), Gone>> + Send;

    /// Takes all of an answer. Returns the bytes of its body that went out.
    fn take(&mut self, answer: Whole) -> impl Future<Output = Result<u64, Gone>> + Send;

    /// Takes the head of an answer whose body comes in pieces.
    fn begin(&mut self, head: Box<ResponseHeader>)
    -> impl Future<Output = Result<(), Gone>> + Send;

    /// Takes the head that says that the connection has become another protocol.
    fn switch(
        &mut self,
        head: Box<ResponseHeader>,
    ) -> impl Future<Output = Result<(), Gone>> + Send;

    /// What the caller sends in the other protocol; at its end `None`. Dropped before that, it has
    /// had no effect.
    fn receive(&mut self) -> impl Future<Output = Option<Bytes>> + Send;

    /// Takes the next piece of the body; at its end `None`.
    fn piece(&mut self, piece: Option<Bytes>) -> impl Future<Output = Result<(), Gone>> + Send;
}
