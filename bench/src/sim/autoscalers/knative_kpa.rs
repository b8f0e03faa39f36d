//! Knative's pod autoscaler (KPA), with its defaults.
//!
//! Concurrency, the requests that run or wait, is averaged over the stable window of 60 s and over
//! the panic window of 6 s. Wanted are `⌈mean / (0.7 · c)⌉` hosts of container concurrency c,
//! between half and 1000 times those that are ready. When the panic window wants at least twice the
//! ready ones, panic begins; in panic the larger of the two wishes counts and never falls. It ends
//! when a stable window has passed since. c is the host's cores: its requests are bound by the CPU.
//! Scale to zero is off.

use std::collections::VecDeque;

use super::{Autoscaler, FleetView, Rule};

pub(super) const RULE: Rule = Rule {
    name: "knative_kpa",
    about: "concurrency at 70 % of the cores, stable 60 s, panic 6 s (Knative KPA)",
    make: |_| Box::new(KnativeKpa::default()),
};

const STABLE_SECS: f64 = 60.0;

const PANIC_SECS: f64 = 6.0;

/// Part of the container concurrency that is aimed at.
const TARGET: f64 = 0.7;

/// Panic begins when so many times the ready hosts are wanted.
const PANIC_FACTOR: f64 = 2.0;

/// The fleet grows by this factor at most, with one decision.
const GROW_MAX: f64 = 1000.0;

/// The fleet shrinks by this factor at most, with one decision.
const SHRINK_MAX: f64 = 2.0;

/// See the module.
#[derive(Debug, Default)]
struct KnativeKpa {
    /// When, and how many requests there were; within the stable window.
    seen: VecDeque<(f64, usize)>,
    /// While in panic: when it last had reason to be, and the most that was wanted in it.
    panic: Option<(f64, usize)>,
}

// === impl KnativeKpa ===

impl KnativeKpa {
    /// The mean concurrency over the last `window` seconds.
    fn mean(&self, now: f64, window: f64) -> f64 {
        let within = self.seen.iter().rev().take_while(|(at, _)| now - at < window);
        let (sum, n) = within.fold((0, 0), |(sum, n), (_, requests)| (sum + requests, n + 1));
        sum as f64 / f64::from(n.max(1))
    }
}

impl Autoscaler for KnativeKpa {
    fn desired(&mut self, view: &FleetView) -> usize {
        let now = view.now;
        self.seen.push_back((now, view.requests));
        while self.seen.front().is_some_and(|(at, _)| STABLE_SECS <= now - at) {
            self.seen.pop_front();
        }
        let ready = view.active.max(1) as f64;
        let target = TARGET * f64::from(view.cores);
        let least = (ready / SHRINK_MAX).floor();
        let most = (ready * GROW_MAX).ceil();
        let wanted = |mean: f64| (mean / target - 1e-9).ceil();
        let panic_wanted = wanted(self.mean(now, PANIC_SECS));
        let bound = |hosts: f64| hosts.clamp(least, most) as usize;
        let stable = bound(wanted(self.mean(now, STABLE_SECS)));

        if PANIC_FACTOR <= panic_wanted / ready {
            let most = self.panic.map_or(view.active, |(_, most)| most);
            self.panic = Some((now, most));
        } else if self.panic.is_some_and(|(since, _)| since + STABLE_SECS < now) {
            self.panic = None;
        }
        let Some((since, most)) = self.panic else { return stable.max(1) };
        let most = most.max(stable).max(bound(panic_wanted));
        self.panic = Some((since, most));
        most
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::view;
    use super::*;

    /// What is desired of 4 hosts of two cores with so many requests, for each of these seconds.
    fn desired(rule: &mut KnativeKpa, secs: std::ops::Range<u32>, requests: usize) -> usize {
        secs.fold(0, |_, now| rule.desired(&FleetView { requests, ..view(f64::from(now), 4) }))
    }

    #[test]
    fn concurrency_is_held_at_70_percent_of_the_cores() {
        // 7 / (0.7 · 2) = 5 hosts.
        assert_eq!(desired(&mut KnativeKpa::default(), 0..60, 7), 5);
        assert_eq!(desired(&mut KnativeKpa::default(), 0..60, 8), 6);
    }

    #[test]
    fn a_decision_halves_the_fleet_at_most() {
        assert_eq!(desired(&mut KnativeKpa::default(), 0..60, 0), 2);
    }

    #[test]
    fn a_burst_is_followed_by_the_panic_window() {
        let mut rule = KnativeKpa::default();
        assert_eq!(desired(&mut rule, 0..60, 5), 4);
        // Six seconds of 14 want ten hosts, twice those there are; the stable mean alone, five.
        assert_eq!(desired(&mut rule, 60..66, 14), 10);
        assert!(rule.mean(65.0, STABLE_SECS) < 6.0);
    }

    #[test]
    fn panic_does_not_shrink_and_ends_a_stable_window_later() {
        let mut rule = KnativeKpa::default();
        desired(&mut rule, 0..6, 14);
        assert_eq!(desired(&mut rule, 6..60, 2), 10);
        assert_eq!(desired(&mut rule, 60..90, 2), 2);
    }
}
