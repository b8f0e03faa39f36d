//! Objects: bodies and answers that are too long for the ledger.
//!
//! An object is created once and never changed: who comes second is told. It is durable when
//! [`ObjectWriter::finish`] has returned, and not there at all before that.

use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;

use weighbridge_core::jobs::{Fence, JobId};

/// Keeps objects.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Begins the object `key`. Dropped before its end, the writer leaves nothing behind.
    async fn create(&self, key: &str) -> Result<Box<dyn ObjectWriter>, ObjectError>;

    /// Opens the object `key`; `None` where there is none.
    async fn open(&self, key: &str) -> Result<Option<Box<dyn ObjectReader>>, ObjectError>;

    /// Deletes the object `key`. It may be gone already.
    async fn delete(&self, key: &str) -> Result<(), ObjectError>;

    /// The objects that there are, in no order, `most` at most: those that have keys after `after`,
    /// where it is given, in the order of their keys.
    async fn list(&self, after: Option<&str>, most: usize) -> Result<Vec<ObjectInfo>, ObjectError>;

    /// Where the object `key` may be fetched from by whoever knows the address, for a while; it
    /// comes with the fields of `head` that say what it is. `None`: nowhere but here.
    async fn link(&self, _key: &str, _head: &HeaderMap) -> Result<Option<String>, ObjectError> {
        Ok(None)
    }
}

/// Writes one object.
#[async_trait]
pub trait ObjectWriter: Send {
    /// Adds `piece` at the end.
    async fn write(&mut self, piece: Bytes) -> Result<(), ObjectError>;

    /// Makes it durable. [`ObjectError::Exists`] where somebody else was first.
    async fn finish(self: Box<Self>) -> Result<(), ObjectError>;
}

/// Reads one object, piece by piece.
#[async_trait]
pub trait ObjectReader: Send {
    /// How long the object is.
    fn bytes(&self) -> u64;

    /// The next piece, never empty; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, ObjectError>;
}

/// What is known of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: String,
    /// When it was finished.
    pub modified: SystemTime,
}

/// Why an object could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It is there already.
    #[error("the object is there already")]
    Exists,
    /// The key is not one that objects can have. The caller's fault.
    #[error("`{0}` is no key of an object")]
    Key(String),
    /// There is no room for it. A later try may work.
    #[error("there is no room for objects")]
    Full(#[source] std::io::Error),
    /// The store cannot be used. A later try may work.
    #[error("objects cannot be used")]
    Away(#[source] std::io::Error),
}

/// The longest key.
const KEY_MAX: usize = 128;

/// Whether an object can have the key `key`: 3 to 128 letters, digits, `.` and `-`, the first of
/// them no `.`.
pub fn is_key(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
    (3..=KEY_MAX).contains(&key.len()) && key.bytes().all(plain) && !key.starts_with('.')
}

/// The key of the request of the job `id`.
pub fn request_key(id: JobId) -> String {
    format!("{id}.request")
}

/// The key of the answer that the claim `fence` brought of the job `id`.
pub fn answer_key(id: JobId, fence: Fence) -> String {
    format!("{id}.{}.answer", fence.0)
}

/// Whose object has the key `key`, and of which claim, where it is an answer. `None` where it is
/// none of a job.
pub fn whose(key: &str) -> Option<(JobId, Option<Fence>)> {
    let mut parts = key.split('.');
    let id = parts.next()?.parse().ok()?;
    match (parts.next()?, parts.next(), parts.next()) {
        ("request", None, None) => Some((id, None)),
        (fence, Some("answer"), None) => Some((id, Some(Fence(fence.parse().ok()?)))),
        _ => None,
    }
}

// === impl ObjectError ===

impl From<std::io::Error> for ObjectError {
    fn from(error: std::io::Error) -> ObjectError {
        match error.kind() {
            std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::QuotaExceeded
            | std::io::ErrorKind::FileTooLarge => ObjectError::Full(error),
            _ => ObjectError::Away(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_whose_object_it_is() {
        let id = JobId::from_bits(7);
        assert_eq!(whose(&request_key(id)), Some((id, None)));
        assert_eq!(whose(&answer_key(id, Fence(3))), Some((id, Some(Fence(3)))));
        for key in ["", "x.request", "00000000000000000000000000000007", "a.b.c.d"] {
            assert_eq!(whose(key), None, "{key}");
        }
    }
}
