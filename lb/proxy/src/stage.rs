//! How far the present request has come, known to all that runs for it.
//!
//! Pingora answers by itself what it cannot read, and there is no callback to change that. Whatever
//! is written before a request has been read is such an answer, and the connection sends ours
//! instead ([`crate::listen`]).

use std::cell::Cell;

tokio::task_local! {
    static STAGE: Cell<Stage>;
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its head has not been read: what is written is pingora's own answer.
    Unread,
    /// Its head has been read: what is written next is the head of an answer.
    Read,
    /// The head of its answer has been written.
    Answering,
    /// It has become another protocol, which is passed on as it is.
    Tunnel,
}

/// Serves one request, which is [`Stage::Unread`] at first.
pub(crate) async fn from_unread<F: Future>(serve: F) -> F::Output {
    STAGE.scope(Cell::new(Stage::Unread), serve).await
}

/// The request has come to `stage`.
pub(crate) fn enter(stage: Stage) {
    // Fails only outside of `from_unread`, where nothing is replaced or held.
    let _ = STAGE.try_with(|present| present.set(stage));
}

/// How far the request has come.
pub(crate) fn now() -> Stage {
    STAGE.try_with(Cell::get).unwrap_or(Stage::Answering)
}
