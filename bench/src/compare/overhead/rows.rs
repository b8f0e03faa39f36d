//! The rounds of each proxy and setting in one row.

use serde::Serialize;

use super::hammer::{Hammered, Shape};
use super::{DIRECT, Direction};
use crate::compare::{Proxy, Spread};

/// One proxy, or none, in one setting, over all rounds; times in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OverheadRow {
    /// `overhead`.
    pub experiment: &'static str,
    /// Its name; `direct` is the server without a proxy.
    pub proxy: &'static str,
    /// Who sends the body.
    pub direction: Direction,
    /// Its length.
    pub body_bytes: usize,
    /// Connections at once.
    pub connections: u32,
    /// How many rounds.
    pub rounds: usize,
    /// Right answers of all rounds.
    pub requests: u64,
    /// Requests without one.
    pub failed: u64,
    /// Right answers per second.
    pub requests_per_second: Spread,
    /// CPU microseconds of the proxy for each request.
    pub cpu_micros: Option<Spread>,
    /// The same over the bare pingora proxy's in the same round.
    pub cpu_over_pingora: Option<Spread>,
    /// Median time to the end of an answer.
    pub p50: Spread,
    /// 99 % were answered within this.
    pub p99: Spread,
    /// Median less that without a proxy in the same round.
    pub added_p50: Option<Spread>,
    /// p99 less that without a proxy in the same round.
    pub added_p99: Option<Spread>,
}

/// One target in one round and setting.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) target: &'static str,
    pub(super) shape: Shape,
    pub(super) round: u32,
    pub(super) hammered: Hammered,
}

/// One row for each target in the setting `shape`.
pub(super) fn of(slices: &[Slice], shape: Shape, names: &[&'static str]) -> Vec<OverheadRow> {
    let named = |name: &str| -> Vec<&Slice> {
        slices.iter().filter(|slice| slice.shape == shape && slice.target == name).collect()
    };
    let (direct, pingora) = (named(DIRECT), named(Proxy::Pingora.name()));
    names.iter().map(|name| row(&named(name), name, &direct, &pingora)).collect()
}

fn row(slices: &[&Slice], name: &'static str, direct: &[&Slice], bare: &[&Slice]) -> OverheadRow {
    let spread = |value: &dyn Fn(&Hammered) -> f64| {
        Spread::of(slices.iter().map(|slice| value(&slice.hammered)))
    };
    // Of this and what is compared with, in the same round.
    let paired = |others: &[&Slice], value: &dyn Fn(&Hammered, &Hammered) -> f64| {
        let other = |round| others.iter().find(move |other| other.round == round);
        let pairs = slices.iter().filter_map(|slice| Some((slice, other(slice.round)?)));
        Spread::of(pairs.map(|(slice, other)| value(&slice.hammered, &other.hammered)))
    };
    let is_proxy = name != DIRECT;
    let shape = slices.first().map(|slice| slice.shape);
    OverheadRow {
        experiment: "overhead",
        proxy: name,
        direction: shape.map_or(Direction::Answer, |shape| shape.direction),
        body_bytes: shape.map_or(0, |shape| shape.body_bytes),
        connections: shape.map_or(0, |shape| shape.connections),
        rounds: slices.len(),
        requests: slices.iter().map(|slice| slice.hammered.answered).sum(),
        failed: slices.iter().map(|slice| slice.hammered.failed).sum(),
        requests_per_second: spread(&|one| one.answered as f64 / one.time.as_secs_f64()),
        cpu_micros: is_proxy.then(|| spread(&cpu_micros)),
        cpu_over_pingora: (is_proxy && !bare.is_empty())
            .then(|| paired(bare, &|one, bare| cpu_micros(one) / cpu_micros(bare))),
        p50: spread(&|one| one.p50),
        p99: spread(&|one| one.p99),
        added_p50: is_proxy.then(|| paired(direct, &|one, direct| one.p50 - direct.p50)),
        added_p99: is_proxy.then(|| paired(direct, &|one, direct| one.p99 - direct.p99)),
    }
}

fn cpu_micros(hammered: &Hammered) -> f64 {
    hammered.cpu * 1e6 / hammered.answered.max(1) as f64
}
