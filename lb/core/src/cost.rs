//! Turns measured counts into [`Work`].
//!
//! # Decision: work is priced from counts
//!
//! Workers count instructions, basic blocks, functions and bytes of each request. The prices of
//! these counts are learned from many requests, and the work of one request is the sum of its
//! priced counts. The reason: CPU time depends on the neighbours on the machine, counts do not, so
//! the learned target has less noise. Until there are prices, and where a host counts nothing, work
//! is CPU time multiplied by the host's speed. A host that reports no cost teaches nothing. Cost:
//! counting builds of the worker (`instrument/README.md`). Look again when CPU time proves good
//! enough.

use serde::{Deserialize, Serialize};

use crate::estimate::regress::{Design, Solver};
use crate::observe::RequestCost;
use crate::statistics::median;
use crate::units::{Speed, Work};

#[cfg(test)]
mod tests;

/// What each count is worth, in CPU-seconds of the reference core; none below zero.
///
/// work = per request + Σ price x count
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pricing {
    /// Counts of this build only.
    build: u64,
    /// Of a request, before its counts.
    per_request: f64,
    /// Of instructions, blocks, methods, bytes.
    per_count: [f64; COUNTS],
}

/// How many counts there are: instructions, blocks, methods, bytes.
pub(crate) const COUNTS: usize = 4;

/// The fewest requests that prices are learned from.
pub(crate) const ROWS_MIN: usize = 30;

/// Prices that miss the CPU time by more than this (median, relative) are not used.
const ERROR_MAX: f64 = 0.5;

/// Requests whose CPU time is off by more than this many medians are left out of the second fit:
/// an interrupt, a page fault storm, a noisy neighbour.
const OUTLIER: f64 = 4.0;

impl Pricing {
    /// Learns prices from costs and the speeds of the cores that they were measured on. `None`
    /// where there are too few, or where the counts do not explain the CPU time.
    pub fn fit(build: u64, costs: &[(RequestCost, Speed)]) -> Option<Pricing> {
        let costs: Vec<(&RequestCost, f64)> = costs
            .iter()
            .filter_map(|(cost, speed)| Some((cost, by_cpu_time(cost, *speed)?.as_cpu_secs())))
            .filter(|(_, cpu_secs)| 0.0 < *cpu_secs)
            .collect();
        let first = Pricing::fit_once(build, &costs)?;
        let error = first.error(&costs)?;
        let near: Vec<_> = costs
            .iter()
            .filter(|(cost, cpu_secs)| first.miss(cost, *cpu_secs) <= error * OUTLIER + 1e-9)
            .copied()
            .collect();
        let pricing = Pricing::fit_once(build, &near).unwrap_or(first);
        (pricing.error(&costs)? <= ERROR_MAX).then_some(pricing)
    }

    fn fit_once(build: u64, costs: &[(&RequestCost, f64)]) -> Option<Pricing> {
        if costs.len() < ROWS_MIN {
            return None;
        }
        let used: [bool; COUNTS] = std::array::from_fn(|index| {
            costs.iter().all(|(cost, _)| counts(cost)[index].is_some())
        });
        if used == [false; COUNTS] {
            return None;
        }
        let row = |cost: &RequestCost| {
            let counts = counts(cost);
            let used = (0..COUNTS).map(|i| if used[i] { counts[i].unwrap_or(0.0) } else { 0.0 });
            used.chain([1.0]).collect::<Vec<f64>>()
        };
        let targets: Vec<f64> = costs.iter().map(|(_, cpu_secs)| *cpu_secs).collect();
        let design = Design::new(costs.iter().map(|(cost, _)| row(cost)));
        let prices = design.relative(&targets, Solver::NotNegative)?;
        let per_count: [f64; COUNTS] = std::array::from_fn(|index| prices[index]);
        let says_something = per_count.iter().any(|price| 0.0 < *price);
        says_something.then(|| Pricing { build, per_request: prices[COUNTS], per_count })
    }

    /// The build whose counts it prices.
    pub fn build(&self) -> u64 {
        self.build
    }

    /// What the counts are worth. `None` where one that has a price is missing.
    pub fn work(&self, cost: &RequestCost) -> Option<Work> {
        let mut cpu_secs = self.per_request;
        for (price, count) in self.per_count.iter().zip(counts(cost)) {
            if *price != 0.0 {
                cpu_secs += price * count?;
            }
        }
        Work::from_cpu_secs(cpu_secs)
    }

    /// Whether every price is a number and not below zero.
    pub(crate) fn is_sound(&self) -> bool {
        let prices = self.per_count.iter().chain([&self.per_request]);
        prices.into_iter().all(|price| price.is_finite() && 0.0 <= *price)
    }

    /// How far off the CPU time is, as a fraction of the price.
    fn miss(&self, cost: &RequestCost, cpu_secs: f64) -> f64 {
        let work = self.work(cost).unwrap_or(Work::ZERO).as_cpu_secs();
        (cpu_secs / work - 1.0).abs()
    }

    fn error(&self, costs: &[(&RequestCost, f64)]) -> Option<f64> {
        let misses: Vec<f64> = costs.iter().map(|(cost, secs)| self.miss(cost, *secs)).collect();
        median(&misses).filter(|error| error.is_finite())
    }
}

/// The counts of a cost, where they are usable.
pub(crate) fn counts(cost: &RequestCost) -> [Option<f64>; COUNTS] {
    [cost.instructions, cost.basic_blocks, cost.methods, cost.bytes_allocated]
        .map(|count| count.filter(|count| count.is_finite() && 0.0 <= *count))
}

/// Whether a cost counts anything.
pub(crate) fn is_counted(cost: &RequestCost) -> bool {
    counts(cost).iter().any(Option::is_some)
}

/// CPU time on a core of that speed as work. `None` where it was not measured.
pub fn by_cpu_time(cost: &RequestCost, speed: Speed) -> Option<Work> {
    Work::from_cpu_secs(cost.cpu_seconds? * speed.as_reference_cores())
}
