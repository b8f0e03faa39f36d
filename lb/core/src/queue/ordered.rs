//! Requests in the order of the discipline.

use std::collections::BTreeSet;

use super::Place;
use crate::request::RequestId;
use crate::units::Time;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Ordered {
    by_key: BTreeSet<(u64, Time, RequestId)>,
}

// === impl Ordered ===

impl Ordered {
    pub(super) fn insert(&mut self, id: RequestId, place: &Place) {
        self.by_key.insert((place.key, place.arrived, id));
    }

    pub(super) fn remove(&mut self, id: RequestId, place: &Place) {
        self.by_key.remove(&(place.key, place.arrived, id));
    }

    /// All in order.
    pub(super) fn first(&self) -> impl Iterator<Item = RequestId> {
        self.by_key.iter().map(|(_, _, id)| *id)
    }

    /// The first by the discipline.
    pub(super) fn shortest(&self) -> Option<RequestId> {
        self.by_key.first().map(|(_, _, id)| *id)
    }

    /// Whether one goes before a request of that place.
    pub(super) fn precedes(&self, id: RequestId, place: &Place) -> bool {
        self.by_key.first().is_some_and(|first| *first < (place.key, place.arrived, id))
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn clear(&mut self) {
        self.by_key.clear();
    }
}
