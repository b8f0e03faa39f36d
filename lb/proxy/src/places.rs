//! Places of which so many are taken at once. How many there are can change.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    /// How many there are, taken ones included.
    all: Arc<Mutex<usize>>,
}

impl Places {
    /// So many places, all of them free.
    pub(crate) fn new(all: usize) -> Places {
        let all = all.min(Semaphore::MAX_PERMITS);
        Places { free: Arc::new(Semaphore::new(all)), all: Arc::new(Mutex::new(all)) }
    }

    /// One of them until it is dropped; `None` where all are taken.
    pub(crate) fn take(&self) -> Option<OwnedSemaphorePermit> {
        self.free.clone().try_acquire_owned().ok()
    }

    /// One of them until it is dropped, as soon as one is free. Who waited first is first.
    pub(crate) async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        // Fails only where the semaphore is closed, and nobody closes it.
        self.free.clone().acquire_owned().await.ok()
    }

    /// There are `all` from now on. Nobody is turned out: places that are too many go as they are
    /// given back.
    pub(crate) fn resize(&self, all: usize) {
        let all = all.min(Semaphore::MAX_PERMITS);
        let mut now = self.all.lock();
        if *now <= all {
            self.free.add_permits(all - *now);
        } else {
            let gone = self.free.forget_permits(*now - all);
            let taken = u32::try_from(*now - all - gone).unwrap_or(u32::MAX);
            let free = self.free.clone();
            tokio::spawn(async move {
                if let Ok(places) = free.acquire_many_owned(taken).await {
                    places.forget();
                }
            });
        }
        *now = all;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_come_and_go_and_nobody_is_turned_out() {
        let places = Places::new(2);
        let (first, second) = (places.take().unwrap(), places.take().unwrap());
        assert!(places.take().is_none());
        places.resize(1);
        drop(first);
        tokio::task::yield_now().await;
        assert!(places.take().is_none(), "one of the two was one too many");
        drop(second);
        let third = places.take();
        assert!(third.is_some());
        assert!(places.take().is_none());
        places.resize(3);
        let _two = (places.take().unwrap(), places.take().unwrap());
        assert!(places.take().is_none());
        drop(third);
        assert!(places.wait().await.is_some());
    }
}
