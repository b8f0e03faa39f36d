//! The memory budget of request bodies, over all requests.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The budget is counted in units of this many bytes.
const UNIT: u64 = 1024;

/// The bytes of request bodies that may be held at once.
#[derive(Debug, Clone)]
pub(crate) struct MemoryBudget {
    units: Arc<Semaphore>,
    units_max: u32,
}

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share(OwnedSemaphorePermit);

// === impl MemoryBudget ===

impl MemoryBudget {
    /// A budget of `bytes`.
    pub(crate) fn new(bytes: u64) -> MemoryBudget {
        let units_max = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).max(1);
        let units_max = units_max.min(u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        MemoryBudget { units: Arc::new(Semaphore::new(units_max as usize)), units_max }
    }

    /// Bytes that are held now.
    pub(crate) fn held_bytes(&self) -> u64 {
        u64::from(self.units_max).saturating_sub(self.units.available_permits() as u64) * UNIT
    }

    /// Room for `bytes` if there is some now. A request that already holds a share must not wait
    /// for more: two of them could wait for each other.
    pub(super) fn hold_now(&self, bytes: u64) -> Option<Share> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        self.units.clone().try_acquire_many_owned(units).ok().map(Share)
    }

    /// Waits for room for `bytes`; `None` where they are more than the whole budget.
    pub(super) async fn hold(&self, bytes: u64) -> Option<Share> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).ok()?;
        if self.units_max < units {
            return None;
        }
        self.units.clone().acquire_many_owned(units).await.ok().map(Share)
    }
}

// === impl Share ===

impl Share {
    /// How much it is.
    pub(super) fn bytes(&self) -> u64 {
        self.0.num_permits() as u64 * UNIT
    }

    /// Takes `other` in.
    pub(super) fn merge(&mut self, other: Share) {
        self.0.merge(other.0);
    }
}
