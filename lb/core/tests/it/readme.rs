//! The README's table of policies is made of the first sentence of each policy's file.
//!
//! Where it is stale: `README_WRITE=1 cargo test -p weighbridge-core --test it readme`.

use std::path::{Path, PathBuf};

use weighbridge_core::schedule::{filters, weighers};

const BEGIN: &str = "<!-- policies: made by lb/core/tests/it/readme.rs -->\n";
const END: &str = "<!-- end of policies -->";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The first sentence of the file's own documentation.
fn first_sentence(file: &str) -> String {
    let text = std::fs::read_to_string(root().join("lb/core/src").join(file)).unwrap();
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let paragraph: Vec<&str> = lines.map(str::trim).take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    let end = paragraph.find(". ").map_or(paragraph.len(), |at| at + 1);
    paragraph[..end].to_owned()
}

fn table() -> String {
    let row = |kind: &str, folder: &str, name: &str| {
        format!("| {kind} | `{name}` | {} |\n", first_sentence(&format!("{folder}/{name}.rs")))
    };
    let filters = filters::ALL.iter().map(|f| row("filter", "schedule/filters", f.name()));
    let weighers = weighers::ALL.iter().map(|w| row("weigher", "schedule/weighers", w.name()));
    let rules = ["cpu", "backlog", "cpu_and_backlog", "queue_depth"];
    let rules = rules.into_iter().map(|name| row("scale rule", "scale", name));
    let rows: String = filters.chain(weighers).chain(rules).collect();
    format!("\n| policy | name | what |\n|---|---|---|\n{rows}\n")
}

#[test]
fn the_readme_lists_every_policy_with_its_first_sentence() {
    let file = root().join("README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let begin = readme.find(BEGIN).unwrap() + BEGIN.len();
    let end = begin + readme[begin..].find(END).unwrap();
    let table = table();
    if std::env::var_os("README_WRITE").is_some() {
        let written = format!("{}{table}{}", &readme[..begin], &readme[end..]);
        std::fs::write(file, written).unwrap();
        return;
    }
    assert_eq!(readme[begin..end], table, "README.md is stale, see the top of this file");
}
