//! What happens because time passes: decisions, and a moment to run for what is stopped.

use std::future;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::executor::Shared;
use super::start;

/// How long a stopped process runs at a time, when it has been stopped for too long.
const BREATH: Duration = Duration::from_millis(10);

/// Decides again whenever time alone has changed what is to run.
pub(super) async fn ring(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    loop {
        let left = shared.until_alarm();
        let rings = async {
            match left {
                Some(left) => sleep(left).await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            () = rings => {
                shared.decide_now();
                // What `decide` has set itself.
                shared.alarm.notified().await;
            }
            () = shared.alarm.notified() => {}
            () = start::is_told(&mut stop) => return,
        }
    }
}

/// Lets a stopped process run for a moment from time to time, until it is resumed.
pub(super) async fn breathe(shared: Weak<Shared>, stopped: (usize, u64), longest: Duration) {
    loop {
        for (wait, runs) in [(longest, true), (BREATH, false)] {
            sleep(wait).await;
            let Some(shared) = shared.upgrade() else { return };
            if !shared.breathe(stopped, runs) {
                return;
            }
        }
    }
}
