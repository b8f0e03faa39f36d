//! Waits in the balancer's waiting room for as long as the client does.

use pingora::proxy::Session;

use weighbridge_core::admit::Verdict;

use crate::decide::Ticket;

/// The client hung up. Its ticket gives its place back.
#[derive(Debug, thiserror::Error)]
#[error("the client left")]
pub(crate) struct ClientGone;

/// Waits for the next verdict of `ticket`, or until the client hangs up. The body must have been
/// read: only then can the connection be watched.
pub(crate) async fn wait(
    session: &mut Session,
    ticket: &mut Ticket,
) -> Result<Option<Verdict>, ClientGone> {
    tokio::select! {
        biased;
        verdict = ticket.verdict() => Ok(verdict),
        () = client_gone(session) => Err(ClientGone),
    }
}

/// Resolves when the client hangs up.
pub(crate) async fn client_gone(session: &mut Session) {
    // A request that is pipelined behind this one does not resolve it: pingora keeps its bytes.
    let _why = session.downstream_session.read_body_or_idle(true).await;
}
