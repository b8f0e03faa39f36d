//! The rounds of each proxy and load in one row.

use serde::Serialize;

use super::{Against, Slice};
use crate::compare::Spread;
use crate::load::{ClassResult, LoadResult};

/// One proxy at one load, over all rounds; times in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SchedulingRow {
    /// `scheduling` or `services`.
    pub experiment: &'static str,
    /// Its name.
    pub proxy: &'static str,
    /// Arrivals as a fraction of the capacity.
    pub load: f64,
    /// Arrivals per second.
    pub rate: f64,
    /// How many rounds.
    pub rounds: usize,
    /// Requests of all rounds.
    pub requests: u64,
    /// Those without a right answer.
    pub failed: u64,
    /// Right answers per second.
    pub throughput: Spread,
    /// CPU microseconds of the proxy for each request.
    pub proxy_cpu_micros: Spread,
    /// CPU microseconds of the workers for each request.
    pub workers_cpu_micros: Spread,
    /// All requests.
    pub all: ClassSpread,
    /// The smaller half of them.
    pub smaller_half: ClassSpread,
    /// Classes of equal number by service time alone, the smallest first.
    pub classes: Vec<ClassSpread>,
    /// Weighbridge against the best of the others at this load.
    pub against_best_peer: Option<Against>,
}

/// One size class; times in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassSpread {
    /// Its name.
    pub class: String,
    /// Longest service time alone.
    pub alone_max: f64,
    /// Mean response time.
    pub mean_response: Spread,
    /// 99 % were answered within this.
    pub p99_response: Spread,
    /// Mean of response time / service time alone.
    pub mean_slowdown: Spread,
    /// 99 % had less.
    pub p99_slowdown: Spread,
}

/// One row for each load and proxy, in that order.
pub(in crate::compare) fn of(
    experiment: &'static str,
    slices: &[Slice],
    loads: &[f64],
    proxies: &[&'static str],
) -> Vec<SchedulingRow> {
    let keys = loads.iter().flat_map(|load| proxies.iter().map(move |proxy| (*load, *proxy)));
    keys.map(|(load, proxy)| {
        let is_of = |slice: &&Slice| slice.proxy == proxy && slice.load.to_bits() == load.to_bits();
        row(experiment, &slices.iter().filter(is_of).collect::<Vec<_>>(), load, proxy)
    })
    .collect()
}

fn row(
    experiment: &'static str,
    slices: &[&Slice],
    load: f64,
    proxy: &'static str,
) -> SchedulingRow {
    let spread =
        |value: &dyn Fn(&Slice) -> f64| Spread::of(slices.iter().map(|slice| value(slice)));
    let micros = |seconds: f64, slice: &Slice| seconds * 1e6 / slice.result.requests.max(1) as f64;
    let class = |pick: &dyn Fn(&LoadResult) -> &ClassResult| {
        class(&slices.iter().map(|slice| pick(&slice.result)).collect::<Vec<_>>())
    };
    let n_classes = slices.iter().map(|slice| slice.result.classes.len()).min().unwrap_or(0);
    SchedulingRow {
        experiment,
        proxy,
        load,
        rate: slices.first().map_or(0.0, |slice| slice.rate),
        rounds: slices.len(),
        requests: slices.iter().map(|slice| slice.result.requests).sum(),
        failed: slices.iter().map(|slice| slice.result.errors.total()).sum(),
        throughput: spread(&|slice| slice.result.throughput),
        proxy_cpu_micros: spread(&|slice| micros(slice.proxy_cpu, slice)),
        workers_cpu_micros: spread(&|slice| micros(slice.workers_cpu, slice)),
        all: class(&|result| &result.all),
        smaller_half: class(&|result| &result.smaller_half),
        classes: (0..n_classes).map(|index| class(&|result| &result.classes[index])).collect(),
        against_best_peer: None,
    }
}

fn class(rounds: &[&ClassResult]) -> ClassSpread {
    let spread = |value: fn(&ClassResult) -> f64| Spread::of(rounds.iter().map(|one| value(one)));
    ClassSpread {
        class: rounds.first().map(|one| one.class.clone()).unwrap_or_default(),
        alone_max: rounds.first().map_or(0.0, |one| one.alone_max),
        mean_response: spread(|one| one.mean_response),
        p99_response: spread(|one| one.p99_response),
        mean_slowdown: spread(|one| one.mean_slowdown),
        p99_slowdown: spread(|one| one.p99_slowdown),
    }
}
