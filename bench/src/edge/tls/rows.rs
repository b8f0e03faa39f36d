//! The rounds of each proxy and kind of work in one row.

use serde::Serialize;

use super::drive::{Driven, Work};
use crate::compare::{Proxy, Spread};

/// One proxy at one kind of work, over all rounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TlsRow {
    /// What was done.
    pub test: &'static str,
    /// By which proxy.
    pub proxy: &'static str,
    /// How many rounds.
    pub rounds: usize,
    /// How often it was done.
    pub requests: u64,
    /// How often it failed.
    pub failed: u64,
    /// How often a second.
    pub per_second: Spread,
    /// How often for each CPU second of the proxy.
    pub per_cpu_second: Spread,
    /// CPU microseconds of the proxy for each.
    pub cpu_micros: Spread,
    /// The same over that of the better of nginx and `HAProxy` in the same round; `None` where
    /// neither is there.
    pub over_better: Option<Spread>,
}

/// One proxy in one round at one kind of work.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) proxy: Proxy,
    pub(super) work: Work,
    pub(super) round: u32,
    pub(super) driven: Driven,
}

/// One row for each of `proxies`.
pub(super) fn of(slices: &[Slice], work: Work, proxies: &[Proxy]) -> Vec<TlsRow> {
    let slices: Vec<&Slice> = slices.iter().filter(|slice| slice.work == work).collect();
    proxies.iter().map(|proxy| row(&slices, *proxy, work)).collect()
}

fn row(all: &[&Slice], proxy: Proxy, work: Work) -> TlsRow {
    let slices: Vec<&Slice> = all.iter().filter(|slice| slice.proxy == proxy).copied().collect();
    let spread = |value: &dyn Fn(&Driven) -> f64| {
        Spread::of(slices.iter().map(|slice| value(&slice.driven)))
    };
    let over = |slice: &&Slice| Some(micros(&slice.driven) / better(all, slice.round)?);
    let over: Vec<f64> = slices.iter().filter_map(over).collect();
    TlsRow {
        test: work.name(),
        proxy: proxy.name(),
        rounds: slices.len(),
        requests: slices.iter().map(|slice| slice.driven.done).sum(),
        failed: slices.iter().map(|slice| slice.driven.failed).sum(),
        per_second: spread(&|driven| driven.done as f64 / driven.time.as_secs_f64()),
        per_cpu_second: spread(&|driven| 1e6 / micros(driven)),
        cpu_micros: spread(&micros),
        over_better: (!over.is_empty()).then(|| Spread::of(over.into_iter())),
    }
}

/// CPU microseconds of the better of the others in `round`.
fn better(all: &[&Slice], round: u32) -> Option<f64> {
    let others = all.iter().filter(|slice| slice.round == round);
    let others = others.filter(|slice| matches!(slice.proxy, Proxy::Nginx | Proxy::HaProxy));
    others.map(|slice| micros(&slice.driven)).min_by(f64::total_cmp)
}

fn micros(driven: &Driven) -> f64 {
    driven.cpu * 1e6 / driven.done.max(1) as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn slice(proxy: Proxy, round: u32, cpu: f64) -> Slice {
        let driven = Driven { done: 1000, failed: 1, time: Duration::from_secs(2), cpu };
        Slice { proxy, work: Work::Whole, round, driven }
    }

    #[test]
    fn each_round_is_compared_with_the_better_of_the_others_in_it() {
        let slices = [
            slice(Proxy::Nginx, 0, 1.0),
            slice(Proxy::HaProxy, 0, 2.0),
            slice(Proxy::Weighbridge, 0, 1.5),
            slice(Proxy::Nginx, 1, 4.0),
            slice(Proxy::HaProxy, 1, 2.0),
            slice(Proxy::Weighbridge, 1, 1.0),
        ];
        let proxies = [Proxy::Nginx, Proxy::HaProxy, Proxy::Weighbridge];
        let rows = of(&slices, Work::Whole, &proxies);
        let over: Vec<_> = rows.iter().filter_map(|row| Some(row.over_better?.median)).collect();
        assert_eq!(over, [1.5, 1.5, 1.0]);
        let ours = &rows[2];
        assert_eq!((ours.requests, ours.failed, ours.rounds), (2000, 2, 2));
        assert_eq!(ours.cpu_micros, Spread { median: 1250.0, least: 1000.0, most: 1500.0 });
        assert!((ours.per_second.median - 500.0).abs() < 1e-9);
        assert!(of(&slices, Work::Resumed, &[Proxy::Nginx])[0].over_better.is_none());
    }
}
