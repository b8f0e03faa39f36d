//! One table of the documents, being read.

use std::cell::RefCell;

use toml::Spanned;
use toml::de::DeValue;

use super::{Document, Layer, Reader, nearest};
use crate::config::Mistake;

/// One table, being read.
///
/// Each method that reads a key takes the first layer's value that is good. A key that no layer has
/// is a mistake, too.
#[derive(Debug)]
#[must_use = "the reading of a table ends with `finish`"]
pub struct Section<'r> {
    reader: &'r Reader<'r>,
    /// First found, first taken.
    layers: Vec<Layer<'r>>,
    /// So many of them, from the first on, hold no key but those that are asked for.
    n_own: usize,
    /// Where the file began it, or the nearest table around it that the file has.
    line: Option<usize>,
    known: Vec<&'static str>,
    /// Keys of its own whose values were wrong.
    wrong: RefCell<Vec<&'static str>>,
}

// === impl Section ===

impl<'r> Section<'r> {
    /// A table that has been found in `layers`.
    pub(super) fn new(
        reader: &'r Reader<'r>,
        layers: Vec<Layer<'r>>,
        n_own: usize,
        line: Option<usize>,
    ) -> Section<'r> {
        Section { reader, layers, n_own, line, known: Vec::new(), wrong: RefCell::default() }
    }

    /// The table `key` in this one.
    pub fn table(&mut self, key: &'static str) -> Section<'r> {
        self.ask(key, "");
        let mut layers = Vec::new();
        for layer in &self.layers {
            let Some(value) = layer.table.get(key) else { continue };
            match layer.table(key, value) {
                Some(table) => layers.push(table),
                None => self.tell_value(layer, key, value, "a table"),
            }
        }
        self.reader.section(layers, self.line)
    }

    /// Whether `key` in this very table, rather than in what it falls back on, is a table.
    pub fn has_own_table(&self, key: &str) -> bool {
        let mut own = self.layers.iter().take(self.n_own);
        let found = own.find_map(|layer| layer.table.get(key));
        found.is_some_and(|value| value.get_ref().is_table())
    }

    /// The table `key` in this one, which may be no table in what this one falls back on.
    pub fn own_table(&mut self, key: &'static str) -> Section<'r> {
        self.ask(key, "");
        let layers = self.layers.iter().take(self.n_own);
        let tables = layers.filter_map(|layer| layer.table(key, layer.table.get(key)?));
        self.reader.section(tables.collect(), self.line)
    }

    /// The tables in the list `key`; each falls back on `defaults` for what it leaves out. The
    /// default file's list counts only where the operator has none.
    pub fn tables(&mut self, key: &'static str, defaults: &Section<'r>) -> Vec<Section<'r>> {
        self.ask(key, "");
        let found = self.layers.iter().find_map(|l| l.table.get(key).map(|value| (l, value)));
        let Some((layer, value)) = found else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.tell_value(layer, key, value, "a list of tables");
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let path = format!("{}[{i}]", layer.name(key));
            match layer.item(path, item) {
                Some(table) => {
                    let layers = std::iter::once(table).chain(defaults.layers.iter().cloned());
                    tables.push(self.reader.section_of(layers.collect(), 1, self.line));
                }
                None => self.tell_value(layer, key, item, "a list of tables"),
            }
        }
        tables
    }

    /// The tables in the table `key`, with their names, which the operator chooses; each falls back
    /// on `defaults` for what it leaves out.
    pub fn named(
        &mut self,
        key: &'static str,
        defaults: &Section<'r>,
    ) -> Vec<(String, Section<'r>)> {
        self.ask(key, "");
        let mut tables = Vec::new();
        for layer in &self.layers {
            let Some(value) = layer.table.get(key) else { continue };
            let Some(named) = value.get_ref().as_table() else {
                self.tell_value(layer, key, value, "a table of tables");
                continue;
            };
            for (name, item) in named {
                let path = format!("{}.{}", layer.name(key), name.get_ref());
                match layer.item(path, item) {
                    Some(table) => {
                        let layers = std::iter::once(table).chain(defaults.layers.iter().cloned());
                        let section = self.reader.section_of(layers.collect(), 1, self.line);
                        tables.push((name.get_ref().to_string(), section));
                    }
                    None => self.tell_value(layer, key, item, "a table of tables"),
                }
            }
        }
        tables
    }

    /// The same table from the start, to be what others fall back on.
    pub fn reading_again(&self) -> Section<'r> {
        self.reader.section_of(self.layers.clone(), self.n_own, self.line)
    }

    /// A table that has nothing: what the entries of a list fall back on that have no defaults.
    pub fn nothing(&self) -> Section<'r> {
        self.reader.section_of(Vec::new(), 0, self.line)
    }

    /// This table with `documents` beneath what it has so far, the first of them on top: each is,
    /// as a whole, this table once more.
    pub fn falling_back_on<'s>(self, documents: &'s [Document<'s>]) -> Section<'s>
    where
        'r: 's,
    {
        let path = self.layers.first().map_or(String::new(), |layer| layer.path.clone());
        let syntax = documents.iter().flat_map(|document| document.syntax.clone());
        self.reader.errors.borrow_mut().extend(syntax);
        let mut section: Section<'s> = self;
        section.layers.extend(documents.iter().map(|one| Layer::root(one, path.clone())));
        section
    }

    /// Whether the operator wrote `key`, a value or a table.
    pub fn wrote(&self, key: &str) -> bool {
        self.written(&[key]).is_some()
    }

    /// Whether the operator wrote `key` in this very table, rather than in one that it falls back
    /// on.
    pub fn wrote_itself(&self, key: &str) -> bool {
        let own = self.layers.iter().take(self.n_own).filter(|layer| layer.is_written());
        own.into_iter().any(|layer| layer.table.contains_key(key))
    }

    /// Whether the value of `key` could not be taken as it is written.
    pub fn is_wrong(&self, key: &str) -> bool {
        self.wrong.borrow().contains(&key)
    }

    /// Tells of a conflict between `keys`, where the operator wrote the first of them, unless it is
    /// `good` or one of their values is wrong by itself.
    pub fn check(&self, good: bool, keys: &[&str], conflict: impl FnOnce() -> String) {
        if good || keys.iter().any(|key| self.is_wrong(key)) {
            return;
        }
        let line = self.written(keys).map_or(self.line, |(layer, key)| layer.key_line(key));
        self.reader.tell(line, Mistake::Conflict(conflict()));
    }

    /// The full name of `key`, as the operator wrote it.
    pub fn name(&self, key: &str) -> String {
        let layer = self.written(&[key]).map(|(layer, _)| layer).or(self.layers.first());
        layer.map_or_else(|| key.to_owned(), |layer| layer.name(key))
    }

    /// The first of `keys` that the operator wrote.
    fn written<'k>(&self, keys: &[&'k str]) -> Option<(&Layer<'r>, &'k str)> {
        let own = self.layers.iter().filter(|layer| layer.is_written());
        own.flat_map(|layer| keys.iter().map(move |key| (layer, *key)))
            .find(|(layer, key)| layer.table.contains_key(*key))
    }

    /// Ends the reading of a table: a key that was not asked for is a mistake.
    pub fn finish(self) {
        for layer in self.layers.iter().take(self.n_own) {
            self.tell_unknown(layer);
        }
    }

    fn tell_unknown(&self, layer: &Layer<'_>) {
        for (key, _) in layer.table {
            if !self.known.contains(&key.get_ref().as_ref()) {
                let hint = nearest(key.get_ref(), &self.known);
                let hint = hint.map_or(String::new(), |name| {
                    format!("; did you mean `{}`?", layer.name(name))
                });
                let line = layer.document.line(key.span().start);
                let key = layer.name(key.get_ref());
                self.reader.tell(line, Mistake::UnknownKey { key, hint });
            }
        }
    }

    /// The value of `key` in the first layer where `convert` accepts it; every other one is a
    /// mistake.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        convert: impl Fn(&DeValue<'_>) -> Option<T>,
    ) -> Option<T> {
        self.ask(key, expected);
        let mut written = false;
        for layer in &self.layers {
            let Some(value) = layer.table.get(key) else { continue };
            if let Some(good) = convert(value.get_ref()) {
                return Some(good);
            }
            written = true;
            self.tell_value(layer, key, value, expected);
        }
        if let (false, Some(layer)) = (written, self.layers.first()) {
            let (name, expected) = (layer.name(key), expected.to_owned());
            self.wrong.borrow_mut().push(key);
            self.reader.tell(layer.line, Mistake::Missing { key: name, expected });
        }
        None
    }

    fn ask(&mut self, key: &'static str, expected: &str) {
        self.known.push(key);
        if let Some(layer) = self.layers.first() {
            let name = layer.name(key);
            let digits = |c: char| c.is_ascii_digit();
            let name: Vec<&str> = name.split('[').map(|s| s.trim_start_matches(digits)).collect();
            self.reader.known.borrow_mut().insert(name.join("["), expected.to_owned());
        }
    }

    fn tell_value(
        &self,
        layer: &Layer<'_>,
        key: &'static str,
        value: &Spanned<DeValue<'_>>,
        expected: &str,
    ) {
        self.wrong.borrow_mut().push(key);
        let key = layer.name(key);
        let (line, value) = (layer.value_line(value), layer.document.show(value));
        self.reader.tell(line, Mistake::Value { key, value, expected: expected.to_owned() });
    }
}
