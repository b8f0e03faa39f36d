//! How good is this host? One file a weigher, all in seconds: a weight is a delay, negative.

mod added_delay;
mod failures;
mod price;
mod round_trip;
mod warm_up;

use std::fmt::Debug;

use super::{BATCH, Batch, Demand};
use crate::fleet::Glance;
use crate::host::HostState;
use crate::units::Seconds;

/// Every weigher there is. To add one: a file beside the others, and a line here.
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

    /// The weight of `host`; higher is better. Finite, and not above zero.
    fn weight(&self, demand: &Demand<'_>, host: &HostState) -> Seconds;

    /// Adds `multiplier` times the most that the weight of a host of each of `glances` can be, by
    /// real numbers. It may be anything above the weight: the nearer, the fewer hosts need to be
    /// looked at. Nothing is added where it may be 0.
    fn bound(&self, _: &Demand<'_>, _: &[Glance], _multiplier: f64, _most: &mut [f64]) {}

    /// Adds `multiplier` times the weight of each host of `batch` that is kept to its place in
    /// `weights`.
    fn weigh(
        &self,
        demand: &Demand<'_>,
        batch: Batch<'_>,
        multiplier: f64,
        weights: &mut [f64; BATCH],
    ) {
        for (bit, host) in batch.kept() {
            weights[bit] += multiplier * self.weight(demand, host).0;
        }
    }
}

/// Adds `multiplier` times what `weight` says of each of `glances` to its place in `most`.
fn add_each(
    glances: &[Glance],
    multiplier: f64,
    most: &mut [f64],
    weight: impl Fn(&Glance) -> Seconds,
) {
    for (most, glance) in most.iter_mut().zip(glances) {
        *most += multiplier * weight(glance).0;
    }
}

/// The weigher of that name.
pub fn by_name(name: &str) -> Option<&'static dyn Weigher> {
    ALL.iter().copied().find(|weigher| weigher.name() == name)
}
