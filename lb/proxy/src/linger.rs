//! Takes what a client sends that nobody wants, so that it reads its answer rather than a reset.

use std::time::Duration;

use pingora::proxy::Session;

use crate::receive;

/// How long a refused client may go on sending before the connection is closed on it.
const LINGER: Duration = Duration::from_secs(30);

/// The longest pause in what it sends.
const LINGER_PAUSE: Duration = Duration::from_secs(2);

/// A body up to this length that nobody wants is read, so that the connection can be used again.
const SMALL_BODY_BYTES: u64 = 64 << 10;

/// Takes a small body that nobody wants. Whether no more of a body is to come; where some is, or
/// may be, the connection is not used again.
pub(crate) async fn settle(session: &mut Session) -> bool {
    let waits_for_continue =
        session.get_header(http::header::EXPECT).is_some() && session.response_written().is_none();
    if waits_for_continue && !session.is_body_done() {
        session.set_keepalive(None);
        return true;
    }
    let is_small = receive::content_length(session).is_some_and(|bytes| bytes <= SMALL_BODY_BYTES);
    if is_small && !session.is_body_done() {
        let drain = session.downstream_session.drain_request_body();
        let _late = tokio::time::timeout(LINGER_PAUSE, drain).await;
    }
    let complete = session.is_body_done();
    if !complete {
        session.set_keepalive(None);
    }
    complete
}

/// Takes what an answered client still sends, so that it reads the answer rather than a reset.
pub(crate) async fn linger(session: &mut Session) {
    let all = async {
        while let Ok(Ok(Some(_))) =
            tokio::time::timeout(LINGER_PAUSE, session.read_request_body()).await
        {}
    };
    let _late = tokio::time::timeout(LINGER, all).await;
}
