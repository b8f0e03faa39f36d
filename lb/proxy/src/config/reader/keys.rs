//! Keys of each kind.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::Section;
use crate::config::values;

impl Section<'_> {
    /// A whole number within `range`.
    pub fn whole<T>(&mut self, key: &'static str, range: RangeInclusive<u64>) -> T
    where
        T: TryFrom<u64> + Default,
    {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let read = |value: &DeValue<'_>| T::try_from(values::whole(value, &range)?).ok();
        self.read(key, &expected, read).unwrap_or_default()
    }

    /// A whole number within `range`, or `"auto"`, which is `auto`.
    pub fn whole_or_auto(
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

    /// A whole number within `range`, or `None` where `word` stands in its place.
    pub fn whole_or<T: TryFrom<u64>>(
        &mut self,
        key: &'static str,
        word: &str,
        range: RangeInclusive<u64>,
    ) -> Option<T> {
        let (least, most) = (range.start(), range.end());
        let expected = format!("\"{word}\" or a whole number from {least} to {most}");
        let read = |value: &DeValue<'_>| match value.as_str() {
            Some(written) => (written == word).then_some(None),
            None => T::try_from(values::whole(value, &range)?).ok().map(Some),
        };
        self.read(key, &expected, read).flatten()
    }

    /// A number within `range`, with or without a fraction.
    pub fn number(&mut self, key: &'static str, range: RangeInclusive<f64>) -> f64 {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        let read =
            |value: &DeValue<'_>| values::number(value).filter(|number| range.contains(number));
        self.read(key, &expected, read).unwrap_or_default()
    }

    /// A number within `range`, or `"off"`, which is `None`.
    pub fn number_or_off(&mut self, key: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        let (least, most) = (range.start(), range.end());
        let expected = format!("\"off\" or a number from {least} to {most}");
        let read = |value: &DeValue<'_>| match value.as_str() {
            Some(word) => (word == "off").then_some(None),
            None => values::number(value).filter(|number| range.contains(number)).map(Some),
        };
        self.read(key, &expected, read).unwrap_or_default()
    }

    /// A list of numbers within `range`, at least one.
    pub fn numbers(&mut self, key: &'static str, range: RangeInclusive<f64>) -> Vec<f64> {
        let (least, most) = (range.start(), range.end());
        let expected = format!("a list of at least one number, each from {least} to {most}");
        let good = |item: &Spanned<DeValue<'_>>| {
            values::number(item.get_ref()).filter(|number| range.contains(number))
        };
        let read = |value: &DeValue<'_>| {
            let numbers: Option<Vec<f64>> = value.as_array()?.iter().map(good).collect();
            numbers.filter(|numbers| !numbers.is_empty())
        };
        self.read(key, &expected, read).unwrap_or_default()
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str) -> bool {
        let read = |value: &DeValue<'_>| value.as_bool();
        self.read(key, "true or false", read).unwrap_or_default()
    }

    /// `true`, `false`, or `None` where `word` stands in their place.
    pub fn flag_or(&mut self, key: &'static str, word: &str) -> Option<bool> {
        let expected = format!("\"{word}\", true or false");
        let read = |value: &DeValue<'_>| match value.as_str() {
            Some(written) => (written == word).then_some(None),
            None => value.as_bool().map(Some),
        };
        self.read(key, &expected, read).flatten()
    }

    /// A duration within `range`.
    pub fn duration(&mut self, key: &'static str, range: RangeInclusive<Duration>) -> Duration {
        let (least, most) = (*range.start(), *range.end());
        let (least, most) = (values::show_duration(least), values::show_duration(most));
        let expected = format!("a duration from \"{least}\" to \"{most}\", such as \"250ms\"");
        let read = |value: &DeValue<'_>| {
            values::duration(value.as_str()?).filter(|span| range.contains(span))
        };
        self.read(key, &expected, read).unwrap_or_default()
    }

    /// A duration within `range`, or `None` where `word` stands in its place.
    pub fn duration_or(
        &mut self,
        key: &'static str,
        word: &str,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let (least, most) = (*range.start(), *range.end());
        let (least, most) = (values::show_duration(least), values::show_duration(most));
        let expected = format!("\"{word}\" or a duration from \"{least}\" to \"{most}\"");
        let read = |value: &DeValue<'_>| match value.as_str()? {
            written if written == word => Some(None),
            written => values::duration(written).filter(|span| range.contains(span)).map(Some),
        };
        self.read(key, &expected, read).flatten()
    }

    /// A number of bytes within `range`.
    pub fn size(&mut self, key: &'static str, range: RangeInclusive<u64>) -> u64 {
        let (least, most) = (values::show_size(*range.start()), values::show_size(*range.end()));
        let expected = format!("a size from \"{least}\" to \"{most}\", such as \"64MiB\"");
        let read =
            |value: &DeValue<'_>| values::size(value.as_str()?).filter(|size| range.contains(size));
        self.read(key, &expected, read).unwrap_or_default()
    }

    /// A number of bytes within `range`, or `None` where `word` stands in its place.
    pub fn size_or(
        &mut self,
        key: &'static str,
        word: &str,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let (least, most) = (values::show_size(*range.start()), values::show_size(*range.end()));
        let expected = format!("\"{word}\" or a size from \"{least}\" to \"{most}\"");
        let read = |value: &DeValue<'_>| match value.as_str()? {
            written if written == word => Some(None),
            written => values::size(written).filter(|size| range.contains(size)).map(Some),
        };
        self.read(key, &expected, read).flatten()
    }

    /// The meaning of one of the words; never empty.
    pub fn word<T: Copy>(&mut self, key: &'static str, words: &[(&'static str, T)]) -> T {
        let names: Vec<String> = words.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let read = |value: &DeValue<'_>| {
            let written = value.as_str()?;
            words.iter().find(|(name, _)| *name == written).map(|(_, meaning)| *meaning)
        };
        let found = self.read(key, &names.join(" or "), read);
        found.unwrap_or_else(|| words[0].1)
    }

    /// A text that `parse` accepts.
    pub fn text<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.read(key, expected, |value| parse(value.as_str()?))
    }

    /// A path, which is not empty. `expected` says of what.
    pub fn path(&mut self, key: &'static str, expected: &str) -> PathBuf {
        let parse = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
        self.text(key, expected, parse).unwrap_or_default()
    }

    /// A list of texts, or `None` where `word` stands in its place.
    pub fn texts_or(
        &mut self,
        key: &'static str,
        word: &str,
        expected: &str,
    ) -> Option<Vec<String>> {
        let read = |value: &DeValue<'_>| {
            if let Some(written) = value.as_str() {
                return (written == word).then_some(None);
            }
            let text = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned);
            value.as_array()?.iter().map(text).collect::<Option<Vec<String>>>().map(Some)
        };
        self.read(key, expected, read).unwrap_or_else(|| Some(Vec::new()))
    }

    /// A list of texts.
    pub fn texts(&mut self, key: &'static str, expected: &str) -> Vec<String> {
        let read = |value: &DeValue<'_>| {
            let text = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned);
            value.as_array()?.iter().map(text).collect()
        };
        self.read(key, expected, read).unwrap_or_default()
    }
}
