//! Target tracking of mean CPU utilization, as Amazon EC2 Auto Scaling documents it: with the
//! alarms that it had alone until November 2024. Since then groups may let AWS tune how soon they
//! react, by rules that are not published.
//!
//! The metric is the mean utilization over a minute. Two alarms watch it: high, when it has been
//! above the target for 3 minutes in a row; low, when it has been below 90 % of the target for 15.
//! On high the group grows in proportion, `⌈warm hosts · metric / target⌉`, counting what was
//! launched within the warm-up of 300 s, the default cooldown, as already there. On low it shrinks
//! in proportion, rounded up, and not while anything warms up; every further minute that the alarm
//! holds it is looked at again.

use std::collections::VecDeque;

use super::{Autoscaler, FleetView, Rule};

pub(super) const AT_50: Rule = Rule {
    name: "target_tracking_50",
    about: "mean CPU held at 50 % (Amazon EC2 Auto Scaling)",
    make: |future| Box::new(TargetTracking::new(0.5, future.hosts)),
};

pub(super) const AT_70: Rule = Rule {
    name: "target_tracking_70",
    about: "mean CPU held at 70 % (Amazon EC2 Auto Scaling)",
    make: |future| Box::new(TargetTracking::new(0.7, future.hosts)),
};

/// The span of one value of the metric, in seconds.
const PERIOD_SECS: f64 = 60.0;

/// Values in a row above the target that sound the high alarm.
const HIGH_PERIODS: usize = 3;

/// Values in a row below [`LOW`] of the target that sound the low alarm.
const LOW_PERIODS: usize = 15;

/// The part of the target below which the metric is low.
const LOW: f64 = 0.9;

/// A host warms up for so long, in seconds.
const WARM_UP_SECS: f64 = 300.0;

/// See the module.
#[derive(Debug)]
struct TargetTracking {
    target: f64,
    desired: usize,
    /// Launches that are warming up: when, and how many hosts.
    warming: VecDeque<(f64, usize)>,
    period: Period,
    /// The last values of the metric, oldest first.
    metric: VecDeque<f64>,
}

/// The mean over the current minute.
#[derive(Debug, Clone, Copy, Default)]
struct Period {
    begun: f64,
    sum: f64,
    ticks: f64,
}

// === impl Period ===

impl Period {
    /// Takes what was seen until `now`; the mean when the minute is over.
    fn add(&mut self, now: f64, utilization: f64) -> Option<f64> {
        self.sum += utilization;
        self.ticks += 1.0;
        if now - self.begun < PERIOD_SECS {
            return None;
        }
        let mean = self.sum / self.ticks;
        *self = Period { begun: now, sum: 0.0, ticks: 0.0 };
        Some(mean)
    }
}

// === impl TargetTracking ===

impl TargetTracking {
    fn new(target: f64, hosts: usize) -> TargetTracking {
        TargetTracking {
            target,
            desired: hosts,
            warming: VecDeque::new(),
            period: Period::default(),
            metric: VecDeque::new(),
        }
    }

    /// What the alarms ask for with a new value of the metric.
    fn decide(&mut self, now: f64, metric: f64) {
        self.metric.push_back(metric);
        if LOW_PERIODS < self.metric.len() {
            self.metric.pop_front();
        }
        self.warming.retain(|(at, _)| now - at < WARM_UP_SECS);
        let warming: usize = self.warming.iter().map(|(_, hosts)| hosts).sum();
        let warm = self.desired.saturating_sub(warming);
        // A hair over a whole number is float noise, not a further host.
        let wanted = (warm as f64 * metric / self.target - 1e-9).ceil() as usize;
        if self.has_been(HIGH_PERIODS, |value| self.target < value) && self.desired < wanted {
            self.warming.push_back((now, wanted - self.desired));
            self.desired = wanted;
        }
        let is_low = self.has_been(LOW_PERIODS, |value| value < LOW * self.target);
        if is_low && warming == 0 && wanted < self.desired {
            self.desired = wanted.max(1);
        }
    }

    /// Whether the last so many values are all there and as `is` says.
    fn has_been(&self, periods: usize, is: impl Fn(f64) -> bool) -> bool {
        let last = self.metric.iter().rev().take(periods);
        periods <= self.metric.len() && last.into_iter().all(|value| is(*value))
    }
}

impl Autoscaler for TargetTracking {
    fn desired(&mut self, view: &FleetView) -> usize {
        if let Some(metric) = self.period.add(view.now, view.utilization) {
            self.desired = self.desired.clamp(view.hosts_min, view.hosts_max);
            self.decide(view.now, metric);
        }
        self.desired
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::view;
    use super::*;

    /// What is desired after each minute of these utilizations, beginning with 4 hosts.
    fn check(utilizations: &[f64], expected: &[usize]) {
        let mut rule = TargetTracking::new(0.5, 4);
        let desired: Vec<usize> = utilizations
            .iter()
            .enumerate()
            .map(|(minute, utilization)| {
                let now = 60.0 * (minute + 1) as f64;
                rule.desired(&FleetView { utilization: *utilization, ..view(now, 4) })
            })
            .collect();
        assert_eq!(desired, expected);
    }

    #[test]
    fn three_minutes_above_the_target_grow_the_fleet_in_proportion() {
        check(&[0.8, 0.8, 0.8], &[4, 4, 7]);
        check(&[0.8, 0.8, 0.4, 0.8, 0.8, 0.8], &[4, 4, 4, 4, 4, 7]);
    }

    #[test]
    fn what_warms_up_is_not_launched_again() {
        // 4 · 0.8 / 0.5 = 7; then the 4 warm ones ask for 7 again, and at 100 % for 8.
        check(&[0.8, 0.8, 0.8, 0.8, 1.0], &[4, 4, 7, 7, 8]);
    }

    #[test]
    fn fifteen_minutes_below_90_percent_of_it_shrink_the_fleet() {
        let mut expected = [4; 15];
        expected[14] = 2;
        check(&[0.2; 15], &expected);
        check(&[0.46; 20], &[4; 20]);
    }

    #[test]
    fn the_metric_is_the_mean_of_a_minute() {
        let mut period = Period::default();
        assert_eq!(period.add(20.0, 0.2), None);
        assert_eq!(period.add(40.0, 0.4), None);
        assert!((period.add(60.0, 0.6).unwrap() - 0.4).abs() < 1e-9);
        assert_eq!(period.add(80.0, 1.0), None);
    }
}
