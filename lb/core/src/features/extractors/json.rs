//! Values of a JSON body.
//!
//! `body.json/POINTER` is the number at a JSON pointer (RFC 6901), and `.length` behind it the
//! length of the text, array or object there. The pointer may also follow a dot: `body.json./a/0`.

use super::{Extractor, Reader, number, read_each};
use crate::features::BodyNeed;
use crate::features::json::{Found, Pointer, find};
use crate::request::RequestSpec;

/// See the module.
#[derive(Debug)]
pub(super) struct Json;

/// Where the values are.
#[derive(Debug, Default)]
struct Values(Vec<Value>);

/// One value.
#[derive(Debug)]
enum Value {
    Number(Pointer),
    Length(Pointer),
}

impl Extractor for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn syntax(&self) -> String {
        "body.json/POINTER".to_owned()
    }

    fn about(&self) -> &'static str {
        "a number in a JSON body; with `.length` behind it, the length of a text, array or object"
    }

    fn body_need(&self) -> BodyNeed {
        BodyNeed::Whole
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Values::default())
    }
}

impl Reader for Values {
    fn add(&mut self, factor: &str) -> bool {
        let value = factor.strip_prefix("body.json").and_then(Value::parse);
        value.map(|value| self.0.push(value)).is_some()
    }

    fn read(&self, spec: &RequestSpec<'_>, numbers: &mut [f64]) {
        read_each(numbers, &self.0, |value| value.read(spec.body));
    }
}

// === impl Value ===

impl Value {
    /// `/pointer`, `./pointer`, either with `.length`.
    fn parse(text: &str) -> Option<Value> {
        let (pointer, is_length) =
            text.strip_suffix(".length").map_or((text, false), |pointer| (pointer, true));
        let pointer = Pointer::parse(pointer.strip_prefix('.').unwrap_or(pointer))?;
        Some(if is_length { Value::Length(pointer) } else { Value::Number(pointer) })
    }

    fn read(&self, body: &[u8]) -> f64 {
        let mut read = 0.0;
        match self {
            Value::Number(pointer) => find(body, pointer, &mut |found| {
                read = match found {
                    Found::Number(value) => value,
                    Found::Text(text) => number(text),
                    Found::Items(_) => 0.0,
                }
            }),
            Value::Length(pointer) => find(body, pointer, &mut |found| {
                read = match found {
                    Found::Number(_) => 0.0,
                    Found::Text(text) => text.len() as f64,
                    Found::Items(items) => items as f64,
                }
            }),
        }
        read
    }
}
