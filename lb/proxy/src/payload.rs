//! The body of a request that is at hand, so that it can be sent any number of times: in memory, or
//! kept as an object.

use std::sync::Arc;

use bytes::Bytes;

use crate::jobs::objects::Objects;

/// See the module.
#[derive(Clone)]
pub(crate) enum Payload {
    /// All of it is in memory.
    Held(Bytes),
    /// It is an object.
    Object(StoredBody),
}

/// A body that is an object.
#[derive(Clone)]
pub(crate) struct StoredBody {
    /// Where it is.
    pub(crate) objects: Arc<dyn Objects>,
    /// Its key there.
    pub(crate) key: String,
    /// How long it is.
    pub(crate) bytes: u64,
    /// What it begins with: what features see of it.
    pub(crate) beginning: Bytes,
}

// === impl Payload ===

impl Payload {
    /// How long it is.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Payload::Held(bytes) => bytes.len() as u64,
            Payload::Object(stored) => stored.bytes,
        }
    }

    /// What is in memory of it: all, or what it begins with.
    pub(crate) fn beginning(&self) -> &Bytes {
        match self {
            Payload::Held(bytes) => bytes,
            Payload::Object(stored) => &stored.beginning,
        }
    }

    /// All of it, where it is in memory.
    pub(crate) fn whole(&self) -> Option<&Bytes> {
        match self {
            Payload::Held(bytes) => Some(bytes),
            Payload::Object(_) => None,
        }
    }
}
