//! Every policy file is in its `ALL`: a policy that is not listed does nothing.

use std::collections::BTreeSet;
use std::path::Path;

use weighbridge_core::schedule::{filters, weighers};

/// The names of the policy files in a folder of `src`.
fn files(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let names = paths.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned());
    names.filter(|name| name != "tests").collect()
}

#[test]
fn every_filter_file_is_in_all() {
    let listed = filters::ALL.iter().map(|filter| filter.name().to_owned()).collect();
    assert_eq!(files("schedule/filters"), listed);
}

#[test]
fn every_weigher_file_is_in_all() {
    let listed = weighers::ALL.iter().map(|weigher| weigher.name().to_owned()).collect();
    assert_eq!(files("schedule/weighers"), listed);
}

#[test]
fn no_name_is_taken_twice() {
    let names: Vec<&str> = filters::ALL
        .iter()
        .map(|filter| filter.name())
        .chain(weighers::ALL.iter().map(|weigher| weigher.name()))
        .collect();
    let distinct: BTreeSet<&&str> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
}
