//! Reads a scenario's keys one by one, and keeps every mistake: one run tells of them all.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::rc::Rc;

use toml::{Table, Value};

/// A table of the file. A key that nobody has asked for by the end is a mistake.
#[derive(Debug)]
pub(super) struct Reader {
    /// Names of the tables that it is in, with a dot after each.
    path: String,
    table: Table,
    asked: RefCell<Vec<String>>,
    mistakes: Rc<RefCell<Vec<String>>>,
}

// === impl Reader ===

impl Reader {
    pub(super) fn new(text: &str) -> Reader {
        let mistakes = Rc::new(RefCell::new(Vec::new()));
        let table = text.parse::<Table>().unwrap_or_else(|error| {
            mistakes.borrow_mut().push(format!("not TOML: {error}"));
            Table::new()
        });
        Reader { path: String::new(), table, asked: RefCell::default(), mistakes }
    }

    /// Sets a key, of a table within this one where one is named.
    pub(super) fn replace(&mut self, table: Option<&str>, key: &str, value: Value) {
        let Some(name) = table else {
            self.table.insert(key.to_owned(), value);
            return;
        };
        let table = self.table.entry(name).or_insert_with(|| Value::Table(Table::new()));
        if let Some(table) = table.as_table_mut() {
            table.insert(key.to_owned(), value);
        }
    }

    /// Adds a mistake that is not one key's.
    pub(super) fn mistake(&self, mistake: String) {
        self.mistakes.borrow_mut().push(mistake);
    }

    /// Ends with the whole file: all mistakes.
    pub(super) fn finish(self) -> Vec<String> {
        let mistakes = Rc::clone(&self.mistakes);
        self.done();
        mistakes.take()
    }

    /// Ends with this table.
    pub(super) fn done(self) {
        for key in self.table.keys().filter(|key| !self.asked.borrow().contains(key)) {
            let known = self.asked.borrow().join("`, `");
            self.mistake(format!("`{}{key}` is not a key, expected one of `{known}`", self.path));
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A table within this one; an empty one where it is left out.
    pub(super) fn table(&self, key: &str) -> Reader {
        let table = match self.value(key) {
            Some(Value::Table(table)) => table.clone(),
            Some(other) => {
                self.wrong(key, other, "a table");
                Table::new()
            }
            None => Table::new(),
        };
        self.within(format!("{}{key}.", self.path), table)
    }

    /// The tables of a list; none where it is left out.
    pub(super) fn tables(&self, key: &str) -> Vec<Reader> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let tables: Option<Vec<Table>> = value
            .as_array()
            .and_then(|values| values.iter().map(|value| value.as_table().cloned()).collect());
        let Some(tables) = tables else {
            self.wrong(key, value, "a list of tables");
            return Vec::new();
        };
        let path = |index| format!("{}{key}[{index}].", self.path);
        tables.into_iter().enumerate().map(|(i, table)| self.within(path(i), table)).collect()
    }

    /// A table as it is, for another reader.
    pub(super) fn raw(&self, key: &str) -> Table {
        self.value(key).and_then(Value::as_table).cloned().unwrap_or_default()
    }

    pub(super) fn number(&self, key: &str, default: f64, range: RangeInclusive<f64>) -> f64 {
        let expected = format!("a number within {range:?}");
        self.read(key, default, &expected, |value| {
            number(value).filter(|number| range.contains(number))
        })
    }

    pub(super) fn whole(&self, key: &str, default: usize, range: RangeInclusive<usize>) -> usize {
        let expected = format!("a whole number within {range:?}");
        self.read(key, default, &expected, |value| {
            let number = usize::try_from(value.as_integer()?).ok()?;
            range.contains(&number).then_some(number)
        })
    }

    /// A duration as `"250ms"`, in seconds.
    pub(super) fn secs(&self, key: &str, default: f64) -> f64 {
        self.read(key, default, "a duration such as \"250ms\"", |value| {
            humantime::parse_duration(value.as_str()?).ok().map(|span| span.as_secs_f64())
        })
    }

    pub(super) fn text(&self, key: &str, default: &str) -> String {
        self.read(key, default.to_owned(), "a text", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn texts(&self, key: &str, default: &[&str]) -> Vec<String> {
        let default = default.iter().map(|text| (*text).to_owned()).collect();
        self.read(key, default, "a list of texts", |value| {
            value.as_array()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
        })
    }

    pub(super) fn numbers(&self, key: &str, default: f64) -> Vec<f64> {
        self.read(key, vec![default], "a list of numbers above 0", |value| {
            let numbers: Option<Vec<f64>> = value.as_array()?.iter().map(number).collect();
            numbers.filter(|all| !all.is_empty() && all.iter().all(|number| 0.0 < *number))
        })
    }

    /// One of the names of `choices`; the first where it is left out.
    pub(super) fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let first = choices.first().map(|(_, choice)| *choice);
        self.read(key, first, &format!("one of {}", names.join(", ")), |value| {
            let name = value.as_str()?;
            choices.iter().find(|(other, _)| *other == name).map(|(_, choice)| Some(*choice))
        })
    }

    fn within(&self, path: String, table: Table) -> Reader {
        Reader { path, table, asked: RefCell::default(), mistakes: Rc::clone(&self.mistakes) }
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.asked.borrow_mut().push(key.to_owned());
        self.table.get(key)
    }

    fn read<T>(
        &self,
        key: &str,
        default: T,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> T {
        let Some(value) = self.value(key) else { return default };
        read(value).unwrap_or_else(|| {
            self.wrong(key, value, expected);
            default
        })
    }

    fn wrong(&self, key: &str, value: &Value, expected: &str) {
        self.mistake(format!("`{}{key}` is `{value}`, expected {expected}", self.path));
    }
}

/// A finite number, with or without a fraction.
fn number(value: &Value) -> Option<f64> {
    let number = value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
    number.filter(|number| number.is_finite())
}
