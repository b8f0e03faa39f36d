//! The fleets: each has a balancer of its own, which decides for the routes that it serves.
//!
//! So a fleet that is full holds up nobody else's requests: its waiting room, its retries and the
//! size of its hosts are its own. A route has one fleet, and its model lives there.

use std::sync::Arc;

use weighbridge_core::balancer::Balancer;
use weighbridge_core::host::HostId;
use weighbridge_core::request::RouteId;

use crate::config::Config;
use crate::decide::Decide;

/// So many hosts may join a fleet before their numbers are another one's.
const HOSTS_PER_FLEET: u32 = 1 << 24;

/// See the module.
#[derive(Debug)]
pub(crate) struct Fleets {
    /// In the order of [`FleetIndex`](crate::config::FleetIndex); at least one.
    all: Vec<Arc<Decide>>,
    /// The fleet of each route.
    of_routes: Vec<usize>,
}

impl Fleets {
    /// The fleets of `config`, without hosts. `seed` is the source of their random choices.
    pub(crate) fn new(config: &Config, seed: u64) -> Fleets {
        let fleet = |nth: u32| {
            let mut policy = config.policy.clone();
            if nth != 0 {
                // Functions take what the main fleet cannot.
                policy.lambda = None;
            }
            let mut balancer = Balancer::new(policy, seed.wrapping_add(u64::from(nth)));
            balancer.number_hosts_from(nth.saturating_mul(HOSTS_PER_FLEET));
            Decide::new(balancer)
        };
        let n_fleets = u32::try_from(config.fleets.len()).unwrap_or(0) + 1;
        let of_routes = config.routes.iter().map(|route| route.fleet.0).collect();
        Fleets { all: (0..n_fleets).map(fleet).collect(), of_routes }
    }

    /// The one in `[fleet]`.
    pub(crate) fn main(&self) -> &Arc<Decide> {
        &self.all[0]
    }

    /// The one that serves `route`.
    pub(crate) fn of(&self, route: RouteId) -> &Arc<Decide> {
        let index = self.of_routes.get(usize::from(route.0)).copied();
        index.and_then(|index| self.all.get(index)).unwrap_or(self.main())
    }

    /// The one that has `host`.
    pub(crate) fn of_host(&self, host: HostId) -> &Arc<Decide> {
        let index = usize::try_from(host.0 / HOSTS_PER_FLEET).unwrap_or_default();
        self.all.get(index).unwrap_or(self.main())
    }

    /// All of them, the main one first.
    pub(crate) fn all(&self) -> &[Arc<Decide>] {
        &self.all
    }
}
