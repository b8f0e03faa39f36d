//! Lines of comments are as long as lines of code at most: 100 columns.

use std::path::Path;

use crate::shell::{files_below, repository};

const COLUMNS_MAX: usize = 100;

/// What begins a comment in files that end so.
const LANGUAGES: [(&str, &str); 6] =
    [("rs", "//"), ("toml", "#"), ("sh", "#"), ("py", "#"), ("yaml", "#"), ("yml", "#")];

/// Folders that hold what others wrote.
const OTHERS: [&str; 2] = ["target", ".git"];

/// The comment of a line, where the line is nothing else.
fn comment<'l>(line: &'l str, begin: &str) -> Option<&'l str> {
    line.trim_start().strip_prefix(begin)
}

/// Whether a comment could be wrapped: a table, or one long word such as an address, cannot. Nor
/// can what is within fences.
fn can_be_wrapped(comment: &str) -> bool {
    let text = comment.trim_start_matches(['/', '!']).trim();
    !text.starts_with('|') && text.contains(' ')
}

/// The lines of comments that are too long, each with its file.
fn too_long() -> Vec<String> {
    let mut found = Vec::new();
    let is_of_others = |path: &Path| OTHERS.iter().any(|other| path.ends_with(other));
    for path in files_below(repository(""), is_of_others) {
        let extension = path.extension().unwrap_or_default();
        let Some((_, begin)) = LANGUAGES.iter().find(|(end, _)| extension == *end) else {
            continue;
        };
        // What is not a text has no comments.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let mut is_picture = false;
        for (line, nth) in text.lines().zip(1..) {
            let Some(comment) = comment(line, begin) else {
                is_picture = false;
                continue;
            };
            is_picture ^= comment.trim_start_matches(['/', '!']).trim().starts_with("```");
            let is_long = COLUMNS_MAX < line.chars().count();
            if is_long && !is_picture && can_be_wrapped(comment) {
                found.push(format!("{}:{nth}", path.display()));
            }
        }
    }
    found
}

#[test]
fn no_line_of_a_comment_is_longer_than_a_line_of_code() {
    let found = too_long();
    assert!(found.is_empty(), "longer than {COLUMNS_MAX} columns:\n{}", found.join("\n"));
}

#[test]
fn what_cannot_be_wrapped_may_be_long() {
    let long = "x".repeat(COLUMNS_MAX);
    assert!(!can_be_wrapped(&format!("/ https://{long}")));
    assert!(!can_be_wrapped(&format!("! | a | {long} |")));
    assert!(can_be_wrapped(&format!("/ a {long}")));
    assert_eq!(comment("    // text", "//"), Some(" text"));
    assert_eq!(comment("let a = 1; // text", "//"), None);
}
