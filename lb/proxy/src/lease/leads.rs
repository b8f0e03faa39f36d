//! The tasks that only one of several balancers does.

use std::net::SocketAddr;
use std::sync::Arc;

use super::{Candidate, Leadership, Leases};
use crate::config::{Config, FleetConfig, FleetSource};
use crate::metrics::Metrics;

/// The lease of the balancer that sizes the fleet.
const SCALE: &str = "scale";

/// The lease of the balancer that trains models.
const TRAIN: &str = "train";

/// Whether this balancer leads, for each task, and the candidates that keep it up to date.
pub(crate) struct Leads {
    pub(crate) scale: Arc<Leadership>,
    pub(crate) train: Arc<Leadership>,
    pub(crate) candidates: Vec<Arc<Candidate>>,
}

impl Leads {
    /// Without `leases` a balancer is alone. `listen` names it in the leases, for people.
    pub(crate) fn new(
        leases: Option<&Arc<dyn Leases>>,
        config: &Config,
        listen: SocketAddr,
        metrics: &Arc<Metrics>,
    ) -> Leads {
        // Another start is another holder, though the address is the same.
        let holder = format!("{listen} {} {:016x}", std::process::id(), fastrand::u64(..));
        let mut candidates = Vec::new();
        let mut lead = |name, is_shared| {
            let Some(leases) = leases.filter(|_| is_shared).cloned() else {
                metrics.leading(name, true);
                return Arc::new(Leadership::alone());
            };
            let leadership = Arc::new(Leadership::candidate());
            candidates.push(Arc::new(Candidate {
                leases,
                name,
                holder: holder.clone(),
                term: config.store.lease_term,
                leadership: Arc::clone(&leadership),
                metrics: Arc::clone(metrics),
            }));
            leadership
        };
        let scale = lead(SCALE, shares_its_fleet(&config.fleet));
        let train = lead(TRAIN, true);
        Leads { scale, train, candidates }
    }
}

/// Whether other balancers have the same fleet: each has its own local one.
fn shares_its_fleet(fleet: &FleetConfig) -> bool {
    match fleet.source() {
        FleetSource::Listed(_) | FleetSource::Processes(_) => false,
        FleetSource::Rented(_) => true,
    }
}
