//! Finds one value in a JSON text without building the rest of it.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A JSON pointer (RFC 6901), parsed.
#[derive(Debug, Clone)]
pub struct Pointer(Vec<String>);

/// What stands at a pointer.
#[derive(Debug)]
pub enum Found<'a> {
    /// A number; true and false are 1 and 0.
    Number(f64),
    /// A string.
    Text(&'a str),
    /// An array or object of that many members.
    Items(usize),
}

impl Pointer {
    /// The deepest pointer.
    const DEPTH_MAX: usize = 32;

    /// Parses a pointer; `None` for what is none, holds white space or is too deep.
    pub fn parse(text: &str) -> Option<Pointer> {
        let Some(path) = text.strip_prefix('/') else {
            return text.is_empty().then(|| Pointer(Vec::new()));
        };
        let plain = !path.contains(char::is_whitespace);
        let steps: Vec<String> =
            path.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
        (plain && steps.len() <= Pointer::DEPTH_MAX).then_some(Pointer(steps))
    }

    /// The member `name` of the top object.
    pub fn member(name: &str) -> Pointer {
        Pointer(vec![name.to_owned()])
    }
}

/// Calls `found` with what stands at `pointer`, at most once; not at all where the text is not JSON
/// up to there or has nothing there. Of duplicate members the first counts. Reads no further than
/// needed.
pub fn find(body: &[u8], pointer: &Pointer, found: &mut dyn FnMut(Found<'_>)) {
    let mut json = serde_json::Deserializer::from_slice(body);
    // An error here is either the end of the search or malformed text: both leave nothing to do.
    let _ = Search { path: &pointer.0, found }.deserialize(&mut json);
}

/// Walks down `path`, and ends with an error once it is there: the rest need not be read.
struct Search<'p, 'f> {
    path: &'p [String],
    found: &'f mut dyn FnMut(Found<'_>),
}

impl Search<'_, '_> {
    fn end<E: Error>(self, found: Found<'_>) -> Result<(), E> {
        if self.path.is_empty() {
            (self.found)(found);
        }
        Err(E::custom("the search is over"))
    }
}

impl<'de> DeserializeSeed<'de> for Search<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Search<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.end(Found::Number(f64::from(u8::from(value))))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.end(Found::Number(value as f64))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.end(Found::Number(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.end(Found::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.end(Found::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some((step, path)) = self.path.split_first() else {
            let mut n_items = 0;
            while items.next_element::<IgnoredAny>()?.is_some() {
                n_items += 1;
            }
            return self.end(Found::Items(n_items));
        };
        let index: usize = step.parse().map_err(A::Error::custom)?;
        for _ in 0..index {
            if items.next_element::<IgnoredAny>()?.is_none() {
                return Err(A::Error::custom("the array is shorter"));
            }
        }
        items.next_element_seed(Search { path, found: self.found }).map(|_| ())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Some((step, path)) = self.path.split_first() else {
            let mut n_members = 0;
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                n_members += 1;
            }
            return self.end(Found::Items(n_members));
        };
        while let Some(is_step) = members.next_key_seed(Equals(step))? {
            if is_step {
                return members.next_value_seed(Search { path, found: self.found });
            }
            members.next_value::<IgnoredAny>()?;
        }
        Err(A::Error::custom("there is no such member"))
    }
}

/// Whether a key is this text, without copying it.
struct Equals<'p>(&'p str);

impl<'de> DeserializeSeed<'de> for Equals<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Equals<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}
