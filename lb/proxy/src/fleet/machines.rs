//! Hosts that are rented machines: they live on without the balancer, others may launch and end
//! them, and a call that asks for one may have worked although its answer was lost.

use std::net::SocketAddr;

use async_trait::async_trait;

/// Rents machines. Calls are retried and have timeouts; none is made while a request waits for it.
#[async_trait]
pub trait Machines: Send + Sync {
    /// Launches one machine. A repeat with the same token launches no second one, where the service
    /// can tell. Returns the machine, or `None` where which one it is will be seen only later.
    async fn launch(&self, token: &str) -> Result<Option<Machine>, MachineError>;

    /// Every machine of the fleet that is on, or about to be, whoever launched it.
    async fn discover(&self) -> Result<Discovered, MachineError>;

    /// Lets all balancers see that the machine `id` gets no further requests.
    async fn mark_draining(&self, id: &str) -> Result<(), MachineError>;

    /// Ends the machine `id`, which has no requests left. It may be kept, switched off, to be
    /// launched again, where it is `well`.
    async fn end(&self, id: &str, well: bool) -> Result<(), MachineError>;

    /// Lets go of machines that were kept and are more than are wanted now; says how many. Asked by
    /// who begins to scale, for then the configuration may be another.
    async fn tidy(&self) -> Result<usize, MachineError> {
        Ok(0)
    }
}

/// Measures from outside how busy the CPUs of machines are.
#[async_trait]
pub trait CpuMonitor: Send + Sync {
    /// The fraction of its CPU that each of the machines `ids` had busy of late, by id. Those of
    /// which nothing is known are left out.
    async fn utilization(&self, ids: &[String]) -> Result<Vec<(String, f64)>, MachineError>;
}

/// A rented machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its id, unique.
    pub id: String,
    /// The token of its launch, where that is known.
    pub token: Option<String>,
    /// Where its worker answers, once that is known.
    pub address: Option<SocketAddr>,
    /// Whether some balancer drains it.
    pub draining: bool,
}

/// What there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovered {
    /// Each machine that is on, or about to be.
    pub machines: Vec<Machine>,
    /// The least and the most machines that the service keeps, where it has bounds of its own.
    pub bounds: Option<(usize, usize)>,
}

/// Why a call had no effect, as far as is known.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// There are no machines to rent at the moment. Passes.
    #[error("there is no capacity for a machine")]
    NoCapacity(#[source] Cause),
    /// The service has bounds of its own, which the operator of it may change.
    #[error("the service keeps at most `{0}` machines")]
    Full(usize),
    /// The service cannot be reached, is overloaded or is out of order. Passes.
    #[error("the service cannot be used at the moment")]
    Unavailable(#[source] Cause),
    /// The service refuses: the configuration or the permissions are the operator's to mend.
    #[error("the service refuses")]
    Refused(#[source] Cause),
}

/// What the service, or the way to it, said.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;
