//! Walks a TOML document key by key and collects every mistake with its line.
//!
//! Each table is read in layers: the operator's file first, then the default file. A value that is
//! wrong is a mistake, and the next layer's value stands in for it, so that reading goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::values;
use super::{ConfigError, Mistake};

/// Both documents, and what has been found out about the operator's.
#[derive(Debug)]
pub(super) struct Reader<'d> {
    file: Document<'d>,
    defaults: Document<'d>,
    errors: RefCell<Vec<ConfigError>>,
    /// Every key that has been asked for, with the names of its tables, and what it takes.
    known: RefCell<BTreeMap<String, String>>,
}

/// One table, being read.
#[derive(Debug)]
pub(super) struct Section<'r> {
    reader: &'r Reader<'r>,
    /// First found, first taken.
    layers: Vec<Layer<'r>>,
    /// Where the operator began it, or the nearest table around it that the operator wrote.
    line: usize,
    known: Vec<&'static str>,
    /// Keys of its own whose values were wrong.
    wrong: RefCell<Vec<&'static str>>,
}

/// The table as one of the documents has it.
#[derive(Debug, Clone)]
struct Layer<'r> {
    table: &'r DeTable<'r>,
    /// Names of the tables around and of this one: `scale`, `routes[2]`; empty at the root.
    path: String,
    /// Line where it begins.
    line: usize,
    document: &'r Document<'r>,
}

#[derive(Debug)]
struct Document<'d> {
    text: &'d str,
    root: Spanned<DeTable<'d>>,
}

// === impl Reader ===

impl<'d> Reader<'d> {
    pub(super) fn new(text: &'d str, defaults: &'d str) -> Reader<'d> {
        let mut errors = Vec::new();
        let file = Document::parse(text, &mut errors);
        let defaults = Document::parse(defaults, &mut errors);
        Reader { file, defaults, errors: RefCell::new(errors), known: RefCell::default() }
    }

    /// The table that has no name.
    pub(super) fn root(&self) -> Section<'_> {
        let layer = |document| Layer::root(document);
        self.section(vec![layer(&self.file), layer(&self.defaults)], 1)
    }

    /// Every mistake so far, in the order of lines, each once.
    pub(super) fn into_errors(self) -> Vec<ConfigError> {
        let mut errors = self.errors.into_inner();
        errors.sort();
        errors.dedup();
        errors
    }

    /// Every key that has been asked for, and what it takes (nothing of tables); what stands in
    /// lists is `routes[].name`.
    #[cfg(test)]
    pub(super) fn known(&self) -> BTreeMap<String, String> {
        self.known.borrow().clone()
    }

    fn section<'r>(&'r self, layers: Vec<Layer<'r>>, line_around: usize) -> Section<'r> {
        let own = layers.iter().find(|layer| self.wrote(layer));
        let line = own.map_or(line_around, |layer| layer.line);
        Section { reader: self, layers, line, known: Vec::new(), wrong: RefCell::default() }
    }

    /// Whether the layer is of the operator's file.
    fn wrote(&self, layer: &Layer<'_>) -> bool {
        std::ptr::eq(layer.document.text, self.file.text)
    }

    fn tell(&self, line: usize, mistake: Mistake) {
        self.errors.borrow_mut().push(ConfigError { line, mistake });
    }
}

// === impl Document ===

impl<'d> Document<'d> {
    fn parse(text: &'d str, errors: &mut Vec<ConfigError>) -> Document<'d> {
        let (root, mistakes) = DeTable::parse_recoverable(text);
        let document = Document { text, root };
        errors.extend(mistakes.iter().map(|error| ConfigError {
            line: document.line(error.span().map_or(0, |span| span.start)),
            mistake: Mistake::Syntax(error.message().to_owned()),
        }));
        document
    }

    /// The line of a byte, from 1.
    fn line(&self, byte: usize) -> usize {
        1 + self.text.bytes().take(byte).filter(|b| *b == b'\n').count()
    }

    /// The value as written, cut where it is long; tables and lists by their type.
    fn show(&self, value: &Spanned<DeValue<'_>>) -> String {
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
    fn root(document: &'r Document<'r>) -> Layer<'r> {
        Layer { table: document.root.get_ref(), path: String::new(), line: 1, document }
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn value_line(&self, value: &Spanned<DeValue<'_>>) -> usize {
        self.document.line(value.span().start)
    }

    /// The line of `key`, or that of the table where the key is not in it.
    fn key_line(&self, key: &str) -> usize {
        let found = self.table.get_key_value(key);
        found.map_or(self.line, |(key, _)| self.document.line(key.span().start))
    }

    fn table(&self, key: &str, value: &'r Spanned<DeValue<'r>>) -> Option<Layer<'r>> {
        self.item(self.name(key), value)
    }

    fn item(&self, path: String, value: &'r Spanned<DeValue<'r>>) -> Option<Layer<'r>> {
        let line = self.value_line(value);
        let table = value.get_ref().as_table()?;
        Some(Layer { table, path, line, document: self.document })
    }
}

// === impl Section ===

impl<'r> Section<'r> {
    /// A whole number within `range`.
    pub(super) fn whole<T>(&mut self, key: &'static str, range: RangeInclusive<u64>) -> T
    where
        T: TryFrom<u64> + Default,
    {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let read = |value: &DeValue<'_>| T::try_from(values::whole(value, &range)?).ok();
        self.read(key, &expected, read).unwrap_or_default()
    }

    /// A whole number within `range`, or `"auto"`, which is `auto`.
    pub(super) fn whole_or_auto(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        auto: usize,
    ) -> usize {
        let (least, most) = (range.start(), range.end());
        let expected = format!("\"auto\" or a whole number from {least} to {most}");
        let read = |value: &DeValue<'_>| match value.as_str() {
            Some(word) => (word == "auto").then_some(auto),
            None => usize::try_from(values::whole(value, &range)?).ok(),
        };
        self.read(key, &expected, read).unwrap_or_default()
    }

    /// A number within `range`, with or without a fraction.
    pub(super) fn number(&mut self, key: &'static str, range: RangeInclusive<f64>) -> f64 {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        let read =
            |value: &DeValue<'_>| values::number(value).filter(|number| range.contains(number));
        self.read(key, &expected, read).unwrap_or_default()
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str) -> bool {
        let read = |value: &DeValue<'_>| value.as_bool();
        self.read(key, "true or false", read).unwrap_or_default()
    }

    /// A duration within `range`.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let (least, most) = (*range.start(), *range.end());
        let (least, most) = (values::show_duration(least), values::show_duration(most));
        let expected = format!("a duration from \"{least}\" to \"{most}\", such as \"250ms\"");
        let read = |value: &DeValue<'_>| {
            values::duration(value.as_str()?).filter(|span| range.contains(span))
        };
        self.read(key, &expected, read).unwrap_or_default()
    }

    /// A duration within `range`, or `"auto"`, which is `auto`.
    pub(super) fn duration_or_auto(
        &mut self,
        key: &'static str,
        range: RangeInclusive<Duration>,
        auto: Duration,
    ) -> Duration {
        let (least, most) = (*range.start(), *range.end());
        let (least, most) = (values::show_duration(least), values::show_duration(most));
        let expected = format!("\"auto\" or a duration from \"{least}\" to \"{most}\"");
        let read = |value: &DeValue<'_>| match value.as_str()? {
            "auto" => Some(auto),
            text => values::duration(text).filter(|span| range.contains(span)),
        };
        self.read(key, &expected, read).unwrap_or_default()
    }

    /// A number of bytes within `range`.
    pub(super) fn size(&mut self, key: &'static str, range: RangeInclusive<u64>) -> u64 {
        let (least, most) = (values::show_size(*range.start()), values::show_size(*range.end()));
        let expected = format!("a size from \"{least}\" to \"{most}\", such as \"64MiB\"");
        let read =
            |value: &DeValue<'_>| values::size(value.as_str()?).filter(|size| range.contains(size));
        self.read(key, &expected, read).unwrap_or_default()
    }

    /// The meaning of one of the words; never empty.
    pub(super) fn word<T: Copy>(&mut self, key: &'static str, words: &[(&'static str, T)]) -> T {
        let names: Vec<String> = words.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let read = |value: &DeValue<'_>| {
            let written = value.as_str()?;
            words.iter().find(|(name, _)| *name == written).map(|(_, meaning)| *meaning)
        };
        let found = self.read(key, &names.join(" or "), read);
        found.unwrap_or_else(|| words[0].1)
    }

    /// A text that `parse` accepts.
    pub(super) fn text<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.read(key, expected, |value| parse(value.as_str()?))
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &'static str, expected: &str) -> Vec<String> {
        let read = |value: &DeValue<'_>| {
            let text = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned);
            value.as_array()?.iter().map(text).collect()
        };
        self.read(key, expected, read).unwrap_or_default()
    }

    /// The table `key` in this one.
    pub(super) fn table(&mut self, key: &'static str) -> Section<'r> {
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

    /// The tables in the list `key`; each falls back on `defaults` for what it leaves out. The
    /// default file's list counts only where the operator has none.
    pub(super) fn tables(&mut self, key: &'static str, defaults: &Section<'r>) -> Vec<Section<'r>> {
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
                    tables.push(self.reader.section(layers.collect(), self.line));
                }
                None => self.tell_value(layer, key, item, "a list of tables"),
            }
        }
        tables
    }

    /// The same table from the start, to be what others fall back on.
    pub(super) fn reading_again(&self) -> Section<'r> {
        self.reader.section(self.layers.clone(), self.line)
    }

    /// Whether the value of `key` could not be taken as it is written.
    pub(super) fn is_wrong(&self, key: &str) -> bool {
        self.wrong.borrow().contains(&key)
    }

    /// Tells of a conflict between `keys`, where the operator wrote the first of them, unless it is
    /// `good` or one of their values is wrong by itself.
    pub(super) fn check(&self, good: bool, keys: &[&str], conflict: impl FnOnce() -> String) {
        if good || keys.iter().any(|key| self.is_wrong(key)) {
            return;
        }
        let line = self.written(keys).map_or(self.line, |(layer, key)| layer.key_line(key));
        self.reader.tell(line, Mistake::Conflict(conflict()));
    }

    /// The full name of `key`, as the operator wrote it.
    pub(super) fn name(&self, key: &str) -> String {
        let layer = self.written(&[key]).map(|(layer, _)| layer).or(self.layers.first());
        layer.map_or_else(|| key.to_owned(), |layer| layer.name(key))
    }

    /// The first of `keys` that the operator wrote.
    fn written<'k>(&self, keys: &[&'k str]) -> Option<(&Layer<'r>, &'k str)> {
        let own = self.layers.iter().filter(|layer| self.reader.wrote(layer));
        own.flat_map(|layer| keys.iter().map(move |key| (layer, *key)))
            .find(|(layer, key)| layer.table.contains_key(*key))
    }

    /// Ends the reading of a table: a key that was not asked for is a mistake.
    pub(super) fn finish(self) {
        let Some(layer) = self.layers.first() else { return };
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

    fn read<T>(
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

/// The one of `names` that `written` probably means.
pub(super) fn nearest<'n>(written: &str, names: &[&'n str]) -> Option<&'n str> {
    let likeness = |name: &str| strsim::jaro_winkler(written, name);
    let best = names.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (0.8 <= likeness(best)).then_some(best)
}
