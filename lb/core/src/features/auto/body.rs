//! Facts of a request's body: its length; and what a JSON text, a form or an image says.
//!
//! Of JSON: numbers, lengths and words to a depth of [`DEPTH_MAX`], by their pointers. What is in
//! an array has the step `*`, and is summed up: `body.json/rows/*/name.length` is the length of all
//! names, `body.json/rows.length` how many rows there are. A body that begins as none of these is
//! not looked into, and neither is JSON of more than [`LOOK_BYTES_MAX`].

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::facts::Sink;
use super::head::pairs;
use crate::features::image;
use crate::request::RequestSpec;

/// Steps from the top of a JSON text to a fact.
const DEPTH_MAX: usize = 3;

/// The most of a body that is looked at as JSON or form.
const LOOK_BYTES_MAX: usize = 1 << 20;

/// Longer parts of a form are no texts.
const TEXT_BYTES_MAX: usize = 256;

/// Tells `sink` of the body.
pub(super) fn read(spec: &RequestSpec<'_>, sink: &mut Sink<'_>) {
    sink.begin_body();
    let body_bytes = spec.body_bytes.unwrap_or(spec.body.len() as u64) as f64;
    sink.number("body.", "bytes", body_bytes);
    let content_type = spec.header_value("content-type").unwrap_or_default();
    let is = |media_type: &str| {
        content_type.get(..media_type.len()).is_some_and(|it| it.eq_ignore_ascii_case(media_type))
    };
    let body = spec.body;
    let head = &body[..body.len().min(LOOK_BYTES_MAX)];
    if is("multipart/form-data") {
        multipart(content_type, head, body_bytes, sink);
    } else if matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
        if body.len() <= LOOK_BYTES_MAX {
            json(body, sink);
        }
    } else if body.is_empty() || picture("body.image.", body, body_bytes, sink) {
        // Images in `data:` URLs are called forms by some.
    } else if is("application/x-www-form-urlencoded")
        && let Ok(text) = str::from_utf8(head)
    {
        pairs("body.form.", text, sink);
    }
}

/// Tells `sink` of an image, raw or in a `data:` URL. False where there is none.
fn picture(prefix: &str, body: &[u8], body_bytes: f64, sink: &mut Sink<'_>) -> bool {
    let Some(found) = image::look(body, body_bytes) else { return false };
    for (name, value) in found.numbers {
        sink.number(prefix, name, value);
    }
    sink.word(prefix, "format", found.format);
    if let Some(sent_as) = found.sent_as {
        sink.word(prefix, "data_url", sent_as);
    }
    true
}

/// Tells `sink` of the parts of a form (RFC 7578): their sizes, and what small ones say.
fn multipart(content_type: &str, body: &[u8], body_bytes: f64, sink: &mut Sink<'_>) {
    let boundary = content_type.split(';').filter_map(|part| part.trim().split_once('='));
    let mut boundary = boundary.filter(|(name, _)| name.eq_ignore_ascii_case("boundary"));
    let Some((_, boundary)) = boundary.next() else { return };
    let boundary = format!("\r\n--{}", boundary.trim_matches('"'));
    let boundary = boundary.as_bytes();
    // The first boundary needs no line before it.
    let mut rest = if body.starts_with(&boundary[2..]) { &body[boundary.len() - 2..] } else { &[] };
    while !rest.is_empty() && !sink.is_full() {
        let Some(head_end) = find(&rest[..rest.len().min(TEXT_BYTES_MAX * 4)], b"\r\n\r\n") else {
            return;
        };
        let (head, content) = (&rest[..head_end], &rest[head_end + 4..]);
        let end = find(content, boundary);
        // Of a part that goes on behind what is looked at, the rest of the body is.
        let unseen = body_bytes - body.len() as f64;
        let bytes = end.map_or(content.len() as f64 + unseen.max(0.0), |end| end as f64);
        let content = &content[..end.unwrap_or(content.len())];
        part(head, content, bytes, sink);
        rest = end.map_or(&[][..], |end| &rest[head_end + 4 + end + boundary.len()..]);
    }
}

fn part(head: &[u8], content: &[u8], bytes: f64, sink: &mut Sink<'_>) {
    let head = String::from_utf8_lossy(head);
    let quoted = |key: &str| Some(head.split_once(key)?.1.split_once('"')?.0);
    let Some(name) = quoted("; name=\"") else { return };
    match str::from_utf8(content) {
        Ok(text) if bytes <= TEXT_BYTES_MAX as f64 && !head.contains("; filename=") => {
            sink.text("body.form.", name, text);
        }
        Ok(_) | Err(_) => {
            let prefix = format!("body.form.{name}.");
            if !picture(&prefix, content, bytes, sink) {
                sink.number(&prefix, "bytes", bytes);
            }
        }
    }
}

/// Where `needle`, which begins with a carriage return, is first in `bytes`.
fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|byte| *byte == b'\r')?;
        if bytes[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
}

fn json(body: &[u8], sink: &mut Sink<'_>) {
    let mut path = String::new();
    let mut json = serde_json::Deserializer::from_slice(body);
    // What is no JSON has the facts that were found before it went wrong.
    let _ = Walk { path: &mut path, depth: 0, sink }.deserialize(&mut json);
}

/// Walks through a JSON text; `path` is where it is.
struct Walk<'p, 's, 'a> {
    path: &'p mut String,
    depth: usize,
    sink: &'s mut Sink<'a>,
}

const JSON: &str = "body.json";

impl<'a> Walk<'_, '_, 'a> {
    /// One step down.
    fn below(&mut self) -> Walk<'_, '_, 'a> {
        Walk { path: self.path, depth: self.depth + 1, sink: self.sink }
    }

    fn length(&mut self, n: usize) {
        let end = self.path.len();
        self.path.push_str(".length");
        self.sink.number(JSON, self.path, n as f64);
        self.path.truncate(end);
    }

    /// Whether nothing below is looked at.
    fn is_deep(&self) -> bool {
        DEPTH_MAX <= self.depth || self.sink.is_full()
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.sink.number(JSON, self.path, f64::from(u8::from(value)));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_f64(value as f64)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.sink.number(JSON, self.path, value);
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.sink.text(JSON, self.path, value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let mut n_items = 0;
        let end = self.path.len();
        self.path.push_str("/*");
        loop {
            let is_there = if self.is_deep() {
                items.next_element::<IgnoredAny>()?.is_some()
            } else {
                items.next_element_seed(self.below())?.is_some()
            };
            if !is_there {
                break;
            }
            n_items += 1;
        }
        self.path.truncate(end);
        self.length(n_items);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let mut n_members = 0;
        let end = self.path.len();
        while members.next_key_seed(Step(self.path))?.is_some() {
            if self.is_deep() {
                members.next_value::<IgnoredAny>()?;
            } else {
                members.next_value_seed(self.below())?;
            }
            self.path.truncate(end);
            n_members += 1;
        }
        self.length(n_members);
        Ok(())
    }
}

/// Adds a key to the path, as a pointer has it (RFC 6901).
struct Step<'p>(&'p mut String);

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Step<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<(), E> {
        self.0.push('/');
        for character in key.chars() {
            match character {
                '~' => self.0.push_str("~0"),
                '/' => self.0.push_str("~1"),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}
