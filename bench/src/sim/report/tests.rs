use std::path::Path;

use super::folder;
use super::*;
use crate::sim::run::PolicySpec;
use crate::sim::workload::Workload;

/// A fleet that is sized while a few requests come.
const TINY: &str = "
about = \"A tiny one.\"
requests = 200
load = 0.8
policies = [\"least_connections+knative_kpa\", \"round_robin+fixed\", \"round_robin+oracle_50\"]

[hosts]
count = 2
cores = 2
boot = \"5s\"

[scale]
hosts_max = 4
";

const FILES: [&str; 8] = [
    "cost.svg",
    "deciles.csv",
    "deciles.svg",
    "fleet.csv",
    "fleet.svg",
    "report.md",
    "slowdown.svg",
    "summary.csv",
];

/// Simulates `text`, and returns the folder of its report.
fn reported(text: &str) -> tempfile::TempDir {
    let scenario = Scenario::parse(text, Path::new("tiny.toml")).unwrap();
    let workload = Workload::draw(&scenario);
    let specs = scenario.policies.iter().map(|policy| PolicySpec::parse(policy).unwrap());
    let results: Vec<Measured> =
        specs.map(|spec| spec.run(&scenario, &workload, &mut |_, _| {})).collect();
    let rows: Vec<Row> = results.iter().map(|measured| Row::of(&scenario, measured)).collect();
    let folder = tempfile::tempdir().unwrap();
    folder::write(folder.path(), &scenario, &rows, &results).unwrap();
    folder
}

/// The columns of every summary.
const SUMMARY: &str = "policy,load,sigma,requests,unanswered,mean_response,p99_response,mean_slowdown,p99_slowdown,cost_usd";

/// The columns of a table.
fn head(folder: &tempfile::TempDir, file: &str) -> String {
    read(folder, file).lines().next().unwrap().to_owned()
}

fn read(folder: &tempfile::TempDir, file: &str) -> String {
    std::fs::read_to_string(folder.path().join(file)).unwrap()
}

#[test]
fn a_report_is_tables_and_pictures() {
    let folder = reported(TINY);
    let mut files: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(files, FILES);
    insta::assert_snapshot!(read(&folder, "report.md"));
}

#[test]
fn tables_have_a_row_for_each_policy_and_class() {
    let folder = reported(TINY);
    let rows = |file: &str| read(&folder, file).lines().count() - 1;
    assert_eq!(rows("summary.csv"), 3);
    assert_eq!(rows("deciles.csv"), 30);
    assert_eq!(head(&folder, "summary.csv"), SUMMARY);
    assert_eq!(
        head(&folder, "fleet.csv"),
        "policy,at_secs,hosts_active,hosts_paid,requests,spent_usd"
    );
}

#[test]
fn every_picture_is_xml_that_names_the_policies() {
    let folder = reported(TINY);
    for picture in ["cost", "deciles", "fleet", "slowdown"] {
        let text = read(&folder, &format!("{picture}.svg"));
        let document = roxmltree::Document::parse(&text).unwrap();
        let texts: Vec<&str> =
            document.descendants().filter_map(|node| node.text()).map(str::trim).collect();
        for policy in ["least_connections+knative_kpa", "round_robin+fixed"] {
            assert!(texts.contains(&policy), "{picture} does not name `{policy}`: {texts:?}");
        }
    }
}

#[test]
fn a_fleet_of_fixed_size_is_not_drawn() {
    let folder = reported("requests = 50\npolicies = [\"random\"]\n");
    assert!(!folder.path().join("fleet.svg").exists());
    assert!(folder.path().join("slowdown.svg").exists());
}

#[test]
fn the_oracle_beside_a_policy_is_the_cheapest_that_is_as_fast() {
    let row = |policy: &str, p99_response: f64, cost_usd: f64| Row {
        policy: policy.to_owned(),
        load: 0.9,
        sigma: 0.3,
        requests: 1,
        unanswered: 0,
        mean_response: 1.0,
        p99_response,
        mean_slowdown: 1.0,
        p99_slowdown: 1.0,
        cost_usd,
        lambda_usd: None,
        lambda_runs: None,
    };
    let rows = [
        row("x+oracle_50", 1.0, 5.0),
        row("x+oracle_60", 2.0, 4.0),
        row("x+oracle_70", 3.0, 3.0),
        row("x", 2.5, 4.4),
    ];
    let beside = oracle::match_of(&rows[3], &rows).unwrap();
    assert_eq!(beside.policy, "x+oracle_60");
    assert!(oracle::match_of(&row("y", 0.5, 1.0), &rows).is_none());
}

#[test]
fn what_lambda_costs_is_shown_where_there_are_functions() {
    let functions = "[[functions]]\nroute = \"all\"\n";
    let folder = reported(&format!("requests = 50\npolicies = [\"weighbridge\"]\n{functions}"));
    assert!(
        read(&folder, "report.md").contains("| cost USD | of it Lambda USD | runs on Lambda |\n")
    );
    assert_eq!(head(&folder, "summary.csv"), format!("{SUMMARY},lambda_usd,lambda_runs"));
    let folder = reported("requests = 50\npolicies = [\"weighbridge\"]\n");
    assert!(!read(&folder, "report.md").contains("Lambda"));
    assert!(!read(&folder, "summary.csv").contains("lambda"));
}
