//! Weighbridge against the best of the others.

use serde::Serialize;

use super::{ClassSpread, SchedulingRow};

/// Factors between Weighbridge and the best peer in each respect, of medians; above 1 is better
/// where it says so.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Against {
    /// Mean slowdown of the best peer / ours: above 1 is better.
    pub mean_slowdown: f64,
    /// Which peer that is.
    pub mean_slowdown_peer: &'static str,
    /// p99 response of the smaller half under the best peer / ours: above 1 is better.
    pub smaller_half_p99: f64,
    /// Which peer that is.
    pub smaller_half_p99_peer: &'static str,
    /// Mean response of a size class, ours / under its best peer: above 1 is worse. The worst
    /// class; the goal is 1.1 at most.
    pub worst_class_response: f64,
    /// Which class that is.
    pub worst_class: String,
}

/// What Weighbridge, as it is called there, is meant to reach against the best peer.
#[derive(Debug, Clone, Copy)]
pub(in crate::compare) struct Goal {
    /// Its name in the rows.
    pub(in crate::compare) proxy: &'static str,
    /// Of [`Against::mean_slowdown`].
    pub(in crate::compare) mean_slowdown: f64,
    /// Of [`Against::smaller_half_p99`].
    pub(in crate::compare) smaller_half_p99: f64,
}

/// Fills in `against_best_peer` of the rows that have a goal; the others are the peers.
pub(in crate::compare) fn judge(rows: &mut [SchedulingRow], goals: &[Goal]) {
    let judged: Vec<Option<Against>> = rows.iter().map(|row| against(row, rows, goals)).collect();
    for (row, against) in rows.iter_mut().zip(judged) {
        row.against_best_peer = against;
    }
}

fn against(ours: &SchedulingRow, rows: &[SchedulingRow], goals: &[Goal]) -> Option<Against> {
    let is_ours = |row: &SchedulingRow| goals.iter().any(|goal| goal.proxy == row.proxy);
    if !is_ours(ours) {
        return None;
    }
    let is_peer = |row: &&SchedulingRow| !is_ours(row) && row.load.to_bits() == ours.load.to_bits();
    let peers: Vec<&SchedulingRow> = rows.iter().filter(is_peer).collect();
    let slowdown = |row: &SchedulingRow| row.all.mean_slowdown.median;
    let small = |row: &SchedulingRow| row.smaller_half.p99_response.median;
    let (slowdown_peer, best_slowdown) = least(&peers, &slowdown)?;
    let (small_peer, best_small) = least(&peers, &small)?;
    let (worst_class, worst_class_response) = worst(ours, &peers)?;
    Some(Against {
        mean_slowdown: best_slowdown / slowdown(ours),
        mean_slowdown_peer: slowdown_peer,
        smaller_half_p99: best_small / small(ours),
        smaller_half_p99_peer: small_peer,
        worst_class_response,
        worst_class,
    })
}

/// The peer with the least `value`, and the value.
fn least(
    peers: &[&SchedulingRow],
    value: &dyn Fn(&SchedulingRow) -> f64,
) -> Option<(&'static str, f64)> {
    let values = peers.iter().map(|row| (row.proxy, value(row)));
    values.min_by(|(_, one), (_, other)| one.total_cmp(other))
}

/// The class where our mean response is worst relative to the best peer's, and the factor.
fn worst(ours: &SchedulingRow, peers: &[&SchedulingRow]) -> Option<(String, f64)> {
    let factor = |(index, class): (usize, &ClassSpread)| {
        let of_peer = |row: &SchedulingRow| row.classes[index].mean_response.median;
        let (_, best) = least(peers, &of_peer)?;
        Some((class.class.clone(), class.mean_response.median / best))
    };
    let factors = ours.classes.iter().enumerate().filter_map(factor);
    factors.max_by(|(_, one), (_, other)| one.total_cmp(other))
}
