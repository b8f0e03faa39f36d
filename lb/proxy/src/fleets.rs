//! The fleets: each has a balancer of its own, which decides for the routes that it serves.
//!
//! So a fleet that is full holds up nobody else's requests: its waiting room, its retries and the
//! size of its hosts are its own. A route has one fleet, and its model lives there.

use std::sync::Arc;

use tokio::sync::Notify;

use weighbridge_core::balancer::{Balancer, Policy};
use weighbridge_core::host::HostId;
use weighbridge_core::request::RouteId;

use crate::config::Config;
use crate::decide::{Bells, Decide};

/// So many hosts may join a fleet before their numbers are another one's.
const HOSTS_PER_FLEET: u32 = 1 << 24;

/// See the module.
#[derive(Debug)]
pub(crate) struct Fleets {
    /// In the order of [`FleetIndex`](crate::config::FleetIndex); at least one.
    all: Vec<Arc<Decide>>,
    /// The fleet of each route.
    of_routes: Vec<usize>,
    bells: Bells,
}

impl Fleets {
    /// The fleets of `config`, without hosts. `seed` is the source of their random choices.
    pub(crate) fn new(config: &Config, seed: u64) -> Fleets {
        let bells = Bells::default();
        let fleet = |nth| fleet(config, nth, (seed, &bells));
        let all = (0..=config.fleets.len()).map(fleet).collect();
        Fleets { all, of_routes: of_routes(config), bells }
    }

    /// The fleets of `config`, which follows the one that these are of: the same ones, by other
    /// policies, and new ones. What was learned of a route goes with it to another fleet.
    pub(crate) fn followed_by(&self, config: &Config, seed: u64) -> Fleets {
        let bells = self.bells.clone();
        let new = self.all.len()..=config.fleets.len();
        let new = new.map(|nth| fleet(config, nth, (seed, &bells)));
        let all: Vec<Arc<Decide>> = self.all.iter().cloned().chain(new).collect();
        for (nth, decide) in self.all.iter().enumerate() {
            decide.with(|balancer, now| balancer.reconfigure(now, policy(config, nth)));
        }
        let following = Fleets { all, of_routes: of_routes(config), bells };
        for (nth, before) in self.of_routes.iter().enumerate() {
            let route = RouteId(u16::try_from(nth).unwrap_or(u16::MAX));
            if following.of_routes.get(nth) != Some(before) {
                let learned = self.of(route).look(|balancer, _| balancer.learned(route));
                following.of(route).with(|balancer, _| balancer.take_over(route, learned));
            }
        }
        following
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

    /// Told when a request gives back what it held of any fleet.
    pub(crate) fn freed(&self) -> &Arc<Notify> {
        &self.bells.freed
    }

    /// Told when a request of any fleet begins to wait.
    pub(crate) fn waits(&self) -> &Notify {
        &self.bells.waits
    }

    /// All of them, the main one first.
    pub(crate) fn all(&self) -> &[Arc<Decide>] {
        &self.all
    }
}

/// The fleet at `nth` place of [`FleetIndex`](crate::config::FleetIndex), without hosts.
fn fleet(config: &Config, nth: usize, (seed, bells): (u64, &Bells)) -> Arc<Decide> {
    let number = u32::try_from(nth).unwrap_or(u32::MAX);
    let mut balancer = Balancer::new(policy(config, nth), seed.wrapping_add(u64::from(number)));
    balancer.number_hosts_from(number.saturating_mul(HOSTS_PER_FLEET));
    Decide::new(balancer, bells.clone())
}

/// What steers the fleet at `nth` place.
fn policy(config: &Config, nth: usize) -> Policy {
    let mut policy = config.policy.clone();
    if nth != 0 {
        // Functions take what the main fleet cannot.
        policy.lambda = None;
    }
    policy
}

fn of_routes(config: &Config) -> Vec<usize> {
    config.routes.iter().map(|route| route.fleet.0).collect()
}
