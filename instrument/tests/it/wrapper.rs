//! The list of counted crates, and what else must agree with it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What the manifest optimises in every build as a release does, with underscores.
fn optimised() -> BTreeSet<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    let manifest: toml::Table = fs::read_to_string(manifest).unwrap().parse().unwrap();
    let packages = manifest["profile"]["dev"]["package"].as_table().unwrap();
    packages
        .iter()
        .filter(|(_, profile)| {
            profile.get("opt-level").and_then(toml::Value::as_integer) == Some(3)
        })
        .map(|(name, _)| name.replace('-', "_"))
        .collect()
}

#[test]
fn what_is_counted_is_optimised_in_tests_too() {
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("counted-crates");
    let list = fs::read_to_string(list).unwrap();
    let mut counted: BTreeSet<String> = list.lines().map(str::to_owned).collect();
    assert_eq!(counted.len(), list.lines().count(), "a crate is on the list once");
    counted.extend(["weighbridge_instrument", "iced_x86"].map(str::to_owned));
    let optimised = optimised();
    // Further ones are optimised for the time that they would take.
    let slow: Vec<&String> = counted.difference(&optimised).collect();
    assert_eq!(slow, Vec::<&String>::new());
}
