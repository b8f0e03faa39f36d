//! Takes a body of `multipart/form-data` (RFC 7578) apart, without copying it.
//!
//! ```text
//! --BOUNDARY CRLF  head CRLF CRLF  content CRLF --BOUNDARY ... CRLF --BOUNDARY--
//! ```
//!
//! Cost: linear in the length of the body. At most [`PARTS_MAX`] parts are read.

use std::fmt;

use memchr::memmem;

/// The most parts of a form.
pub const PARTS_MAX: usize = 1024;

/// The most bytes of a part's head.
const HEAD_BYTES_MAX: usize = 4096;

/// The most bytes of a boundary (RFC 2046).
const BOUNDARY_BYTES_MAX: usize = 70;

/// One part of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// The name of the field.
    pub name: String,
    /// The name of the file, where the part is one.
    pub file_name: Option<String>,
    /// What is in it.
    pub content: &'a [u8],
}

/// Why a body is no form, or from where on it is none. The client's fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormMistake {
    /// It is announced as something else, or as nothing.
    NotAForm(String),
    /// The content type has no boundary that can be one.
    NoBoundary,
    /// The boundary is nowhere in the body.
    NoPart,
    /// A boundary is followed by something else than a line's end.
    BadBoundary(usize),
    /// A part's head does not end, or is too long.
    BadHead(usize),
    /// A part has no name.
    NoName(usize),
    /// The last part does not end.
    Cut(usize),
    /// There are more parts than are read.
    TooMany,
}

/// Reads the parts, one after the other. Ends after the last one, or after a mistake.
#[derive(Debug)]
pub struct Parts<'a> {
    /// What is behind the boundary at hand.
    rest: &'a [u8],
    delimiter: Vec<u8>,
    n_read: usize,
    is_over: bool,
}

/// The parts of `body`, which came as `content_type`.
pub fn parts<'a>(content_type: &str, body: &'a [u8]) -> Result<Parts<'a>, FormMistake> {
    let is_form = content_type
        .trim_start()
        .get(..FORM.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(FORM));
    if !is_form {
        return Err(FormMistake::NotAForm(content_type.to_owned()));
    }
    let boundary = parameters(content_type).find(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    let boundary = boundary.map(|(_, value)| value).unwrap_or_default();
    if boundary.is_empty() || BOUNDARY_BYTES_MAX < boundary.len() {
        return Err(FormMistake::NoBoundary);
    }
    let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
    // The first boundary needs no line before it.
    let rest = match body.strip_prefix(&delimiter[2..]) {
        Some(rest) => rest,
        None => split(body, &delimiter).ok_or(FormMistake::NoPart)?.1,
    };
    Ok(Parts { rest, delimiter, n_read: 0, is_over: false })
}

const FORM: &str = "multipart/form-data";

impl<'a> Iterator for Parts<'a> {
    type Item = Result<Part<'a>, FormMistake>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over || self.rest.starts_with(b"--") {
            return None;
        }
        self.n_read += 1;
        let part = self.part();
        self.is_over = part.is_err();
        Some(part)
    }
}

// === impl Parts ===

impl<'a> Parts<'a> {
    fn part(&mut self) -> Result<Part<'a>, FormMistake> {
        let nth = self.n_read;
        if PARTS_MAX < nth {
            return Err(FormMistake::TooMany);
        }
        let line_end = self.rest.iter().position(|byte| !b" \t".contains(byte)).unwrap_or(0);
        let behind = self.rest[line_end..].strip_prefix(b"\r\n");
        let behind = behind.ok_or(FormMistake::BadBoundary(nth))?;
        let start = &behind[..behind.len().min(HEAD_BYTES_MAX)];
        let (head, _) = split(start, b"\r\n\r\n").ok_or(FormMistake::BadHead(nth))?;
        let content = &behind[head.len() + 4..];
        let (content, rest) = split(content, &self.delimiter).ok_or(FormMistake::Cut(nth))?;
        self.rest = rest;
        let (name, file_name) = names(head).ok_or(FormMistake::NoName(nth))?;
        Ok(Part { name, file_name, content })
    }
}

/// What is before the first `needle`, and what is behind it.
fn split<'a>(bytes: &'a [u8], needle: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memmem::find(bytes, needle)?;
    Some((&bytes[..at], &bytes[at + needle.len()..]))
}

/// The names that the head of a part gives: of the field, and of the file.
fn names(head: &[u8]) -> Option<(String, Option<String>)> {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-disposition"))?;
    let (mut name, mut file_name) = (None, None);
    for (key, value) in parameters(value) {
        if key.eq_ignore_ascii_case("name") {
            name = Some(value);
        } else if key.eq_ignore_ascii_case("filename") {
            file_name = Some(value);
        }
    }
    Some((name?, file_name))
}

/// The parameters behind the first `;` of a header's value, `NAME=VALUE` or `NAME="VALUE"`.
fn parameters(value: &str) -> impl Iterator<Item = (&str, String)> {
    let mut rest = value.split_once(';').map_or("", |(_, rest)| rest);
    std::iter::from_fn(move || {
        let (name, value) = rest.split_once('=')?;
        let name = name.trim_matches(|c: char| c == ';' || c.is_whitespace());
        let (value, behind) = match value.trim_start().strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => value.split_once(';').map_or_else(
                || (value.trim().to_owned(), ""),
                |(value, behind)| (value.trim().to_owned(), behind),
            ),
        };
        rest = behind;
        Some((name, value))
    })
}

/// What is before the closing quote, and what is behind it. Browsers write `%22` for a quote
/// within, others a backslash before it.
fn unquote(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value.replace("%22", "\""), &quoted[at + 1..]),
            '\\' if quoted[at + 1..].starts_with(['"', '\\']) => {
                value.extend(characters.next().map(|(_, escaped)| escaped));
            }
            other => value.push(other),
        }
    }
    (value, "")
}

// === impl FormMistake ===

impl fmt::Display for FormMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormMistake::NotAForm(other) => {
                write!(f, "the body is announced as `{other}`, expected `{FORM}`")
            }
            FormMistake::NoBoundary => write!(
                f,
                "the content type has no `boundary` of 1 to {BOUNDARY_BYTES_MAX} characters"
            ),
            FormMistake::NoPart => f.write_str("the boundary is nowhere in the body"),
            FormMistake::BadBoundary(nth) => {
                write!(f, "the boundary before part {nth} is not followed by a line's end")
            }
            FormMistake::BadHead(nth) => {
                write!(f, "the head of part {nth} has no end within {HEAD_BYTES_MAX} bytes")
            }
            FormMistake::NoName(nth) => {
                write!(f, "part {nth} has no `Content-Disposition` with a `name`")
            }
            FormMistake::Cut(nth) => write!(f, "the body ends within part {nth}"),
            FormMistake::TooMany => write!(f, "the form has more than {PARTS_MAX} parts"),
        }
    }
}

#[cfg(test)]
mod tests;
