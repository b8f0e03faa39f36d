//! How good is this host? One file a weigher, all in seconds: a weight is a delay, negative.

mod added_delay;
mod failures;
mod price;
mod round_trip;
mod warm_up;

use std::fmt::Debug;

use super::{BLOCK, Block, Demand};
use crate::host::HostState;
use crate::units::Seconds;

/// Every weigher there is. To add one: a file beside this one's siblings, and a line here.
pub const ALL: &[&dyn Weigher] = &[
    &added_delay::AddedDelay,
    &warm_up::WarmUp,
    &failures::Failures,
    &round_trip::RoundTrip,
    &price::Price,
];

/// Says how good a host is.
pub trait Weigher: Debug + Sync {
    /// Its name in the configuration: that of its file.
    fn name(&self) -> &'static str;

    /// The weight of `host`; higher is better. Finite.
    fn weight(&self, demand: &Demand<'_>, host: &HostState) -> Seconds;

    /// Adds `multiplier` times the weight of each host of `block` that is kept to its place in
    /// `weights`.
    fn weigh(
        &self,
        demand: &Demand<'_>,
        block: Block<'_>,
        multiplier: f64,
        weights: &mut [f64; BLOCK],
    ) {
        for (bit, host) in block.kept() {
            weights[bit] += multiplier * self.weight(demand, host).0;
        }
    }
}

/// The weigher of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Weigher> {
    ALL.iter().copied().find(|weigher| weigher.name() == name)
}
