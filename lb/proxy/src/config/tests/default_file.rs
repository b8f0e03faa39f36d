//! The default file against the code that reads it.

use super::*;

/// The longest line, in characters.
const LINE_MAX: usize = 100;

#[test]
fn the_default_file_is_a_reference_of_everything_that_is_read() {
    let reader = Reader::new("", Config::default_text());
    Config::read(reader.root(), &extractors());
    let known = reader.known();
    assert!(120 < known.len(), "{} keys are read", known.len());
    // What an entry of a list has in common with the table of its defaults stands there.
    let own = ["routes[].name", "routes[].path"];
    let told = reader::reference::disagreements(Config::default_text(), &known, &own);
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn the_lines_of_the_default_file_are_short() {
    for line in Config::default_text().lines() {
        assert!(line.chars().count() <= LINE_MAX, "longer than {LINE_MAX}: {line}");
    }
}
