//! The table of policies in `lb/README.md` is made of the first sentence of each policy's file.
//!
//! Where it is stale: `README_WRITE=1 cargo test -p weighbridge-core --test it readme`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::policies::{Kind, kinds};

const BEGIN: &str = "<!-- policies: made by lb/core/tests/it/readme.rs -->\n";
const END: &str = "<!-- end of policies -->";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The first sentence of the file's own documentation.
fn first_sentence(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let paragraph: Vec<&str> = lines.map(str::trim).take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    let end = paragraph.find(". ").map_or(paragraph.len(), |at| at + 1);
    paragraph[..end].to_owned()
}

fn table() -> String {
    let mut table = "\n| policy | name | what |\n|---|---|---|\n".to_owned();
    for Kind { word, folder, names } in kinds() {
        for name in names {
            let what = first_sentence(&folder.join(name).with_extension("rs"));
            writeln!(table, "| {word} | `{name}` | {what} |").unwrap();
        }
    }
    table.push('\n');
    table
}

#[test]
fn the_readme_lists_every_policy_with_its_first_sentence() {
    let file = root().join("lb/README.md");
    let readme = std::fs::read_to_string(&file).unwrap();
    let begin = readme.find(BEGIN).unwrap() + BEGIN.len();
    let end = begin + readme[begin..].find(END).unwrap();
    let table = table();
    if std::env::var_os("README_WRITE").is_some() {
        let written = format!("{}{table}{}", &readme[..begin], &readme[end..]);
        std::fs::write(file, written).unwrap();
        return;
    }
    assert_eq!(readme[begin..end], table, "lb/README.md is stale, see the top of this file");
}
