//! Puts together what carries out scale plans, for each kind of fleet.

use std::sync::Arc;
use std::time::Duration;

use weighbridge_core::host::HostSpec;
use weighbridge_core::units::Speed;

use super::{PROBE_TIMEOUT, ServerError};
use crate::autoscale::{Executor, machines, processes};
use crate::config::{Config, FleetSource, LocalFleet};
use crate::fleet::Fleet;
use crate::fleet::machines::Machines;
use crate::fleet::probe::Probe;
use crate::front::Front;
use crate::lease::Leadership;

/// What carries out scale plans; nothing where the fleet is static. `shared`: there may be other
/// balancers.
pub(super) fn of(
    front: &Front,
    fleet: Option<Arc<dyn Fleet>>,
    rented: Option<Arc<dyn Machines>>,
    shared: bool,
    leadership: Arc<Leadership>,
) -> Result<Option<Executor>, ServerError> {
    let config = match front.config.fleet.source() {
        FleetSource::Listed(_) => return Ok(None),
        FleetSource::Processes(local) => {
            let fleet = fleet.ok_or(ServerError::NoFleet)?;
            return Ok(Some(Executor::Processes(Arc::new(of_processes(front, local, fleet)))));
        }
        FleetSource::Rented(machine) => machine,
    };
    let rented = rented.ok_or(ServerError::NoMachines)?;
    let executor = machines::Executor {
        // The others look as often, and it takes them a moment.
        drain_min: if shared { config.poll + config.poll / 2 } else { Duration::ZERO },
        leadership,
        decide: front.dispatch.fleets.main().clone(),
        hosts: front.dispatch.hosts.clone(),
        metrics: front.ledger.metrics.clone(),
        probe: Probe::new(PROBE_TIMEOUT),
        machines: rented,
        spec: HostSpec {
            name: String::new(),
            cores: config.cores,
            speed: Speed::ONE,
            discipline: config.discipline,
            price: config.price,
        },
        poll: config.poll,
        drain_max: drain_max(&front.config),
        state: machines::MachineState::default(),
    };
    Ok(Some(Executor::Machines(Arc::new(executor))))
}

fn of_processes(front: &Front, local: &LocalFleet, fleet: Arc<dyn Fleet>) -> processes::Executor {
    processes::Executor {
        decide: front.dispatch.fleets.main().clone(),
        hosts: front.dispatch.hosts.clone(),
        metrics: front.ledger.metrics.clone(),
        probe: Probe::new(PROBE_TIMEOUT),
        fleet,
        spec: HostSpec {
            name: String::new(),
            cores: local.cores_per_worker,
            speed: Speed::ONE,
            discipline: Some(local.discipline),
            price: 1.0,
        },
        boot_timeout: front.config.policy.scale.boot_timeout,
        drain_max: drain_max(&front.config),
        state: processes::ProcessState::default(),
    }
}

/// How long a host that is not needed may take for what it has: as long as a request may.
fn drain_max(config: &Config) -> Duration {
    config.timeouts.drain.max(config.response_max())
}
