//! The runbook against what it speaks of.

use std::collections::BTreeMap;

use crate::scripts::SCRIPTS;
use crate::shell::read;

/// Rows of the runbook's price table: name, price.
fn prices() -> BTreeMap<String, f64> {
    let runbook = read("deploy/README.md");
    let (_, table) = runbook.split_once("| what | US dollars |").expect("a table of prices");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &str| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (what, price) = (cells.next()?, cells.next()?);
        Some((what.to_owned(), price.split_whitespace().next()?.parse().ok()?))
    };
    rows.map(|line| row(line).ok_or(line).expect("a name and a price")).collect()
}

#[test]
fn its_prices_are_those_that_the_simulator_counts_with() {
    let prices = prices();
    let known: toml::Table = read("bench/prices.toml").parse().expect("it is TOML");
    let known = |section: &str, key: &str| known[section][key].as_float().expect("a price");
    for (what, section, key) in [
        ("c6i.large, an hour", "vm", "usd_per_hour"),
        ("Lambda, a GB-second", "lambda", "usd_per_gb_second"),
        ("Lambda, a million requests", "lambda", "usd_per_million_requests"),
    ] {
        let difference = prices[what] - known(section, key);
        assert!(difference.abs() < 1e-12, "{what}: {difference}");
    }
}

#[test]
fn it_speaks_of_every_alert_alarm_and_script() {
    let runbook = read("deploy/README.md");
    let alerts = read("deploy/prometheus/alerts.yaml");
    let alerts = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let template = read("deploy/cloudformation/weighbridge.yaml");
    let alarms = template.lines().filter_map(|line| {
        line.trim()
            .strip_prefix("AlarmName: !Sub \"${Name}-")
            .map(|rest| rest.trim_end_matches('"'))
    });
    let mut count = 0;
    for name in alerts.chain(alarms).chain(SCRIPTS) {
        assert!(runbook.contains(&format!("`{name}`")), "{name}");
        count += 1;
    }
    assert!(20 < count, "it was looked for");
}
