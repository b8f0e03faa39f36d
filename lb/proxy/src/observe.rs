//! The only place where the wire's load report meets the core's types.

use std::collections::BTreeMap;

use http::HeaderMap;

use weighbridge_core::host::Discipline;
use weighbridge_core::observe::{HostReport, RequestCost};
use weighbridge_core::units::{Speed, Work};
use weighbridge_instrument::LoadReport;

use crate::headers::REPORT;

/// What a host said on one response.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reported {
    /// Of itself.
    pub(crate) host: HostReport,
    /// Of this request.
    pub(crate) cost: RequestCost,
    /// Its build: counts compare only within one.
    pub(crate) build: u64,
    /// Whether a function's environment had to be started, where it says so.
    pub(crate) cold_start: Option<bool>,
}

/// Reads the load report among `headers`. `Err` where there is one that must be rejected.
pub(crate) fn report(
    headers: &HeaderMap,
) -> Result<Option<Reported>, weighbridge_instrument::ReportError> {
    if let Some(value) = headers.get(&REPORT[1]) {
        return LoadReport::decode_bin(value.to_str().unwrap_or_default())
            .map(|report| Some(reported(&report)));
    }
    headers
        .get(&REPORT[0])
        .map(|value| {
            LoadReport::decode_header(value.to_str().unwrap_or_default())
                .map(|report| reported(&report))
        })
        .transpose()
}

/// The core's view of `report`.
pub(crate) fn reported(report: &LoadReport) -> Reported {
    let named = |name: &str| report.named_metrics.get(name).copied();
    let cost = |name: &str| report.request_cost.get(name).copied();
    Reported {
        host: HostReport {
            cpu_utilization: Some(report.cpu_utilization),
            mem_utilization: Some(report.mem_utilization),
            application_utilization: Some(report.application_utilization),
            in_flight: named("in_flight").map(|n| n as u32),
            work_left: named("work_left").and_then(Work::from_cpu_secs),
            discipline: discipline(&report.named_metrics),
            // A worker that has measured nothing yet says that it is the reference.
            speed: named("speed")
                .and_then(Speed::from_reference_cores)
                .filter(|speed| *speed != Speed::ONE),
            slots: named("slots").map(|n| n as u32),
        },
        cost: RequestCost {
            instructions: cost("instructions"),
            basic_blocks: cost("basic_blocks"),
            methods: cost("methods"),
            cpu_seconds: cost("cpu_seconds"),
            bytes_allocated: cost("bytes_allocated"),
        },
        build: named("build").unwrap_or(0.0) as u64,
        cold_start: named("cold_start").map(|value| 0.0 < value),
    }
}

/// The discipline whose metric is 1; `None` where it is not exactly one.
fn discipline(named: &BTreeMap<String, f64>) -> Option<Discipline> {
    let is_one = |value: f64| (value - 1.0).abs() < f64::EPSILON;
    let mut said = named.iter().filter_map(|(name, value)| {
        Discipline::by_name(name.strip_prefix("discipline_")?).filter(|_| is_one(*value))
    });
    let discipline = said.next()?;
    said.next().is_none().then_some(discipline)
}

#[cfg(test)]
mod tests;
