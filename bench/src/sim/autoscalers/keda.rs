//! By messages for each host, as KEDA's scaler `aws-sqs-queue` does by default:
//! `⌈(visible + in flight) / 5⌉`, looked at every 30 s. From zero to one and back it goes by
//! itself; beyond that the Horizontal Pod Autoscaler acts, which shrinks to the most that was
//! wanted within the last 5 minutes.

use std::collections::VecDeque;

use super::{Autoscaler, FleetView, Rule};

pub(super) const RULE: Rule = Rule {
    name: "keda",
    about: "a host for 5 requests that run or wait (KEDA, aws-sqs-queue)",
    make: |_| Box::new(Keda::default()),
};

/// Requests for each host: `queueLength`.
const QUEUE_LENGTH: usize = 5;

/// Between two looks, in seconds: `pollingInterval`.
const LOOK_SECS: f64 = 30.0;

/// A fleet shrinks to the most that was wanted for so long, in seconds.
const STABLE_SECS: f64 = 300.0;

/// See the module.
#[derive(Debug, Default)]
struct Keda {
    /// When it looked, and what was wanted then.
    wanted: VecDeque<(f64, usize)>,
}

impl Autoscaler for Keda {
    fn desired(&mut self, view: &FleetView) -> usize {
        let last = self.wanted.back().map(|(at, _)| *at);
        if last.is_none_or(|last| LOOK_SECS <= view.now - last) {
            let wanted = view.requests.div_ceil(QUEUE_LENGTH);
            self.wanted.push_back((view.now, wanted));
        }
        self.wanted.retain(|(at, _)| view.now - at < STABLE_SECS);
        self.wanted.iter().map(|(_, wanted)| *wanted).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::view;
    use super::*;

    #[test]
    fn it_grows_at_once_and_shrinks_after_five_minutes() {
        let mut rule = Keda::default();
        let mut desired = |now, requests| rule.desired(&FleetView { requests, ..view(now, 1) });
        assert_eq!([desired(0.0, 11), desired(10.0, 99), desired(30.0, 51)], [3, 3, 11]);
        assert_eq!([desired(60.0, 0), desired(329.0, 0), desired(330.0, 0)], [11, 11, 0]);
    }
}
