//! `/metrics` in the format of `OpenMetrics`: read by Prometheus' own parser, and by rules that it
//! does not insist on.

use std::collections::BTreeMap;
use std::process::Command;

use crate::harness::balancer::Balancer;
use crate::harness::client::Client;
use crate::harness::requests::Request;
use crate::harness::until;
use crate::traces::{TRACE, collector, start, traced, working};

/// What Prometheus says that it takes.
const ACCEPT: &str = "Accept: application/openmetrics-text;version=1.0.0;q=0.5,\
                      application/openmetrics-text;version=0.0.1;q=0.4,text/plain;q=0.2";

fn ask(balancer: &Balancer, accept: &str) -> (String, String) {
    let request = Request::get("/metrics").with(accept);
    let answer = Client::new(balancer.admin).ask(&request).expect("it answers");
    (answer.header("content-type").expect("a type").to_owned(), answer.text())
}

/// The name of a sample, its labels, and what follows them.
fn parts(line: &str) -> (&str, &str, &str) {
    if let Some((name, rest)) = line.split_once('{') {
        // No value of a label here has a brace.
        let (labels, rest) = rest.split_once("} ").expect("labels end");
        return (name, labels, rest);
    }
    let (name, value) = line.split_once(' ').expect("a value");
    (name, "", value)
}

/// Families come once, with their type before their samples, which have the endings of that type.
fn assert_families(text: &str) {
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let mut family = ("", "");
    for line in text.lines() {
        if let Some(told) = line.strip_prefix("# TYPE ") {
            family = told.split_once(' ').expect("a type");
            assert_eq!(types.insert(family.0, family.1), None, "{line}: once");
        } else if let Some(told) = line.strip_prefix("# UNIT ") {
            let (name, unit) = told.split_once(' ').expect("a unit");
            assert!(name == family.0 && name.ends_with(&format!("_{unit}")), "{line}");
        } else if let Some(told) = line.strip_prefix("# HELP ") {
            assert_eq!(told.split(' ').next(), Some(family.0), "{line}");
        } else if line != "# EOF" {
            let (name, labels, rest) = parts(line);
            let ending = name.strip_prefix(family.0).expect("it is of the family");
            let endings: &[&str] = match family.1 {
                "counter" => &["_total"],
                "gauge" => &[""],
                "histogram" => &["_bucket", "_sum", "_count"],
                _ => &[],
            };
            assert!(endings.contains(&ending), "{line} of {family:?}");
            let is_bounded = labels.split(',').any(|label| label.starts_with("le=\""));
            assert_eq!(ending == "_bucket", is_bounded, "{line}");
            assert!(ending == "_bucket" || !rest.contains('#'), "an exemplar: {line}");
            rest.split(' ').next().expect("a value").parse::<f64>().expect("a number");
        }
    }
    assert!(40 < types.len(), "{types:?}");
}

/// Prometheus reads it. Its tool wants times, which a scrape adds.
fn assert_prometheus_reads(text: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let timed = text.lines().map(|line| match (line.starts_with('#'), line.split_once(" # ")) {
        (true, _) => format!("{line}\n"),
        (false, Some((sample, exemplar))) => format!("{sample} 1700000000 # {exemplar}\n"),
        (false, None) => format!("{line} 1700000000\n"),
    });
    let file = folder.path().join("metrics");
    std::fs::write(&file, timed.collect::<String>()).expect("it is writable");
    let read = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .arg(&file)
        .arg(folder.path().join("blocks"))
        .output()
        .expect("the Debian package prometheus is there");
    assert!(read.status.success(), "{read:?}");
}

#[test]
fn whoever_asks_gets_openmetrics_with_the_traces_of_requests() {
    let (host, collector) = (working(), collector());
    let (_place, balancer) = start(&[&host], collector.address, "");
    for target in ["/blurimage", "/streamed"] {
        assert_eq!(balancer.ask(&traced(target, TRACE, "01")).status, 200);
    }
    assert_eq!(balancer.ask(&Request::get("/nowhere")).status, 404);
    until("they are counted", || 2.5 < balancer.metric("weighbridge_requests_total", ""));
    let (kind, text) = ask(&balancer, ACCEPT);
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_families(&text);
    assert_prometheus_reads(&text);
    let exemplar = format!(" # {{trace_id=\"{TRACE}\"}} ");
    for series in [
        "weighbridge_response_seconds_bucket{route=\"blur\",",
        "weighbridge_response_seconds_bucket{route=\"streamed\",",
        "http_server_request_duration_seconds_bucket{http_request_method=\"POST\",\
         http_response_status_code=\"200\",http_route=\"/blurimage\",url_scheme=\"http\",",
    ] {
        let mut lines = text.lines().filter(|line| line.starts_with(series));
        assert!(lines.any(|line| line.contains(&exemplar)), "{series} in {text}");
    }
    let (kind, text) = ask(&balancer, "Accept: text/plain");
    assert!(kind.starts_with("text/plain"), "{kind}");
    assert!(!text.contains("# EOF") && !text.contains("trace_id"), "{text}");
}

#[test]
fn requests_are_counted_by_the_names_of_opentelemetry() {
    let (host, collector) = (working(), collector());
    let (_place, balancer) = start(&[&host], collector.address, "");
    let odd = Request::post("/blurimage", "hello");
    assert_eq!(balancer.ask(&odd).status, 200);
    assert_eq!(balancer.ask(&Request::get("/nowhere")).status, 404);
    let count = |name: &str, labels: &str| balancer.metric(&format!("{name}_count"), labels);
    until("both are counted", || 1.5 < count("http_server_request_duration_seconds", ""));
    for (name, labels, expected) in [
        ("http_server_request_duration_seconds", "http_route=\"/blurimage\"", 1.0),
        ("http_server_request_duration_seconds", "http_response_status_code=\"404\"", 1.0),
        ("http_server_request_duration_seconds", "http_request_method=\"GET\"", 1.0),
        ("http_client_request_duration_seconds", "http_route=\"/blurimage\"", 1.0),
        ("http_client_request_duration_seconds", "error_type=\"\"", 1.0),
        ("http_client_request_duration_seconds", "", 1.0),
    ] {
        let counted = count(name, labels);
        assert!((counted - expected).abs() < 0.5, "{name} {labels}: {counted}");
    }
    until("none is here", || balancer.metric("http_server_active_requests", "").abs() < 0.5);
}
