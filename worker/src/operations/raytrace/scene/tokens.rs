//! The tokens of a scene, and their lines for those who made a mistake.

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
    pub(super) fn new(text: &'a str) -> Tokens<'a> {
        Tokens { text, rest: text, token: "" }
    }

    /// The next token.
    pub(super) fn word(&mut self, expected: &'static str) -> Result<&'a str, SceneError> {
        let start = self.rest.trim_start();
        if start.is_empty() {
            return Err(SceneError::Truncated(expected));
        }
        let end = start.find(char::is_whitespace).unwrap_or(start.len());
        (self.token, self.rest) = start.split_at(end);
        Ok(self.token)
    }

    /// The next token, as a finite number.
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
    pub(super) fn count(&mut self, expected: &'static str) -> Result<usize, SceneError> {
        self.word(expected)?.parse().map_err(|_| self.unexpected(expected))
    }

    /// The next token, as an index into the `n` pigments or finishes.
    pub(super) fn index(&mut self, kind: &'static str, n: usize) -> Result<usize, SceneError> {
        match self.count(kind)? {
            index if index < n => Ok(index),
            index => Err(SceneError::NoSuch { line: self.line(), kind, index, n }),
        }
    }

    /// The error that the token read last is not what was expected.
    pub(super) fn unexpected(&self, expected: &'static str) -> SceneError {
        const SHOWN_CHARS_MAX: usize = 32;

        let token = self.token.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug).collect();
        SceneError::Unexpected { line: self.line(), token, expected }
    }

    /// The line of the token read last, from one.
    fn line(&self) -> usize {
        let read = self.text.len() - self.rest.len();
        self.text[..read].matches('\n').count() + 1
    }
}
