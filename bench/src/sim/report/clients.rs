//! What each client got.

use std::collections::BTreeMap;

use serde::Serialize;
use weighbridge_core::statistics::quantile;

use crate::sim::measure::{Measured, Record, mean};

/// What a client got by a policy, as one object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClientRow {
    /// The policy, as it was asked for.
    pub policy: String,
    /// The client's name; `all others` for all but the one with the largest share.
    pub client: String,
    /// Its requests that were measured.
    pub requests: usize,
    /// Of them, those that were refused or failed: they are in no mean and no quantile.
    pub unanswered: usize,
    /// The part of its requests that was answered, and in time.
    pub in_time: f64,
    /// Mean slowdown.
    pub mean_slowdown: f64,
    /// The slowdown that 99 % stay below.
    pub p99_slowdown: f64,
    /// Work that was answered until the last measured request came, in CPU-seconds of the reference
    /// core.
    pub cpu_seconds: f64,
}

/// The name of the row of all clients but the one with the largest share.
const OTHERS: &str = "all others";

// === impl ClientRow ===

impl ClientRow {
    /// A row for each client, in the order of the scenario, and one for all but the one with the
    /// largest share. None where they are not told apart.
    pub fn all(measured: &Measured) -> Vec<ClientRow> {
        let mut by_client: BTreeMap<u16, Vec<&Record>> = BTreeMap::new();
        for record in &measured.records {
            by_client.entry(record.client).or_default().push(record);
        }
        let row = |name: &str, records: &[&Record]| ClientRow::of(measured, name, records);
        let named = measured.clients.iter().zip(0_u16..);
        let mut rows: Vec<ClientRow> =
            named.filter_map(|(name, index)| Some(row(name, by_client.get(&index)?))).collect();
        if 1 < rows.len() {
            let others =
                measured.records.iter().filter(|record| record.client != measured.largest_client);
            rows.push(row(OTHERS, &others.collect::<Vec<_>>()));
        }
        rows
    }

    fn of(measured: &Measured, client: &str, records: &[&Record]) -> ClientRow {
        let slowdowns: Vec<f64> = records.iter().filter_map(|one| one.slowdown()).collect();
        let end = measured.records.last().map_or(0.0, |last| last.at);
        let is_done =
            |one: &&&Record| one.response.is_some_and(|response| one.at + response <= end);
        let n_in_time = records.iter().filter(|one| one.is_in_time()).count();
        ClientRow {
            policy: measured.policy.clone(),
            client: client.to_owned(),
            requests: records.len(),
            unanswered: records.len() - slowdowns.len(),
            in_time: n_in_time as f64 / records.len().max(1) as f64,
            mean_slowdown: mean(&slowdowns),
            p99_slowdown: quantile(&slowdowns, 0.99).unwrap_or(0.0),
            cpu_seconds: records.iter().filter(is_done).map(|one| one.work).sum(),
        }
    }
}

/// The rows as a table in Markdown.
pub fn table(rows: &[ClientRow]) -> String {
    let head = "| policy | client | requests | unanswered | in time | mean slowdown | p99 slowdown \
                | CPU seconds |\n|---|---|---:|---:|---:|---:|---:|---:|\n";
    let lines = rows.iter().map(|row| {
        format!(
            "| {} | {} | {} | {} | {:.1} % | {:.2} | {:.1} | {:.1} |\n",
            row.policy,
            row.client,
            row.requests,
            row.unanswered,
            100.0 * row.in_time,
            row.mean_slowdown,
            row.p99_slowdown,
            row.cpu_seconds,
        )
    });
    head.to_owned() + &lines.collect::<String>()
}
