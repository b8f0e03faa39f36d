//! The commands of the READMEs against the program: each is asked for its help, which it gives only
//! where what stands before it is right.

use crate::program::bench;

const PROGRAM: &str = "target/release/weighbridge-bench ";

#[test]
fn the_commands_of_the_readmes_exist() {
    let documents = [include_str!("../../../README.md"), include_str!("../../README.md")];
    let mut checked = 0;
    for line in documents.iter().flat_map(|document| document.lines()) {
        let Some(line) = line.strip_prefix(PROGRAM) else { continue };
        let line = line.split(" #").next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(bench(&format!("{} --help", words.join(" "))).contains("Usage:"), "{line}");
        checked += 1;
    }
    assert!(8 < checked, "{checked} commands were tried");
}
