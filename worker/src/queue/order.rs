//! The orders that requests run in.

use std::fmt;

use super::ticket::Ticket;
use super::{fcfs, ps, srpt};

/// Every order there is. To add one: a file beside this one, and a line here.
pub(super) const ALL: &[&dyn Order] = &[&srpt::Srpt, &ps::Ps, &fcfs::Fcfs];

/// Which requests run, of those that could.
pub(crate) trait Order: fmt::Debug + Send + Sync {
    /// Unique, as in the configuration: `fcfs`.
    fn name(&self) -> &'static str;

    /// The lowest run. Of equals, the one that runs already, then the one that came first.
    fn rank(&self, ticket: &Ticket) -> f64;

    /// Whether a request that runs parks for one of a lower rank. Such an order may make a request
    /// wait for what came after it, so the age guard applies to it, and to no other.
    fn preempts(&self) -> bool;

    /// How many requests run at once.
    fn at_once(&self, slots: usize, started_max: usize) -> usize;
}

/// The order called `name`.
pub(crate) fn order(name: &str) -> Option<&'static dyn Order> {
    ALL.iter().copied().find(|order| order.name() == name)
}

/// The names of all orders, for messages.
pub(crate) fn order_names() -> String {
    ALL.iter().map(|order| order.name()).collect::<Vec<_>>().join("`, `")
}
