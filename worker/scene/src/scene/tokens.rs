//! The tokens of a scene, and the lines that they are in, for error messages.

use std::str::FromStr;

use super::SceneError;

/// The tokens that are left.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    text: &'a str,
    rest: &'a str,
    /// The token that was read last.
    token: &'a str,
}

// === impl Tokens ===

impl<'a> Tokens<'a> {
    #[inline]
    pub(super) fn new(text: &'a str) -> Tokens<'a> {
        Tokens { text, rest: text, token: "" }
    }

    /// The next token.
    #[inline]
    pub(super) fn word(&mut self, expected: &'static str) -> Result<&'a str, SceneError> {
        let start = self.rest.trim_start();
        if start.is_empty() {
            return Err(SceneError::Truncated(expected));
        }
        (self.token, self.rest) = start.split_at(word_bytes(start));
        Ok(self.token)
    }

    /// The next token, as a finite number.
    #[inline]
    pub(super) fn float<F: FromStr + Into<f64> + Copy>(
        &mut self,
        expected: &'static str,
    ) -> Result<F, SceneError> {
        match self.word(expected)?.parse::<F>() {
            Ok(number) if number.into().is_finite() => Ok(number),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// The next token, as a count.
    #[inline]
    pub(super) fn count(&mut self, expected: &'static str) -> Result<usize, SceneError> {
        self.word(expected)?.parse().map_err(|_| self.unexpected(expected))
    }

    /// The next token, as an index into the `n` pigments or finishes.
    #[inline]
    pub(super) fn index(&mut self, kind: &'static str, n: usize) -> Result<usize, SceneError> {
        match self.count(kind)? {
            index if index < n => Ok(index),
            index => Err(SceneError::NoSuch { line: self.line(), kind, index, n }),
        }
    }

    /// The error that the token read last is not what was expected.
    #[cold]
    pub(super) fn unexpected(&self, expected: &'static str) -> SceneError {
        const SHOWN_CHARS_MAX: usize = 32;

        let token = self.token.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
        SceneError::Unexpected { line: self.line(), token, expected }
    }

    /// The line of the token read last, from one.
    #[cold]
    fn line(&self) -> usize {
        let read = self.text.len() - self.rest.len();
        self.text[..read].matches('\n').count() + 1
    }
}

/// How many bytes of `text` are in front of its first white space. Nearly all text is ASCII, which
/// is looked at byte by byte.
#[inline]
fn word_bytes(text: &str) -> usize {
    let ends = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ') || !byte.is_ascii();
    match text.as_bytes().iter().position(ends) {
        None => text.len(),
        Some(at) if text.as_bytes()[at].is_ascii() => at,
        Some(at) => text[at..].find(char::is_whitespace).map_or(text.len(), |more| at + more),
    }
}
