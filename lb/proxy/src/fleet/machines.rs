//! Hosts that are rented machines. They live on without the balancer. Others may launch and end
//! them. A call for a machine may have worked although its answer was lost.

use std::net::SocketAddr;

use async_trait::async_trait;

/// Rents machines. Calls are retried and have timeouts. No request waits for a call.
#[async_trait]
pub trait Machines: Send + Sync {
    /// Launches one machine. A second call with the same token launches no second machine, where
    /// the service knows tokens. Returns the machine, or `None` where only a later list says which
    /// machine it is.
    async fn launch(&self, token: &str) -> Result<Option<Machine>, MachineError>;

    /// Every machine of the fleet that runs or starts, also those that others launched.
    async fn discover(&self) -> Result<Discovered, MachineError>;

    /// Lets all balancers see that the machine `id` gets no further requests.
    async fn mark_draining(&self, id: &str) -> Result<(), MachineError>;

    /// Ends the machine `id`, which has no requests left. A machine that is `well` may be kept,
    /// switched off, and started again later.
    async fn end(&self, id: &str, well: bool) -> Result<(), MachineError>;

    /// Ends kept machines beyond the number that is wanted, and returns how many. A balancer that
    /// begins to scale calls it, because the configuration may have changed.
    async fn tidy(&self) -> Result<usize, MachineError> {
        Ok(0)
    }
}

/// Measures from outside how busy the CPUs of machines are.
#[async_trait]
pub trait CpuMonitor: Send + Sync {
    /// The fraction of CPU that each of the machines `ids` used lately, by id. Machines without
    /// data are left out.
    async fn utilization(&self, ids: &[String]) -> Result<Vec<(String, f64)>, MachineError>;
}

/// A rented machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its id, unique.
    pub id: String,
    /// The token of its launch, where that is known.
    pub token: Option<String>,
    /// The address of its worker, once that is known.
    pub address: Option<SocketAddr>,
    /// Whether a balancer drains it.
    pub draining: bool,
}

/// The machines that exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovered {
    /// Each machine that runs or starts.
    pub machines: Vec<Machine>,
    /// The smallest and largest number of machines that the service keeps, where it has bounds.
    pub bounds: Option<(usize, usize)>,
}

/// Why a call failed. As far as is known, it had no effect.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// There are no machines to rent at the moment. A later call may work.
    #[error("there is no capacity for a machine")]
    NoCapacity(#[source] Cause),
    /// The service has bounds of its own, which its operator can change.
    #[error("the service keeps at most `{0}` machines")]
    Full(usize),
    /// The service cannot be reached, is overloaded or broken. A later call may work.
    #[error("the service cannot be used at the moment")]
    Unavailable(#[source] Cause),
    /// The service refuses. The operator has to change the configuration or the permissions.
    #[error("the service refuses")]
    Refused(#[source] Cause),
}

/// What the service, or the way to it, said.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;
