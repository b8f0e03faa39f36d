//! A default document as the reference of its keys: a comment on each says what it takes.
//!
//! Tests compare such a document with the code that reads it.

use std::collections::BTreeMap;

/// Where the document `defaults` and the code that reads it disagree, a line each; empty where all
/// is well. `known` is [`super::Reader::known`] after everything has been read.
///
/// Every key that is read has to stand there, but those of lists: what their entries have in common
/// stands in a table of its own, except for the keys `own`. Every key that stands there has to be
/// read, and its comment has to name the range or the words that it takes.
pub fn disagreements(
    defaults: &str,
    known: &BTreeMap<String, String>,
    own: &[&str],
) -> Vec<String> {
    let written = written(defaults);
    let mut told = Vec::new();
    for key in known.keys().filter(|key| !key.contains("[]") || own.contains(&key.as_str())) {
        let key = key.replace("[]", "");
        if !written.iter().any(|(name, _)| *name == key) {
            told.push(format!("`{key}` is not in the default document"));
        }
    }
    for (name, comment) in &written {
        match known.get(name) {
            Some(expected) => told.extend(lacks(name, comment, expected)),
            None if known.keys().any(|key| key.replace("[]", "") == *name) => {}
            None => told.push(format!("`{name}` is not read")),
        }
    }
    told
}

/// What stands in the document: the name of each key and table, with the comment above it.
fn written(defaults: &str) -> Vec<(String, String)> {
    let (mut found, mut table) = (Vec::new(), String::new());
    let mut comment = String::new();
    for line in defaults.lines() {
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

fn lacks(name: &str, comment: &str, expected: &str) -> Vec<String> {
    let parts = parts(expected).into_iter();
    let missing = parts.filter(|part| !comment.contains(part));
    missing.map(|part| format!("`{name}` lacks `{part}` in:{comment}")).collect()
}

/// What the comment on a key that takes `expected` has to say: its range, and each of its words.
fn parts(expected: &str) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with `defaults`, where the key `[a] b` takes a number from 1 to 2 or "auto".
    fn check(defaults: &str, expected: &[&str]) {
        let known = [("a", ""), ("a.b", "\"auto\" or a whole number from 1 to 2")];
        let known = known.map(|(key, takes)| (key.to_owned(), takes.to_owned()));
        assert_eq!(disagreements(defaults, &BTreeMap::from(known), &[]), expected);
    }

    #[test]
    fn a_comment_names_the_range_and_the_words() {
        check("[a]\n# From 1 to 2, or \"auto\".\nb = 1\n", &[]);
        check(
            "[a]\n# From 1 to 3.\nb = 1\n",
            &["`a.b` lacks `1 to 2` in: From 1 to 3.", "`a.b` lacks `\"auto\"` in: From 1 to 3."],
        );
    }

    #[test]
    fn keys_are_those_that_are_read() {
        check("[a]\n# From 1 to 2, or \"auto\".\nb = 1\nc = 1\n", &["`a.c` is not read"]);
        check("[a]\n", &["`a.b` is not in the default document"]);
    }
}
