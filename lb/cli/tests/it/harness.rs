//! What the tests stand on: the program as a process, clients, requests with known answers, load.

pub(crate) mod backend;
pub(crate) mod balancer;
pub(crate) mod client;
pub(crate) mod load;
pub(crate) mod process;
pub(crate) mod requests;
pub(crate) mod steady;

use std::time::{Duration, Instant};

/// Nothing in these tests takes so long, unless something is wrong.
pub(crate) const DEADLINE: Duration = Duration::from_secs(45);

/// Between two looks at a condition.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Looks until there is something, and returns it.
#[track_caller]
pub(crate) fn eventually<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    eventually_or(what, look, String::new)
}

/// The same; where it gives up it says `why`.
#[track_caller]
pub(crate) fn eventually_or<T>(
    what: &str,
    mut look: impl FnMut() -> Option<T>,
    why: impl FnOnce() -> String,
) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "not in time: {what} {}", why());
        std::thread::park_timeout(LOOK_INTERVAL);
    }
}

/// Looks until it is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    eventually(what, || is_so().then_some(()));
}
