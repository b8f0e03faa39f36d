//! Prequal (Wydrowski, Kleinberg, Rumble and Archer, "Load is not what you should balance:
//! Introducing Prequal", NSDI 2024): probes that run beside the requests, and the hot-cold
//! lexicographic rule.
//!
//! With each request, `PROBES` hosts drawn without replacement are asked for their requests in
//! flight (RIF) and a latency. The answers are kept in a pool. A probe is hot where its RIF is
//! above the `Q_RIF` quantile of recently seen RIFs, and cold otherwise. A request goes to the host
//! of the cold probe with the lowest latency; where all are hot, to that of the lowest RIF; with
//! fewer than two probes, to any host. The pool's parameters are those of the paper's testbed. The
//! paper leaves open over which span a host's latencies count, and how a latency at another number
//! in flight is converted: `host/history.rs` has our answer.
//!
//! The paper has many more replicas than the pool has room. In a smaller fleet a newer probe of a
//! host replaces the older one, and the limit of reuse is off.

mod pool;

use weighbridge_core::random::Random;

use super::super::choose;
use super::{Dispatcher, Policy, ProbeReply, RequestView, Shape, Sight};
use pool::{Pool, Probe};

pub(super) const POLICY: Policy = Policy {
    name: "prequal",
    about: "hot-cold lexicographic over a pool of probes (Wydrowski et al., NSDI'24)",
    shape: Shape::ORDINARY,
    make: || Box::new(Prequal::default()),
};

/// Probes that are sent with each request (`r_probe`).
const PROBES: usize = 3;

/// Probes that are removed with each request (`r_remove`).
const REMOVED: usize = 1;

/// Below so many probes any host is taken.
const POOL_MIN: usize = 2;

/// See the module.
#[derive(Debug, Default)]
struct Prequal {
    pool: Pool,
}

impl Dispatcher for Prequal {
    fn choose(&mut self, _: &RequestView, sight: &Sight<'_>, random: &mut Random) -> Option<usize> {
        self.pool.expire(sight.now, |host| sight.hosts[host].up);
        if self.pool.len() < POOL_MIN {
            return choose::any(sight, random);
        }
        let uses = pool::uses(sight.up().count(), random);
        let host = self.pool.take(uses)?;
        for _ in 0..REMOVED {
            self.pool.remove();
        }
        Some(host)
    }

    fn probes(&mut self, sight: &Sight<'_>, random: &mut Random) -> Vec<usize> {
        let mut probed = Vec::with_capacity(PROBES);
        // A host drawn twice is drawn again; a small fleet runs out of others.
        for _ in 0..4 * PROBES {
            let Some(host) = choose::any(sight, random) else { break };
            if !probed.contains(&host) {
                probed.push(host);
            }
            if probed.len() == PROBES {
                break;
            }
        }
        probed
    }

    fn probe_replied(&mut self, now: f64, host: usize, reply: &ProbeReply) {
        let ProbeReply { in_flight, latency } = *reply;
        self.pool.add(Probe { host, in_flight, latency, at: now, uses: 0 });
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::choose::testing::{Hosts, host, request};
    use super::*;

    #[test]
    fn a_request_goes_where_a_probe_says_and_removes_another() {
        let hosts = Hosts::of(vec![host(0), host(0), host(0), host(0)]);
        let mut policy = Prequal::default();
        for (host, latency) in [(0, 3.0), (1, 1.0), (2, 2.0)] {
            policy.probe_replied(0.0, host, &ProbeReply { in_flight: 1, latency });
        }
        let mut random = Random::new(1);
        assert_eq!(policy.choose(&request(1.0), &hosts.sight(), &mut random), Some(1));
        // The oldest, of host 0, has been removed; host 1 is hot with the request that it got.
        assert_eq!(policy.choose(&request(1.0), &hosts.sight(), &mut random), Some(2));
    }

    #[test]
    fn with_one_probe_any_host_is_taken() {
        let hosts = Hosts::of(vec![host(0), host(0), host(0), host(0)]);
        let mut policy = Prequal::default();
        policy.probe_replied(0.0, 2, &ProbeReply { in_flight: 0, latency: 0.0 });
        let mut random = Random::new(1);
        let chosen: std::collections::BTreeSet<usize> = (0..50)
            .filter_map(|_| policy.choose(&request(1.0), &hosts.sight(), &mut random))
            .collect();
        assert_eq!(chosen.len(), 4);
    }

    #[test]
    fn three_different_hosts_are_probed_where_there_are_three() {
        let mut random = Random::new(1);
        let many = Hosts::of(vec![host(0); 10]);
        for _ in 0..20 {
            let mut probed = Prequal::default().probes(&many.sight(), &mut random);
            probed.sort_unstable();
            probed.dedup();
            assert_eq!(probed.len(), 3);
        }
        let one = Hosts::of(vec![host(0)]);
        assert_eq!(Prequal::default().probes(&one.sight(), &mut random), [0]);
    }
}
