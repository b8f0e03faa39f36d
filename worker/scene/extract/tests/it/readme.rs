//! The table of extractors in `lb/README.md` is made of what they say of themselves.
//!
//! Where it is stale: `README_WRITE=1 cargo nextest run --workspace --all-features -E
//! 'package(weighbridge-scene-extract) & test(readme)'`.

use std::fmt::Write;
use std::path::Path;

use weighbridge_core::features::BodyNeed;
use weighbridge_scene_extract::extractors;

const BEGIN: &str = "<!-- extractors: made by worker/scene/extract/tests/it/readme.rs -->\n";
const END: &str = "<!-- end of extractors -->";

fn table() -> String {
    let mut table = "\n| factor | what | body read |\n|---|---|---|\n".to_owned();
    for extractor in extractors() {
        let body = match extractor.body_need() {
            BodyNeed::Nothing => "none",
            BodyNeed::Prefix => "its beginning",
            BodyNeed::Whole => "all",
        };
        let syntax = extractor.syntax().replace(',', ", ");
        writeln!(table, "| `{syntax}` | {} | {body} |", extractor.about()).unwrap();
    }
    table + "\n"
}

#[test]
fn the_readme_lists_every_extractor() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../lb/README.md");
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
