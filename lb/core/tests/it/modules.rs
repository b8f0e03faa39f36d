//! The core's modules know each other in one direction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each module at the top, with its folder, and which others it names outside of tests.
fn named() -> BTreeMap<String, BTreeSet<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files(&root) {
        let path = file.strip_prefix(&root).unwrap().with_extension("");
        let names: Vec<&str> = path.iter().map(|name| name.to_str().unwrap()).collect();
        if names == ["lib"] || names.iter().any(|name| name.starts_with("test")) {
            continue;
        }
        let others = named.entry(names[0].to_owned()).or_default();
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for rest in line.split("crate::").skip(1) {
                let name: String =
                    rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                assert!(!name.is_empty(), "{}: one module a line: {line}", file.display());
                others.insert(name);
            }
        }
        others.remove(names[0]);
    }
    named
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    files.collect()
}

#[test]
fn no_module_names_one_that_names_it() {
    let mut named = named();
    assert!(15 < named.len(), "the modules are found");
    loop {
        let free: Vec<String> = named
            .iter()
            .filter(|(_, others)| others.is_empty())
            .map(|(one, _)| one.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        named.retain(|one, _| !free.contains(one));
        for others in named.values_mut() {
            others.retain(|other| !free.contains(other));
        }
    }
    assert!(named.is_empty(), "they name each other in a circle: {named:#?}");
}
