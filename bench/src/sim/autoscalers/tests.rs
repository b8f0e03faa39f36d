use std::collections::BTreeSet;
use std::path::Path;

use super::*;

/// A fleet of so many active hosts of two cores, idle.
pub(super) fn view(now: f64, active: usize) -> FleetView {
    FleetView {
        now,
        active,
        starting: 0,
        draining: 0,
        cores: 2,
        utilization: 0.0,
        requests: 0,
        arrivals: 0,
        hosts_min: 1,
        hosts_max: 20,
    }
}

#[test]
fn every_rule_file_is_in_all() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sim/autoscalers");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeSet<String> = paths
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "tests")
        .collect();
    // A rule with a parameter is listed with it: `oracle_70`.
    let parameter = |symbol: char| symbol == '_' || symbol.is_ascii_digit();
    let listed: BTreeSet<String> =
        ALL.iter().map(|rule| rule.name.trim_end_matches(parameter).to_owned()).collect();
    assert_eq!(files, listed);
    let names: BTreeSet<&str> = ALL.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), ALL.len(), "no name is taken twice");
}
