//! The pool of probes.
//!
//! A probe leaves it when it is a second old, when it has been used as often as it may, and with
//! the requests: the oldest and the worst in turn. The worst is the hot one with the most in
//! flight, or where none is hot the one with the highest latency.

use std::collections::VecDeque;

use weighbridge_core::random::Random;

/// Probes in the pool at most (m).
const POOL_MAX: usize = 16;

/// A probe leaves the pool at this age, in seconds.
const AGE_MAX_SECS: f64 = 1.0;

/// A probe is hot above this quantile of the requests in flight: 2^-0.25.
const Q_RIF: f64 = 0.840_896_415_253_714_5;

/// By how much probes are to come in faster than they go out (δ).
const SURPLUS: f64 = 1.0;

/// Recent answers that the quantile is taken of.
const SEEN_MAX: usize = 100;

/// What a host has answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    pub(super) host: usize,
    /// Requests that it had then, and those that have been sent to it by this probe since.
    pub(super) in_flight: u32,
    /// In seconds.
    pub(super) latency: f64,
    /// When it answered.
    pub(super) at: f64,
    /// Requests that have been sent by it.
    pub(super) uses: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// From the oldest to the newest.
    probes: Vec<Probe>,
    seen: VecDeque<u32>,
    worst_is_next: bool,
}

// === impl Pool ===

impl Pool {
    pub(super) fn len(&self) -> usize {
        self.probes.len()
    }

    /// Takes an answer; an older one of that host is of no use any more.
    pub(super) fn add(&mut self, probe: Probe) {
        self.probes.retain(|kept| kept.host != probe.host);
        if self.probes.len() == POOL_MAX {
            self.probes.remove(0);
        }
        self.probes.push(probe);
        if self.seen.len() == SEEN_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back(probe.in_flight);
    }

    /// Drops what is too old, and hosts that are not `up`.
    pub(super) fn expire(&mut self, now: f64, up: impl Fn(usize) -> bool) {
        self.probes.retain(|probe| now - probe.at < AGE_MAX_SECS && up(probe.host));
    }

    /// The host of the best probe, which may be used `uses_max` times.
    pub(super) fn take(&mut self, uses_max: usize) -> Option<usize> {
        let limit = self.limit();
        let key = |probe: &Probe| {
            let hot = limit < probe.in_flight;
            (hot, if hot { probe.in_flight } else { 0 }, probe.latency)
        };
        let place = (0..self.probes.len()).min_by(|left, right| {
            let (left, right) = (key(&self.probes[*left]), key(&self.probes[*right]));
            (left.0, left.1).cmp(&(right.0, right.1)).then(left.2.total_cmp(&right.2))
        })?;
        let probe = &mut self.probes[place];
        let host = probe.host;
        probe.in_flight += 1;
        probe.uses += 1;
        if uses_max <= probe.uses {
            self.probes.remove(place);
        }
        Some(host)
    }

    /// Removes the oldest or the worst, in turn.
    pub(super) fn remove(&mut self) {
        let place = if self.worst_is_next { self.worst() } else { 0 };
        self.worst_is_next = !self.worst_is_next;
        if place < self.probes.len() {
            self.probes.remove(place);
        }
    }

    fn worst(&self) -> usize {
        let limit = self.limit();
        let key = |probe: &Probe| {
            let hot = limit < probe.in_flight;
            if hot { (probe.in_flight, 0.0) } else { (0, probe.latency) }
        };
        let worst = (0..self.probes.len()).max_by(|left, right| {
            let (left, right) = (key(&self.probes[*left]), key(&self.probes[*right]));
            left.0.cmp(&right.0).then(left.1.total_cmp(&right.1))
        });
        worst.unwrap_or(0)
    }

    /// Probes with more in flight than this are hot.
    fn limit(&self) -> u32 {
        let mut seen: Vec<u32> = self.seen.iter().copied().collect();
        seen.sort_unstable();
        let place = (Q_RIF * seen.len() as f64).ceil() as usize;
        seen.get(place.saturating_sub(1)).copied().unwrap_or(0)
    }
}

/// How often a probe may be used with so many hosts:
/// `max(1, (1 + δ) / ((1 − m / n) · r_probe − r_remove))`, its fraction drawn; any number of times
/// where no more probes come in than go out.
pub(super) fn uses(n_hosts: usize, random: &mut Random) -> usize {
    let room = 1.0 - POOL_MAX as f64 / n_hosts.max(1) as f64;
    let surplus = room * super::PROBES as f64 - super::REMOVED as f64;
    if surplus <= 0.0 {
        return usize::MAX;
    }
    let uses = ((1.0 + SURPLUS) / surplus).max(1.0);
    uses as usize + usize::from(random.unit() < uses.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pool of hosts with these requests in flight and latencies, that arrived in this order.
    fn pool(probes: &[(u32, f64)]) -> Pool {
        let mut pool = Pool::default();
        for (host, (in_flight, latency)) in probes.iter().enumerate() {
            let (in_flight, latency, at) = (*in_flight, *latency, host as f64 * 0.01);
            pool.add(Probe { host, in_flight, latency, at, uses: 0 });
        }
        pool
    }

    #[test]
    fn the_fastest_cold_one_wins() {
        // Of 1, 2, 3, 9 the quantile is 9 at place ceil(0.84 x 4) = 4: none is hot.
        assert_eq!(pool(&[(1, 9.0), (2, 4.0), (3, 8.0), (9, 5.0)]).take(9), Some(1));
        // Of seven, it is the sixth: 3. The one with 9 is hot, however fast.
        let probes = [(1, 9.0), (1, 7.0), (1, 7.0), (2, 4.0), (2, 6.0), (3, 8.0), (9, 1.0)];
        assert_eq!(pool(&probes).take(9), Some(3));
    }

    #[test]
    fn the_least_busy_hot_one_wins_where_all_are_hot() {
        let mut pool = pool(&[(5, 1.0), (4, 2.0)]);
        pool.seen = VecDeque::from([1, 1, 1]);
        assert_eq!(pool.take(9), Some(1));
    }

    #[test]
    fn a_use_counts_as_a_request_and_uses_up_the_probe() {
        let mut pool = pool(&[(1, 1.0), (1, 2.0), (1, 3.0)]);
        assert_eq!(pool.take(2), Some(0));
        assert_eq!(pool.take(2), Some(1), "host 0 is hot with its second request");
        assert_eq!(pool.len(), 3);
        assert_eq!(pool.take(2), Some(2));
        assert_eq!(pool.take(2), Some(0), "all are hot and as busy: the fastest");
        assert_eq!(pool.len(), 2);
    }

    #[test]
    fn the_oldest_and_the_worst_are_removed_in_turn() {
        let mut pool = pool(&[(1, 1.0), (1, 5.0), (1, 2.0), (1, 3.0)]);
        pool.remove();
        pool.remove();
        let left: Vec<usize> = pool.probes.iter().map(|probe| probe.host).collect();
        assert_eq!(left, [2, 3]);
    }

    #[test]
    fn the_hottest_is_worse_than_the_slowest() {
        let mut pool = pool(&[(7, 1.0), (1, 5.0)]);
        pool.seen = VecDeque::from([1, 1, 1]);
        assert_eq!(pool.worst(), 0);
    }

    #[test]
    fn probes_age_and_make_room() {
        let mut pool = pool(&[(1, 1.0); 20]);
        assert_eq!(pool.len(), 16);
        assert_eq!(pool.probes[0].host, 4);
        pool.expire(1.055, |host| host != 19);
        assert_eq!(pool.probes[0].host, 6);
        assert_eq!(pool.len(), 13);
    }

    #[test]
    fn the_limit_of_reuse_is_that_of_the_paper() {
        // (1 + 1) / ((1 - 16/100) x 3 - 1) = 1.316.
        let mut random = Random::new(1);
        let drawn: usize = (0..1000).map(|_| uses(100, &mut random)).sum();
        assert!((1270..1360).contains(&drawn), "{drawn}");
        assert_eq!(uses(8, &mut random), usize::MAX);
    }
}
