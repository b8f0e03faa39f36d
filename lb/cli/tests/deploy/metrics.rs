//! Dashboard and alerts against the metrics that there are: those of the table in `lb/README.md`,
//! which another test holds against a running balancer, and of Lambda, which only some balancers
//! have.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::shell::{read, run};

/// The names in the table.
fn exported() -> BTreeSet<String> {
    let readme = read("lb/README.md");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `weighbridge_"));
    let names = rows.filter_map(|row| row.split_once('`'));
    let names = names.map(|(name, _)| format!("weighbridge_{name}"));
    names.chain(named(&read("lb/proxy/src/metrics/lambda.rs"))).collect()
}

/// The names of metrics in `text`.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("weighbridge_"));
    words.map(str::to_owned).collect()
}

/// Every expression of the dashboard, with what it is for.
fn expressions(value: &Value, of: &str, found: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            let of = fields.get("title").and_then(Value::as_str).unwrap_or(of);
            for (name, field) in fields {
                match field.as_str() {
                    Some(text) if name == "expr" => found.push((of.to_owned(), text.to_owned())),
                    _ => expressions(field, of, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, of, found)),
        _ => {}
    }
}

fn dashboard() -> Value {
    serde_json::from_str(&read("deploy/grafana/weighbridge.json")).expect("it is JSON")
}

#[test]
fn dashboard_and_alerts_name_only_metrics_that_there_are() {
    let exported = exported();
    assert!(20 < exported.len(), "there is a table");
    for file in ["deploy/grafana/weighbridge.json", "deploy/prometheus/alerts.yaml"] {
        let named = named(&read(file));
        assert!(8 < named.len(), "{file} names metrics");
        for name in named {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let is_there = exported.contains(&name) || base.is_some_and(|b| exported.contains(b));
            assert!(is_there, "{file} names `{name}`");
        }
    }
}

#[test]
fn prometheus_understands_every_expression_of_the_dashboard() {
    let mut found = Vec::new();
    expressions(&dashboard(), "", &mut found);
    assert!(20 < found.len());
    let rule = |(at, (of, text)): (usize, &(String, String))| {
        let text = text.replace("$__rate_interval", "5m").replace("$instance", ".*");
        assert!(!text.contains('$'), "{of}: {text}");
        json!({ "record": format!("panel:{at}"), "expr": text })
    };
    let rules: Vec<Value> = found.iter().enumerate().map(rule).collect();
    let rules = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rules.yaml");
    std::fs::write(&file, rules.to_string()).expect("it can be written");
    run(Command::new("promtool").args(["check", "rules"]).arg(file)).ok();
}

/// What is measured is shown. Those by OpenTelemetry's names say again what ours do.
#[test]
fn every_metric_of_ours_is_on_the_dashboard() {
    let shown: BTreeSet<String> = named(&read("deploy/grafana/weighbridge.json"));
    // What names Lambda's metrics also names a crate.
    for name in exported().into_iter().filter(|name| name != "weighbridge_core") {
        let endings = ["", "_bucket", "_sum", "_count"];
        let is_shown = endings.iter().any(|end| shown.contains(&format!("{name}{end}")));
        assert!(is_shown, "no panel has `{name}`");
    }
}

#[test]
fn the_panels_do_not_overlap_and_have_ids_of_their_own() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("panels");
    assert!(8 < panels.len());
    let mut taken = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{}", panel["title"]);
        let place = |name: &str| panel["gridPos"][name].as_u64().expect("a place");
        assert!(place("x") + place("w") <= 24, "{}", panel["title"]);
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{}", panel["title"]);
            }
        }
    }
}
