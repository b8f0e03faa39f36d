use std::collections::BTreeSet;
use std::path::Path;

use super::ALL;

#[test]
fn every_policy_file_is_in_all() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sim/policies");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeSet<String> = paths
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "tests")
        .collect();
    let listed: BTreeSet<String> = ALL.iter().map(|policy| policy.name.to_owned()).collect();
    assert_eq!(files, listed);
    assert_eq!(listed.len(), ALL.len(), "no name is taken twice");
}
