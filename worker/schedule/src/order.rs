//! The orders that requests run in.

mod fcfs;
mod ps;
mod srpt;

use std::fmt;

use crate::progress::Progress;

/// Every order there is. To add one: a file beside these, and a line here.
pub const ORDERS: &[&dyn Order] = &[&srpt::Srpt, &ps::Ps, &fcfs::Fcfs];

/// Which requests run, of those that could.
pub trait Order: fmt::Debug + Send + Sync {
    /// Unique, as in the configuration: `fcfs`.
    fn name(&self) -> &'static str;

    /// What it does, in a few words, for a list of all.
    fn about(&self) -> &'static str;

    /// The lowest run. Of equals, the one that runs already, then the one that came first. Depends
    /// on nothing else.
    fn rank(&self, progress: &Progress) -> f64;

    /// Whether a request that runs parks for one of a lower rank. Such an order may make a request
    /// wait for what came after it, so the age guard applies to it, and to no other.
    fn preempts(&self) -> bool;

    /// How many requests run at once.
    fn at_once(&self, slots: usize, started_max: usize) -> usize;
}

/// There is no order of that name. The configuration's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no discipline is called `{0}`: expected one of `{names}`", names = names().join("`, `"))]
pub struct UnknownOrder(String);

/// The order called `name`.
pub fn order(name: &str) -> Result<&'static dyn Order, UnknownOrder> {
    let known = ORDERS.iter().copied().find(|order| order.name() == name);
    known.ok_or_else(|| UnknownOrder(name.to_owned()))
}

fn names() -> Vec<&'static str> {
    ORDERS.iter().map(|order| order.name()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_found_by_a_name_of_its_own() {
        for one in ORDERS {
            assert_eq!(ORDERS.iter().filter(|other| other.name() == one.name()).count(), 1);
            assert_eq!(order(one.name()).map(Order::name), Ok(one.name()));
        }
    }

    #[test]
    fn an_unknown_name_is_told_of_with_all_that_are_known() {
        let error = order("lifo").unwrap_err().to_string();
        assert_eq!(error, "no discipline is called `lifo`: expected one of `srpt`, `ps`, `fcfs`");
    }
}
