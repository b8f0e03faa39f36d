//! Queues of messages that others read and write, too.

use std::time::Duration;

use async_trait::async_trait;

/// Sends and takes messages. A message that was taken is hidden from others for a while, and comes
/// again where it was not deleted; whoever takes it may have it twice.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Sends a message to `queue`; of the tenant `group`, where the queue is fair.
    async fn send(&self, queue: &str, body: &str, group: Option<&str>) -> Result<(), MessageError>;

    /// Takes up to `most` messages of `queue`, which nobody else sees for the time `hidden`. Where
    /// there are none, it waits for some, up to `wait`.
    async fn take(
        &self,
        queue: &str,
        most: usize,
        (wait, hidden): (Duration, Duration),
    ) -> Result<Vec<Taken>, MessageError>;

    /// Has nobody else see a message for the time `hidden` from now on; zero: gives it back.
    /// Returns whether it is still there and was not taken by somebody else.
    async fn hide(&self, queue: &str, handle: &str, hidden: Duration)
    -> Result<bool, MessageError>;

    /// About how many messages of `queue` nobody has taken.
    async fn waiting(&self, queue: &str) -> Result<usize, MessageError>;

    /// Deletes a message. It may be gone already.
    async fn delete(&self, queue: &str, handle: &str) -> Result<(), MessageError>;
}

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Which one: the same each time that it is taken.
    pub id: String,
    /// By what it is hidden and deleted by whoever has taken it.
    pub handle: String,
    /// What it says.
    pub body: String,
    /// How often it was taken, this time too.
    pub times: u32,
}

/// A queue could not do what it was asked. A later try may work.
#[derive(Debug, thiserror::Error)]
#[error("the queue `{queue}` cannot be used: {why}")]
pub struct MessageError {
    /// Which one.
    pub queue: String,
    /// Why.
    pub why: String,
}
