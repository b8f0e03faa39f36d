//! What a worker says of itself on a response: an ORCA load report.
//!
//! Three forms of the same report (`xds.data.orca.v3.OrcaLoadReport`):
//!
//! ```text
//! endpoint-load-metrics: TEXT cpu_utilization=0.5, named_metrics.in_flight=4
//! endpoint-load-metrics: JSON {"cpu_utilization":0.5,"named_metrics":{"in_flight":4.0}}
//! endpoint-load-metrics-bin: <base64 of the protobuf message>
//! ```
//!
//! TEXT has no place for `request_cost` and `utilization`; JSON and BIN carry everything. A report
//! with a single bad value is rejected whole: half a report would be believed as if it were one.

mod binary;
mod json;
mod text;

use std::collections::BTreeMap;

/// Utilizations, rates and costs as one worker reports them.
///
/// Every value is finite and not negative, every name has 1 to [`NAME_BYTES_MAX`] bytes and no
/// control characters. What does not keep to that is left out when the report is encoded, and so
/// are a map's entries beyond [`ENTRIES_MAX`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadReport {
    /// Fraction of the CPU in use; above 1 where more is wanted than there is.
    pub cpu_utilization: f64,
    /// Fraction of the memory in use.
    pub mem_utilization: f64,
    /// Fraction of the application's own capacity in use; may exceed 1.
    pub application_utilization: f64,
    /// Requests per second.
    pub rps_fractional: f64,
    /// Errors per second.
    pub eps: f64,
    /// What the request that this report answers has cost, by resource. Not in TEXT.
    pub request_cost: BTreeMap<String, f64>,
    /// Fraction in use of further resources. Not in TEXT.
    pub utilization: BTreeMap<String, f64>,
    /// Anything else, by name.
    pub named_metrics: BTreeMap<String, f64>,
}

/// Why a load report is not believed. Every one is the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The header has no value.
    #[error("the report is empty")]
    Empty,
    /// It is longer than [`REPORT_BYTES_MAX`].
    #[error("the report has {0} bytes, more than {REPORT_BYTES_MAX}")]
    TooLong(usize),
    /// It does not begin with `TEXT `, `JSON ` or `BIN `.
    #[error("the report is in none of the forms `TEXT`, `JSON` and `BIN`")]
    UnknownForm,
    /// A key that a report does not have.
    #[error("the report has an unknown key `{0}`")]
    UnknownKey(String),
    /// The same key twice.
    #[error("the report has `{0}` twice")]
    Duplicate(String),
    /// A name without characters, too long a one, or one with control characters.
    #[error("`{0}` is no name for a metric")]
    BadName(String),
    /// A value that is empty or not a number, infinite or negative.
    #[error("`{value}` is no value for `{key}`, expected a finite number of zero or above")]
    BadValue {
        /// The metric.
        key: String,
        /// What it was said to be.
        value: String,
    },
    /// More than [`ENTRIES_MAX`] entries in one map.
    #[error("`{0}` has more than {ENTRIES_MAX} entries")]
    TooManyEntries(&'static str),
    /// Not JSON of a report's shape.
    #[error("the report is not the JSON of a load report: {0}")]
    BadJson(String),
    /// Not base64.
    #[error("the report is not base64")]
    BadBase64,
    /// Not a protobuf message of a report's shape.
    #[error("the report is not the protobuf message of a load report")]
    BadMessage,
}

/// The longest report that is read, in bytes of its encoded form.
pub const REPORT_BYTES_MAX: usize = 16 << 10;

/// The most entries that one map of a report has.
pub const ENTRIES_MAX: usize = 128;

/// The longest name of a metric, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// The map's name and entry, as the forms call them.
type Map = BTreeMap<String, f64>;

impl LoadReport {
    /// The value of an `endpoint-load-metrics` header, in the TEXT form; without `request_cost`,
    /// `utilization` and names that TEXT cannot carry. ASCII.
    pub fn encode_text(&self) -> String {
        text::encode(self)
    }

    /// The value of an `endpoint-load-metrics` header, in the JSON form. ASCII.
    pub fn encode_json(&self) -> String {
        format!("JSON {}", self.to_json())
    }

    /// The value of an `endpoint-load-metrics-bin` header: base64 of the protobuf message.
    pub fn encode_bin(&self) -> String {
        binary::encode(self)
    }

    /// The bare JSON object, for a body. ASCII.
    pub fn to_json(&self) -> String {
        json::encode(self)
    }

    /// Reads an `endpoint-load-metrics` header of any form.
    pub fn decode_header(value: &str) -> Result<LoadReport, ReportError> {
        let value = bounded(value)?;
        let Some((form, report)) = value.split_once(' ') else {
            return Err(ReportError::UnknownForm);
        };
        match form {
            "TEXT" => text::decode(bounded(report)?),
            "JSON" => json::decode(bounded(report)?),
            "BIN" => binary::decode(bounded(report)?),
            _ => Err(ReportError::UnknownForm),
        }
    }

    /// Reads an `endpoint-load-metrics-bin` header. Unpadded base64 is as good as padded.
    pub fn decode_bin(value: &str) -> Result<LoadReport, ReportError> {
        binary::decode(bounded(value)?)
    }

    /// Reads the bare JSON object, as a body has it. Keys may be in snake case or in camel case;
    /// those that a report does not have are ignored, as other JSON readers do.
    pub fn decode_json(object: &str) -> Result<LoadReport, ReportError> {
        json::decode(bounded(object)?)
    }

    /// The report with only what may be sent.
    fn fit_to_send(&self) -> LoadReport {
        let fit = |value: f64| if check_value("", value).is_ok() { value } else { 0.0 };
        LoadReport {
            cpu_utilization: fit(self.cpu_utilization),
            mem_utilization: fit(self.mem_utilization),
            application_utilization: fit(self.application_utilization),
            rps_fractional: fit(self.rps_fractional),
            eps: fit(self.eps),
            request_cost: fit_entries(&self.request_cost),
            utilization: fit_entries(&self.utilization),
            named_metrics: fit_entries(&self.named_metrics),
        }
    }
}

fn fit_entries(entries: &Map) -> Map {
    entries
        .iter()
        .filter(|(name, value)| check_name(name).is_ok() && check_value(name, **value).is_ok())
        .take(ENTRIES_MAX)
        .map(|(name, value)| (name.clone(), *value))
        .collect()
}

/// `value` without the blanks around it, where there is something left and not too much.
fn bounded(value: &str) -> Result<&str, ReportError> {
    if value.len() > REPORT_BYTES_MAX {
        return Err(ReportError::TooLong(value.len()));
    }
    match value.trim() {
        "" => Err(ReportError::Empty),
        trimmed => Ok(trimmed),
    }
}

fn check_name(name: &str) -> Result<(), ReportError> {
    let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX;
    if fits && !name.contains(char::is_control) {
        Ok(())
    } else {
        Err(ReportError::BadName(shortened(name)))
    }
}

fn check_value(key: &str, value: f64) -> Result<f64, ReportError> {
    if value.is_finite() && 0.0 <= value {
        Ok(value)
    } else {
        Err(ReportError::BadValue { key: shortened(key), value: value.to_string() })
    }
}

/// Puts one entry into a map of the report, unless it is one too many.
fn insert(map: &mut Map, of: &'static str, name: &str, value: f64) -> Result<(), ReportError> {
    check_name(name)?;
    let value = check_value(name, value)?;
    if map.contains_key(name) {
        return Err(ReportError::Duplicate(shortened(name)));
    }
    if map.len() == ENTRIES_MAX {
        return Err(ReportError::TooManyEntries(of));
    }
    map.insert(name.to_owned(), value);
    Ok(())
}

/// What of a sender's text may stand in our message: a log line does not grow with it.
fn shortened(text: &str) -> String {
    text.chars().take(NAME_BYTES_MAX).flat_map(char::escape_default).collect()
}

#[cfg(test)]
mod tests;
