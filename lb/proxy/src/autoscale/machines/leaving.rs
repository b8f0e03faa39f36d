//! Hosts that say themselves that they take nothing more: their machine is taken back, say.

use weighbridge_core::balancer::Balancer;
use weighbridge_core::host::{HostId, Phase};

use super::Executor;

impl Executor {
    /// The worker of `host` says that it takes nothing more. It drains here too, so that the next
    /// plan launches another one. What follows from the next list of machines ends its machine,
    /// after its last request.
    pub(crate) fn leaves(&self, host: HostId) {
        let is_active = |balancer: &Balancer, _| {
            balancer.host(host).is_some_and(|state| state.phase == Phase::Active)
        };
        if !self.decide.look(is_active) || !self.ledger().drain(host) {
            return;
        }
        tracing::warn!(host = host.0, "a host takes nothing more, and drains");
        self.metrics.scaled("drain", "leaves");
        self.decide.with(|balancer, now| balancer.drain(now, host));
    }
}
