//! Buckets: objects under names that others know, too.

use async_trait::async_trait;
use bytes::Bytes;

use crate::jobs::objects::ObjectError;

/// Keeps objects in buckets.
#[async_trait]
pub trait Buckets: Send + Sync {
    /// Puts `object` at `place`, instead of what is there. It is durable when this returns.
    async fn put(&self, place: &Place, object: &Object) -> Result<(), ObjectError>;

    /// The body of the object at `place`; `None` where there is none, or it is longer than `most`
    /// bytes.
    async fn get(&self, place: &Place, most: u64) -> Result<Option<Bytes>, ObjectError>;

    /// The keys in `bucket`, in no order, of more than `most` only so many; `None` where there is
    /// no such bucket.
    async fn list(&self, bucket: &str, most: usize) -> Result<Option<Vec<String>>, ObjectError>;

    /// Puts `object` at `place`, with `mark` as the one who has done so. Where that stands there
    /// already, it changes nothing. Whoever else writes there at the same time, one is first and
    /// one is second, and nobody's write is lost in between.
    async fn commit(&self, place: &Place, object: &Object, mark: &str) -> Result<(), ObjectError>;
}

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
}

/// What is put somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its media type.
    pub media_type: String,
    /// Its bytes.
    pub body: Bytes,
}
