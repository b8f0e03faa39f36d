//! TOML documents, and their tables as layers.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::{ConfigError, Mistake};

/// A TOML document.
#[derive(Debug)]
pub struct Document<'d> {
    text: &'d str,
    pub(super) origin: Origin,
    root: Spanned<DeTable<'d>>,
    /// What of it is not TOML.
    pub(super) syntax: Vec<ConfigError>,
}

/// Who wrote a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The operator, on the command line.
    Options,
    /// The operator, in a file: its lines are told.
    File,
    /// The program.
    Defaults,
}

/// The table as one of the documents has it.
#[derive(Debug, Clone)]
pub(super) struct Layer<'r> {
    pub(super) table: &'r DeTable<'r>,
    /// Names of the tables around and of this one: `scale`, `routes[2]`; empty at the root.
    pub(super) path: String,
    /// Line where it begins.
    pub(super) line: Option<usize>,
    pub(super) document: &'r Document<'r>,
}

// === impl Document ===

impl<'d> Document<'d> {
    /// One that the program itself has written. Mistakes in it have no line.
    pub fn defaults(text: &'d str) -> Document<'d> {
        Document::parse(text, Origin::Defaults)
    }

    pub(super) fn parse(text: &'d str, origin: Origin) -> Document<'d> {
        let (root, mistakes) = DeTable::parse_recoverable(text);
        let mut document = Document { text, origin, root, syntax: Vec::new() };
        let told = mistakes.iter().map(|error| ConfigError {
            line: document.line(error.span().map_or(0, |span| span.start)),
            mistake: Mistake::Syntax(error.message().to_owned()),
        });
        document.syntax = told.collect();
        document
    }

    /// The line of a byte, from 1; `None` where the operator has no such file.
    pub(super) fn line(&self, byte: usize) -> Option<usize> {
        let line = || 1 + self.text.bytes().take(byte).filter(|b| *b == b'\n').count();
        (self.origin == Origin::File).then(line)
    }

    /// The value as written, cut where it is long; tables and lists by their type.
    pub(super) fn show(&self, value: &Spanned<DeValue<'_>>) -> String {
        let written = match value.get_ref() {
            DeValue::Table(_) => "a table",
            DeValue::Array(_) => "a list",
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => self.text.get(value.span()).unwrap_or_default(),
        };
        let line = written.lines().next().unwrap_or_default();
        line.chars().take(60).collect()
    }
}

// === impl Layer ===

impl<'r> Layer<'r> {
    /// The whole document, as the table of that name.
    pub(super) fn root(document: &'r Document<'r>, path: String) -> Layer<'r> {
        Layer { table: document.root.get_ref(), path, line: document.line(0), document }
    }

    /// Whether the operator wrote it.
    pub(super) fn is_written(&self) -> bool {
        match self.document.origin {
            Origin::Options | Origin::File => true,
            Origin::Defaults => false,
        }
    }

    pub(super) fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn value_line(&self, value: &Spanned<DeValue<'_>>) -> Option<usize> {
        self.document.line(value.span().start)
    }

    /// The line of `key`, or that of the table where the key is not in it.
    pub(super) fn key_line(&self, key: &str) -> Option<usize> {
        let found = self.table.get_key_value(key);
        found.map_or(self.line, |(key, _)| self.document.line(key.span().start))
    }

    pub(super) fn table(&self, key: &str, value: &'r Spanned<DeValue<'r>>) -> Option<Layer<'r>> {
        self.item(self.name(key), value)
    }

    pub(super) fn item(&self, path: String, value: &'r Spanned<DeValue<'r>>) -> Option<Layer<'r>> {
        let line = self.value_line(value);
        let table = value.get_ref().as_table()?;
        Some(Layer { table, path, line, document: self.document })
    }
}
