//! Who of several balancers scales the fleet and trains the models: the holder of a lease.
//!
//! A lease is taken for a while and renewed. Each taking by another holder has a larger fence, so
//! that what an earlier holder still sends can be told from what the present one does (Gray and
//! Cheriton, "Leases", SOSP 1989).

use std::time::Duration;

use async_trait::async_trait;

/// Grows with each new holder of a lease; from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence(pub u64);

/// Keeps leases, where all balancers see them.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes or renews the lease `name` for `holder` until `term` from now; `None` while another
    /// has it.
    async fn take(
        &self,
        name: &str,
        holder: &str,
        term: Duration,
    ) -> Result<Option<Fence>, LeaseError>;

    /// Gives the lease back, if `holder` has it.
    async fn give_back(&self, name: &str, holder: &str) -> Result<(), LeaseError>;
}

/// Why nobody knows who has a lease. May pass.
#[derive(Debug, thiserror::Error)]
#[error("the leases cannot be reached")]
pub struct LeaseError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Whether this balancer leads.
#[derive(Debug)]
pub(crate) struct Leadership {
    fence: Option<Fence>,
}

impl Leadership {
    /// There is no other balancer.
    pub(crate) fn alone() -> Leadership {
        Leadership { fence: Some(Fence(1)) }
    }

    /// The fence of the lease, while this balancer holds it.
    pub(crate) fn fence(&self) -> Option<Fence> {
        self.fence
    }
}
