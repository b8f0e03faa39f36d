//! Round robin: each request goes to the next host.

use weighbridge_core::random::Random;

use super::{Dispatcher, Policy, RequestView, Shape, Sight};

pub(super) const POLICY: Policy = Policy {
    name: "round_robin",
    about: "the next host in turn",
    shape: Shape::ORDINARY,
    make: || Box::new(RoundRobin::default()),
};

/// See the module.
#[derive(Debug, Default)]
struct RoundRobin {
    next: usize,
}

impl Dispatcher for RoundRobin {
    fn choose(&mut self, _: &RequestView, sight: &Sight<'_>, _: &mut Random) -> Option<usize> {
        let n_hosts = sight.hosts.len();
        let turns = (0..n_hosts).map(|turn| (self.next + turn) % n_hosts);
        let host = turns.into_iter().find(|host| sight.hosts[*host].up)?;
        self.next = (host + 1) % n_hosts;
        Some(host)
    }
}
