//! The default file against the code that reads it.

use std::collections::BTreeMap;

use super::*;

/// The longest line, in characters.
const LINE_MAX: usize = 100;

/// What stands in the default file: the name of each key and table, with the comment above it.
fn written() -> Vec<(String, String)> {
    let (mut found, mut table) = (Vec::new(), String::new());
    let mut comment = String::new();
    for line in Config::default_text().lines() {
        let example = line.trim_start_matches(['#', ' ']);
        if let Some(name) = example.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let name = name.trim_matches(['[', ']']).to_owned();
            if !line.starts_with('#') {
                table.clone_from(&name);
            }
            found.push((name, comment.clone()));
        } else if let Some((name, _)) = line.split_once(" = ")
            && !line.starts_with(['#', ' '])
        {
            let name = if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") };
            found.push((name, comment.clone()));
        }
        match line.strip_prefix("# ") {
            Some(text) => comment = format!("{comment} {text}"),
            None => comment.clear(),
        }
    }
    found
}

/// What the comment on a key that takes `expected` has to say: its range, and each of its words.
fn told(expected: &str) -> Vec<String> {
    let plain = expected.replace('"', "");
    let range = plain.split_once("from ").filter(|(_, rest)| rest.contains(" to "));
    let range = range.map(|(_, rest)| rest.split_once(',').map_or(rest, |(range, _)| range));
    let range = range.map(str::to_owned);
    let words = expected.split('"').skip(1).step_by(2);
    let words = words.filter(|word| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
    });
    range.into_iter().chain(words.map(|word| format!("\"{word}\""))).collect()
}

fn known() -> BTreeMap<String, String> {
    let reader = Reader::new("", Config::default_text());
    proxy::read(&reader, &extractors());
    reader.known()
}

#[test]
fn everything_that_is_read_stands_there_and_nothing_else() {
    let (known, written) = (known(), written());
    // What an entry of a list has in common with the table of its defaults stands there.
    let own = ["routes[].name", "routes[].path"];
    for key in known.keys().filter(|key| !key.contains("[]") || own.contains(&key.as_str())) {
        let key = key.replace("[]", "");
        assert!(written.iter().any(|(name, _)| *name == key), "`{key}` is not in the default file");
    }
    for (name, _) in &written {
        let in_list = name.replacen("routes.", "routes[].", 1);
        assert!(known.contains_key(name) || known.contains_key(&in_list), "`{name}` is not read");
    }
}

#[test]
fn every_comment_says_the_range_or_the_words_that_its_key_takes() {
    let known = known();
    let mut checked = 0;
    for (name, comment) in written() {
        let Some(expected) = known.get(&name) else { continue };
        for part in told(expected) {
            assert!(comment.contains(&part), "`{name}` lacks `{part}` in:{comment}");
            checked += 1;
        }
    }
    assert!(80 < checked, "{checked} ranges and words were looked for");
}

#[test]
fn the_lines_of_the_default_file_are_short() {
    for line in Config::default_text().lines() {
        assert!(line.chars().count() <= LINE_MAX, "longer than {LINE_MAX}: {line}");
    }
}
