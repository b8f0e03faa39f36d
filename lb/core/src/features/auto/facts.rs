//! Facts on their way into the columns of a schema.

use super::{Schema, UNKNOWN_MAX};
use crate::features::FEATURE_MAX;

/// The most facts of one request's head that are looked at, and of its body.
const HEAD_FACTS_MAX: usize = 256;
const BODY_FACTS_MAX: usize = 4096;

/// Longer names are no facts.
const NAME_BYTES_MAX: usize = 64;

/// Longer texts are no words of an enumeration.
const WORD_BYTES_MAX: usize = 20;

/// Facts whose names hold one of these are left out: words are shown to operators.
const SECRETS: [&str; 8] =
    ["token", "secret", "password", "passwd", "authoriz", "cookie", "session", "signature"];

/// Takes the facts of one request.
#[derive(Debug)]
pub(super) struct Sink<'a> {
    schema: &'a Schema,
    values: &'a mut [f64],
    /// Facts that the schema does not have.
    pub(super) unknown: Vec<String>,
    /// The name of the fact at hand.
    name: String,
    /// Facts that may still come.
    left: usize,
}

impl<'a> Sink<'a> {
    pub(super) fn new(schema: &'a Schema, values: &'a mut [f64]) -> Sink<'a> {
        let name = String::with_capacity(2 * NAME_BYTES_MAX);
        Sink { schema, values, unknown: Vec::new(), name, left: HEAD_FACTS_MAX }
    }

    /// From now on, facts are of the body.
    pub(super) fn begin_body(&mut self) {
        self.left = BODY_FACTS_MAX;
    }

    /// Whether no more facts are taken.
    pub(super) fn is_full(&self) -> bool {
        self.left == 0
    }

    /// Names the fact to come: `query.` and `width`. False where it cannot be one.
    fn begin(&mut self, prefix: &str, name: &str) -> bool {
        let is_long = NAME_BYTES_MAX < prefix.len() + name.len();
        if self.is_full() || is_long || (name.is_empty() && prefix.ends_with('.')) {
            return false;
        }
        self.left -= 1;
        self.name.clear();
        self.name.push_str(prefix);
        self.name.push_str(name);
        true
    }

    /// A number.
    pub(super) fn number(&mut self, prefix: &str, name: &str, value: f64) {
        if self.begin(prefix, name) {
            self.add(value);
        }
    }

    /// A text: its number where it is one; else its length, and which word it is.
    pub(super) fn text(&mut self, prefix: &str, name: &str, text: &str) {
        let text = text.trim();
        if !self.begin(prefix, name) {
            return;
        }
        if let Some(number) = number(text) {
            self.add(number);
            return;
        }
        self.add_word(text);
        self.name.push_str(".length");
        self.add(text.len() as f64);
    }

    /// Which word a text is, whatever its length.
    pub(super) fn word(&mut self, prefix: &str, name: &str, text: &str) {
        if self.begin(prefix, name) {
            self.add_word(text);
        }
    }

    fn add_word(&mut self, word: &str) {
        let is_short = !word.is_empty() && word.len() <= WORD_BYTES_MAX;
        if !is_short || self.schema.free_texts.contains(self.name.as_str()) {
            return;
        }
        let end = self.name.len();
        self.name.push('=');
        self.name.push_str(word);
        self.add(1.0);
        self.name.truncate(end);
    }

    /// Adds to the fact at hand; what comes twice is summed up.
    fn add(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        if let Some(place) = self.schema.places.get(self.name.as_str()) {
            if let Some(sum) = self.values.get_mut(*place) {
                *sum = (*sum + value).clamp(-FEATURE_MAX, FEATURE_MAX);
            }
        } else if self.unknown.len() < UNKNOWN_MAX
            && !self.unknown.contains(&self.name)
            && is_candidate(&self.name)
        {
            self.unknown.push(self.name.clone());
        }
    }
}

/// Whether a column may have this name.
pub(super) fn is_candidate(name: &str) -> bool {
    const BEGIN: [&str; 5] = ["query.", "header.", "body.", "path.", "method="];

    let is_long = NAME_BYTES_MAX + ".length".len().max(1 + WORD_BYTES_MAX) < name.len();
    let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'`+<>".contains(&byte));
    !is_long
        && is_plain
        && BEGIN.iter().any(|begin| name.strip_prefix(begin).is_some_and(|rest| !rest.is_empty()))
        && !is_secret(name.split('=').next().unwrap_or_default())
}

/// The name of the text of which `name` is a word.
pub(super) fn text_of_word(name: &str) -> Option<&str> {
    name.split_once('=').map(|(text, _)| text)
}

/// Whether a name sounds as if its value were nobody's business.
fn is_secret(name: &str) -> bool {
    let name = name.strip_suffix(".length").unwrap_or(name);
    let holds = |part: &&str| {
        name.as_bytes().windows(part.len()).any(|at| at.eq_ignore_ascii_case(part.as_bytes()))
    };
    SECRETS.iter().any(holds) || name.to_ascii_lowercase().ends_with("key")
}

/// A decimal number. `inf`, `nan` and what is longer than any number are none.
fn number(text: &str) -> Option<f64> {
    let begins = text.bytes().next().is_some_and(|b| b.is_ascii_digit() || b"+-.".contains(&b));
    if !begins || 32 < text.len() {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}
