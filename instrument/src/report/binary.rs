//! The BIN form: base64 of the protobuf message.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost::Message;

use super::{LoadReport, Map, ReportError, check_value, insert};

/// `xds.data.orca.v3.OrcaLoadReport`.
///
/// Each field is declared as repeated, which looks the same on the wire: it lets a field that comes
/// twice be refused, where protobuf's own rule is that the last one wins. A map is a repeated
/// message on the wire. Keys that a report does not have are ignored, as protobuf demands.
#[derive(Clone, PartialEq, Message)]
struct Wire {
    #[prost(double, repeated, packed = "false", tag = "1")]
    cpu_utilization: Vec<f64>,
    #[prost(double, repeated, packed = "false", tag = "2")]
    mem_utilization: Vec<f64>,
    #[prost(uint64, repeated, packed = "false", tag = "3")]
    rps: Vec<u64>,
    #[prost(message, repeated, tag = "4")]
    request_cost: Vec<Entry>,
    #[prost(message, repeated, tag = "5")]
    utilization: Vec<Entry>,
    #[prost(double, repeated, packed = "false", tag = "6")]
    rps_fractional: Vec<f64>,
    #[prost(double, repeated, packed = "false", tag = "7")]
    eps: Vec<f64>,
    #[prost(message, repeated, tag = "8")]
    named_metrics: Vec<Entry>,
    #[prost(double, repeated, packed = "false", tag = "9")]
    application_utilization: Vec<f64>,
}

/// One entry of a `map<string, double>`.
#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, repeated, tag = "1")]
    name: Vec<String>,
    #[prost(double, repeated, packed = "false", tag = "2")]
    value: Vec<f64>,
}

/// Standard alphabet; written with padding, read with or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Encodes everything. `cpu_utilization` is always there, so that no report is empty.
pub(super) fn encode(report: &LoadReport) -> String {
    let report = report.fit_to_send();
    let wire = Wire {
        cpu_utilization: vec![report.cpu_utilization],
        mem_utilization: unless_zero(report.mem_utilization),
        rps: Vec::new(),
        request_cost: entries(report.request_cost),
        utilization: entries(report.utilization),
        rps_fractional: unless_zero(report.rps_fractional),
        eps: unless_zero(report.eps),
        named_metrics: entries(report.named_metrics),
        application_utilization: unless_zero(report.application_utilization),
    };
    BASE64.encode(wire.encode_to_vec())
}

/// Decodes a trimmed header value.
pub(super) fn decode(base64: &str) -> Result<LoadReport, ReportError> {
    let message = BASE64.decode(base64).map_err(|_| ReportError::BadBase64)?;
    let wire = Wire::decode(message.as_slice()).map_err(|_| ReportError::BadMessage)?;
    let rps = at_most_one("rps", &wire.rps)?.unwrap_or(0) as f64;
    Ok(LoadReport {
        cpu_utilization: scalar("cpu_utilization", &wire.cpu_utilization)?.unwrap_or(0.0),
        mem_utilization: scalar("mem_utilization", &wire.mem_utilization)?.unwrap_or(0.0),
        application_utilization: scalar("application_utilization", &wire.application_utilization)?
            .unwrap_or(0.0),
        // `rps` is what senders of old used.
        rps_fractional: scalar("rps_fractional", &wire.rps_fractional)?.unwrap_or(rps),
        eps: scalar("eps", &wire.eps)?.unwrap_or(0.0),
        request_cost: map("request_cost", &wire.request_cost)?,
        utilization: map("utilization", &wire.utilization)?,
        named_metrics: map("named_metrics", &wire.named_metrics)?,
    })
}

fn unless_zero(value: f64) -> Vec<f64> {
    if value == 0.0 { Vec::new() } else { vec![value] }
}

fn entries(map: Map) -> Vec<Entry> {
    map.into_iter().map(|(name, value)| Entry { name: vec![name], value: vec![value] }).collect()
}

fn at_most_one<T: Copy>(key: &str, values: &[T]) -> Result<Option<T>, ReportError> {
    match values {
        [] => Ok(None),
        [value] => Ok(Some(*value)),
        [_, _, ..] => Err(ReportError::Duplicate(key.to_owned())),
    }
}

fn scalar(key: &str, values: &[f64]) -> Result<Option<f64>, ReportError> {
    at_most_one(key, values)?.map(|value| check_value(key, value)).transpose()
}

fn map(of: &'static str, entries: &[Entry]) -> Result<Map, ReportError> {
    let mut map = Map::new();
    for entry in entries {
        let name = match entry.name.as_slice() {
            [] => "",
            [name] => name,
            [_, _, ..] => return Err(ReportError::Duplicate(of.to_owned())),
        };
        insert(&mut map, of, name, at_most_one(of, &entry.value)?.unwrap_or(0.0))?;
    }
    Ok(map)
}
