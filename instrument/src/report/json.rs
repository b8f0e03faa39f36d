//! The JSON form: `{"cpu_utilization":0.5,"named_metrics":{"in_flight":4.0}}`.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{LoadReport, ReportError, check_value, insert, shortened};

/// A report as JSON has it. Serde refuses a field that comes twice.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
struct Wire {
    #[serde(alias = "cpuUtilization")]
    cpu_utilization: f64,
    #[serde(alias = "memUtilization", skip_serializing_if = "is_zero")]
    mem_utilization: f64,
    #[serde(alias = "applicationUtilization", skip_serializing_if = "is_zero")]
    application_utilization: f64,
    #[serde(alias = "rpsFractional", skip_serializing_if = "is_zero")]
    rps_fractional: f64,
    #[serde(skip_serializing_if = "is_zero")]
    eps: f64,
    #[serde(alias = "requestCost", skip_serializing_if = "Entries::is_empty")]
    request_cost: Entries,
    #[serde(skip_serializing_if = "Entries::is_empty")]
    utilization: Entries,
    #[serde(alias = "namedMetrics", skip_serializing_if = "Entries::is_empty")]
    named_metrics: Entries,
}

/// A map that refuses what a report must not have, entry by entry.
#[derive(Serialize, Default)]
#[serde(transparent)]
struct Entries(BTreeMap<String, f64>);

struct EntriesVisitor;

/// Encodes everything as ASCII. `cpu_utilization` is always there, so that no report is empty.
pub(super) fn encode(report: &LoadReport) -> String {
    let report = report.fit_to_send();
    let wire = Wire {
        cpu_utilization: report.cpu_utilization,
        mem_utilization: report.mem_utilization,
        application_utilization: report.application_utilization,
        rps_fractional: report.rps_fractional,
        eps: report.eps,
        request_cost: Entries(report.request_cost),
        utilization: Entries(report.utilization),
        named_metrics: Entries(report.named_metrics),
    };
    let json = serde_json::to_string(&wire).expect("numbers and strings are JSON");
    if json.is_ascii() { json } else { escape(&json) }
}

/// Decodes a trimmed JSON object.
pub(super) fn decode(json: &str) -> Result<LoadReport, ReportError> {
    if !json.starts_with('{') {
        // Serde would take an array for the fields in order.
        return Err(ReportError::BadJson("expected an object".to_owned()));
    }
    let wire: Wire =
        serde_json::from_str(json).map_err(|e| ReportError::BadJson(shortened(&e.to_string())))?;
    Ok(LoadReport {
        cpu_utilization: check_value("cpu_utilization", wire.cpu_utilization)?,
        mem_utilization: check_value("mem_utilization", wire.mem_utilization)?,
        application_utilization: check_value(
            "application_utilization",
            wire.application_utilization,
        )?,
        rps_fractional: check_value("rps_fractional", wire.rps_fractional)?,
        eps: check_value("eps", wire.eps)?,
        request_cost: wire.request_cost.0,
        utilization: wire.utilization.0,
        named_metrics: wire.named_metrics.0,
    })
}

/// A header is ASCII, so every other character goes by its escape; those stand in strings only.
fn escape(json: &str) -> String {
    let mut ascii = String::with_capacity(2 * json.len());
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(ascii, "\\u{unit:04x}");
        }
    }
    ascii
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

// === impl Entries ===

impl Entries {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

// === impl EntriesVisitor ===

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of names to numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Entries, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((name, value)) = access.next_entry::<String, f64>()? {
            insert(&mut entries, "a map", &name, value).map_err(A::Error::custom)?;
        }
        Ok(Entries(entries))
    }
}
