//! The results as CSV, for other programs.

use std::path::{Path, PathBuf};

use csv::Writer;
use serde::Serialize;

use super::super::cost;
use super::super::measure::Measured;
use super::Row;

/// Why a table was not written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{path}`")]
pub struct CsvError {
    path: PathBuf,
    source: csv::Error,
}

/// A tenth of a policy's requests.
#[derive(Debug, Serialize)]
struct SizeRow<'a> {
    policy: &'a str,
    decile: usize,
    work_max: f64,
    mean_response: f64,
    p99_response: f64,
    mean_slowdown: f64,
}

/// A policy's fleet at an instant.
#[derive(Debug, Serialize)]
struct FleetRow<'a> {
    policy: &'a str,
    at_secs: f64,
    hosts_active: usize,
    hosts_paid: usize,
    requests: usize,
    spent_usd: f64,
}

/// A row a policy.
pub(super) fn summary(path: &Path, rows: &[Row]) -> Result<(), CsvError> {
    write(path, rows.iter())
}

/// A row for each tenth of each policy's requests, the smallest first.
pub(super) fn deciles(path: &Path, results: &[Measured]) -> Result<(), CsvError> {
    let rows = results.iter().flat_map(|measured| {
        let classes = measured.deciles().into_iter().enumerate();
        classes.map(|(index, class)| SizeRow {
            policy: &measured.policy,
            decile: index + 1,
            work_max: class.work_max,
            mean_response: class.mean_response,
            p99_response: class.p99_response,
            mean_slowdown: class.mean_slowdown,
        })
    });
    write(path, rows)
}

/// A row for each sample of each policy's fleet.
pub(super) fn fleet(path: &Path, results: &[Measured]) -> Result<(), CsvError> {
    let rows = results.iter().flat_map(|measured| {
        measured.samples.iter().map(|sample| FleetRow {
            policy: &measured.policy,
            at_secs: sample.at,
            hosts_active: sample.active,
            hosts_paid: sample.paid,
            requests: sample.requests,
            spent_usd: cost::usd(&sample.usage),
        })
    });
    write(path, rows)
}

fn write(path: &Path, rows: impl Iterator<Item = impl Serialize>) -> Result<(), CsvError> {
    let all = || {
        let mut writer = Writer::from_path(path)?;
        for row in rows {
            writer.serialize(row)?;
        }
        writer.flush().map_err(csv::Error::from)
    };
    all().map_err(|source| CsvError { path: path.to_owned(), source })
}
