//! Every policy file is in its `ALL`: a policy that is not listed does nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use weighbridge_core::estimate::estimators;
use weighbridge_core::features::extractors;
use weighbridge_core::scale::rules;
use weighbridge_core::schedule::{filters, weighers};

/// What is chosen by its name: a kind of policy.
pub(crate) struct Kind {
    /// As the README calls it.
    pub(crate) word: &'static str,
    /// Where its files are.
    pub(crate) folder: PathBuf,
    /// The names in its `ALL`.
    pub(crate) names: Vec<&'static str>,
}

fn kind(word: &'static str, folder: &str, names: Vec<&'static str>) -> Kind {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
    Kind { word, folder, names }
}

/// Every kind of policy that is chosen by its name.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![
        kind("filter", "schedule/filters", filters::ALL.iter().map(|one| one.name()).collect()),
        kind("weigher", "schedule/weighers", weighers::ALL.iter().map(|one| one.name()).collect()),
        kind("scale rule", "scale/rules", rules::ALL.iter().map(|one| one.name()).collect()),
        kind("estimator", "estimate/estimators", estimators::names().collect()),
    ]
}

#[test]
fn every_policy_file_is_in_all_under_its_name() {
    let names = extractors::ALL.iter().map(|one| one.name()).collect();
    let extractors = kind("extractor", "features/extractors", names);
    for kind in kinds().into_iter().chain([extractors]) {
        let entries = std::fs::read_dir(&kind.folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let files: BTreeSet<String> =
            paths.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect();
        let listed: BTreeSet<String> = kind.names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(files, listed, "{}", kind.word);
        assert_eq!(listed.len(), kind.names.len(), "no {} is listed twice", kind.word);
    }
}
