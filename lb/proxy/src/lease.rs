//! Who of several balancers scales the fleet and trains the models: the holder of a lease.
//!
//! A lease is taken for a while and renewed. Each new holder has a larger fence, so that the writes
//! of an earlier holder can be told from those of the present one (Gray and Cheriton, "Leases",
//! SOSP 1989).
//!
//! # Decision: leases compare no clocks
//!
//! A balancer that wants a lease watches the lease's version. It takes the lease when the version
//! has not changed for the term that the holder stated, by the watcher's own clock, from when it
//! first saw the version. The holder believes in its lease for nine tenths of the term, from before
//! it wrote. So two clocks have to run equally fast to one part in ten, whatever time they show. A
//! model with a smaller fence than the kept model's is refused. Cost: a takeover takes a whole
//! term. Look again when a store offers leases of its own. A balancer with a local or static fleet
//! scales alone.

mod candidate;
mod leads;
#[cfg(test)]
mod tests;

use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::time::Instant;

pub(crate) use candidate::Candidate;
pub(crate) use leads::Leads;

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

/// It is not known who has a lease. A later call may work.
#[derive(Debug, thiserror::Error)]
#[error("the leases cannot be reached")]
pub struct LeaseError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Whether this balancer leads.
///
/// It leads from the grant of a lease until a little before the lease's end, by its own clock,
/// counted from before it asked. So another balancer can lead only later, however long the answer
/// took or this process slept, as long as both clocks run equally fast to one part in ten.
#[derive(Debug)]
pub(crate) struct Leadership {
    held: Mutex<Option<Held>>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    fence: Fence,
    /// `None`: for ever.
    until: Option<Instant>,
}

// === impl Leadership ===

impl Leadership {
    /// There is no other balancer.
    pub(crate) fn alone() -> Leadership {
        Leadership { held: Mutex::new(Some(Held { fence: Fence(1), until: None })) }
    }

    /// There may be other balancers. This one does not lead yet.
    pub(crate) fn candidate() -> Leadership {
        Leadership { held: Mutex::new(None) }
    }

    /// The fence of the lease, while this balancer holds it.
    pub(crate) fn fence(&self) -> Option<Fence> {
        self.held()
            .filter(|held| held.until.is_none_or(|until| Instant::now() < until))
            .map(|held| held.fence)
    }

    /// How long it leads unless the lease is renewed; `None` while it does not.
    fn left(&self) -> Option<Duration> {
        let until = self.held()?.until?;
        Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
    }

    fn hold(&self, held: Option<Held>) {
        *self.held.lock() = held;
    }

    fn held(&self) -> Option<Held> {
        *self.held.lock()
    }
}
