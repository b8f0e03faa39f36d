//! The TEXT form: `cpu_utilization=0.5, named_metrics.in_flight=4`.

use std::fmt::Write;

use super::{LoadReport, ReportError, check_value, insert, shortened};

/// What comes before the name of a metric of `named_metrics`.
const NAMED: &str = "named_metrics.";

/// Encodes what TEXT can carry. `cpu_utilization` is always there, so that no report is empty.
pub(super) fn encode(report: &LoadReport) -> String {
    let report = report.fit_to_send();
    let mut text = format!("TEXT cpu_utilization={:?}", report.cpu_utilization);
    let further = [
        ("mem_utilization", report.mem_utilization),
        ("application_utilization", report.application_utilization),
        ("rps_fractional", report.rps_fractional),
        ("eps", report.eps),
    ];
    for (key, value) in further.iter().filter(|(_, value)| 0.0 < *value) {
        push(&mut text, "", key, *value);
    }
    for (name, value) in report.named_metrics.iter().filter(|(name, _)| fits_text(name)) {
        push(&mut text, NAMED, name, *value);
    }
    text
}

/// Decodes what follows `TEXT `. Key and value are parted by `=` or by `:`.
pub(super) fn decode(text: &str) -> Result<LoadReport, ReportError> {
    let mut report = LoadReport::default();
    let mut seen = [false; 5];
    for pair in text.split(',') {
        let (key, value) = pair.split_once(['=', ':']).unwrap_or((pair, ""));
        let (key, value) = (key.trim(), number(key.trim(), value.trim())?);
        if let Some(name) = key.strip_prefix(NAMED) {
            insert(&mut report.named_metrics, "named_metrics", name, value)?;
            continue;
        }
        let (nth, slot) = match key {
            "cpu_utilization" => (0, &mut report.cpu_utilization),
            "mem_utilization" => (1, &mut report.mem_utilization),
            "application_utilization" => (2, &mut report.application_utilization),
            "rps_fractional" => (3, &mut report.rps_fractional),
            "eps" => (4, &mut report.eps),
            _ => return Err(ReportError::UnknownKey(shortened(key))),
        };
        if seen[nth] {
            return Err(ReportError::Duplicate(key.to_owned()));
        }
        seen[nth] = true;
        *slot = value;
    }
    Ok(report)
}

fn number(key: &str, value: &str) -> Result<f64, ReportError> {
    let bad = || ReportError::BadValue { key: shortened(key), value: shortened(value) };
    value.parse().map_err(|_| bad()).and_then(|value| check_value(key, value))
}

fn push(text: &mut String, prefix: &str, name: &str, value: f64) {
    // Writing to a string cannot fail. Debug, not Display: 1e300 shall not become 300 digits.
    let _ = write!(text, ", {prefix}{name}={value:?}");
}

/// Whether a name survives TEXT: visible ASCII without what parts the pairs.
fn fits_text(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_graphic() && !b",=:".contains(&byte))
}
