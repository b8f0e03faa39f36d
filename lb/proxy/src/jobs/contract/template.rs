//! Templates: how a message, an object, a key or an answer is made of values, and how the values
//! are read from one that somebody else has made.
//!
//! `{name}` stands for a value, where what is in the braces is a name: small letters, digits, `_`,
//! and `.` between them. Everything else stands for itself, braces too. What the text begins with
//! says what it is, and so how values are written into it:
//!
//! | it begins with | it is | values are |
//! |---|---|---|
//! | `{` and no name, `[`, `"` | JSON | escaped as in a string of JSON, where they have to stand |
//! | `<` | HTML | escaped as text of HTML |
//! | anything else | text | as they are |

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// The longest template, in bytes.
pub const TEMPLATE_MAX: usize = 4 << 10;

/// Around the name of a value in JSON that is looked at: characters that no text has.
const OPEN: char = '\u{f8fe}';
const CLOSE: char = '\u{f8ff}';

/// The values that were read by a template, by name.
pub type Read = BTreeMap<String, String>;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
    kind: Kind,
}

/// What a template makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text as it is.
    Text,
    /// JSON.
    Json,
    /// HTML.
    Html,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(String),
}

/// Why a text is no template. The operator has to change it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is too long.
    #[error("it is longer than {TEMPLATE_MAX} bytes")]
    TooLong,
    /// There is no such value here.
    #[error("`{{{name}}}` is no value here: expected {expected}")]
    Unknown {
        /// Its name.
        name: String,
        /// Those that there are.
        expected: String,
    },
    /// It would not make JSON.
    #[error("it makes no JSON: values stand within quotation marks")]
    Json,
    /// What it has made could not be read.
    #[error("`{{{0}}}` and the value behind it have nothing between them")]
    Adjacent(String),
    /// A value that is needed is not in it.
    #[error("it has no `{{{0}}}`")]
    Without(&'static str),
}

/// A value of a template is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no `{0}`")]
pub struct Missing(pub String);

// === impl Template ===

impl Template {
    /// The template that `text` is, of values with these names; one that ends with `.` stands for
    /// all that begin with it.
    pub fn parse(text: &str, known: &[&str]) -> Result<Template, TemplateError> {
        if TEMPLATE_MAX < text.len() {
            return Err(TemplateError::TooLong);
        }
        let pieces = pieces(text);
        let template = Template { kind: kind(text, &pieces), pieces };
        for name in template.names() {
            if !known.iter().any(|one| is_meant(one, name)) {
                return Err(TemplateError::Unknown {
                    name: name.to_owned(),
                    expected: list(known),
                });
            }
        }
        match template.kind {
            Kind::Json => template.skeleton().map(|_| template).ok_or(TemplateError::Json),
            Kind::Text | Kind::Html => Ok(template),
        }
    }

    /// Whether what it makes can be read again, and has the value `needed`.
    pub fn can_be_read(&self, needed: &[&'static str]) -> Result<(), TemplateError> {
        for pair in self.pieces.windows(2) {
            if let [Piece::Value(name), Piece::Value(_)] = pair {
                return Err(TemplateError::Adjacent(name.clone()));
            }
        }
        let is_there = self.names().any(|name| needed.contains(&name));
        let first = needed.first().copied().unwrap_or_default();
        if is_there { Ok(()) } else { Err(TemplateError::Without(first)) }
    }

    /// What it makes.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The names of its values.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Whether it has the value `name`.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|one| one == name)
    }

    /// What it makes of the values that `value` finds.
    pub fn make<'v>(
        &self,
        value: impl Fn(&str) -> Option<Cow<'v, str>>,
    ) -> Result<String, Missing> {
        let mut made = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => made.push_str(text),
                Piece::Value(name) => {
                    let value = value(name).ok_or_else(|| Missing(name.clone()))?;
                    self.kind.escape(&value, &mut made);
                }
            }
        }
        Ok(made)
    }

    /// The values of which it would make `text`; `None` where it makes no such text. JSON may be
    /// laid out otherwise, and have members beyond those that stand in the template.
    pub fn read(&self, text: &str) -> Option<Read> {
        let mut read = Read::new();
        let fits = match self.kind {
            Kind::Text | Kind::Html => fits(&self.pieces, text.trim_end(), &mut read),
            Kind::Json => {
                let written = serde_json::from_str(text).ok()?;
                fits_json(&self.skeleton()?, &written, &mut read)
            }
        };
        fits.then_some(read)
    }

    /// The JSON that it makes of names in place of values.
    fn skeleton(&self) -> Option<Value> {
        let text = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Value(name) => format!("{OPEN}{name}{CLOSE}"),
        });
        serde_json::from_str(&text.collect::<String>()).ok()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => formatter.write_str(text),
            Piece::Value(name) => write!(formatter, "{{{name}}}"),
        })
    }
}

// === impl Kind ===

impl Kind {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Kind::Text => "text/plain; charset=utf-8",
            Kind::Json => "application/json",
            Kind::Html => "text/html; charset=utf-8",
        }
    }

    fn escape(self, value: &str, into: &mut String) {
        match self {
            Kind::Text => into.push_str(value),
            Kind::Json => {
                let quoted = Value::from(value).to_string();
                into.push_str(&quoted[1..quoted.len() - 1]);
            }
            Kind::Html => into.push_str(&maud::html! { (value) }.into_string()),
        }
    }
}

/// What `text` begins with says what it is.
fn kind(text: &str, pieces: &[Piece]) -> Kind {
    match (text.trim_start().bytes().next(), pieces.first()) {
        (Some(b'{'), Some(Piece::Value(_))) => Kind::Text,
        (Some(b'{' | b'[' | b'"'), _) => Kind::Json,
        (Some(b'<'), _) => Kind::Html,
        _ => Kind::Text,
    }
}

fn pieces(text: &str) -> Vec<Piece> {
    let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find('{') {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let value = from[1..].split_once('}').filter(|(name, _)| is_name(name));
        let Some((name, behind)) = value else {
            plain.push('{');
            rest = &from[1..];
            continue;
        };
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        pieces.push(Piece::Value(name.to_owned()));
        rest = behind;
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let part = |part: &str| !part.is_empty() && part.bytes().all(plain);
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.split('.').all(part)
}

fn is_meant(known: &str, name: &str) -> bool {
    known == name || known.ends_with('.') && name.starts_with(known)
}

fn list(known: &[&str]) -> String {
    let shown = known.iter().map(|name| match name.strip_suffix('.') {
        Some(stem) => format!("`{{{stem}.NAME}}`"),
        None => format!("`{{{name}}}`"),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// Whether `pieces` make `text`; of which values. A value goes up to the first place where what
/// stands behind it begins.
fn fits(pieces: &[Piece], text: &str, read: &mut Read) -> bool {
    match pieces {
        [] => text.is_empty(),
        [Piece::Text(last)] => text == last.trim_end(),
        [Piece::Text(begin), rest @ ..] => {
            text.strip_prefix(begin.as_str()).is_some_and(|text| fits(rest, text, read))
        }
        [Piece::Value(name)] => take(name, text, read),
        [Piece::Value(name), Piece::Text(last)] => {
            text.strip_suffix(last.trim_end()).is_some_and(|value| take(name, value, read))
        }
        [Piece::Value(name), Piece::Text(between), rest @ ..] => text
            .split_once(between.as_str())
            .is_some_and(|(value, text)| take(name, value, read) && fits(rest, text, read)),
        [Piece::Value(_), Piece::Value(_), ..] => false,
    }
}

/// Notes a value; where it comes twice, it has to be the same.
fn take(name: &str, value: &str, read: &mut Read) -> bool {
    let is_new = !read.contains_key(name);
    if is_new {
        read.insert(name.to_owned(), value.to_owned());
    }
    is_new || read.get(name).is_some_and(|known| known == value)
}

fn fits_json(template: &Value, written: &Value, read: &mut Read) -> bool {
    match (template, written) {
        (Value::Object(members), Value::Object(written)) => {
            members.iter().all(|(key, value)| match written.get(key) {
                Some(found) => fits_json(value, found, read),
                // The only member there is: its key is a value, too.
                None if members.len() == 1 && written.len() == 1 => {
                    written.iter().next().is_some_and(|(found_key, found)| {
                        fits(&marked(key), found_key, read) && fits_json(value, found, read)
                    })
                }
                None => false,
            })
        }
        (Value::Array(items), Value::Array(written)) => {
            items.len() == written.len()
                && items.iter().zip(written).all(|(item, found)| fits_json(item, found, read))
        }
        (Value::String(text), Value::String(found)) => fits(&marked(text), found, read),
        (Value::String(text), Value::Number(_) | Value::Bool(_)) => {
            fits(&marked(text), &written.to_string(), read)
        }
        (template, written) => template == written,
    }
}

/// The pieces of a text of a skeleton.
fn marked(text: &str) -> Vec<Piece> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while let Some((before, from)) = rest.split_once(OPEN) {
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let (name, behind) = from.split_once(CLOSE).unwrap_or((from, ""));
        pieces.push(Piece::Value(name.to_owned()));
        rest = behind;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: [&str; 5] = ["name", "stem", "error", "input.base64", "result."];

    fn template(text: &str) -> Template {
        Template::parse(text, &KNOWN).expect("a template")
    }

    fn made(text: &str, values: &[(&str, &str)]) -> String {
        let value = |name: &str| {
            let found = values.iter().find(|(one, _)| *one == name);
            found.map(|(_, value)| Cow::Borrowed(*value))
        };
        template(text).make(value).expect("every value is there")
    }

    #[track_caller]
    fn reads(text: &str, message: &str, expected: &[(&str, &str)]) {
        let read = template(text).read(message).expect("it fits");
        let read: Vec<(&str, &str)> = read.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        assert_eq!(read, expected, "{text} of {message}");
    }

    #[test]
    fn values_are_escaped_as_what_they_stand_in() {
        let odd = [("name", "a\"<\\\n")];
        assert_eq!(made("{name}.", &odd), "a\"<\\\n.");
        assert_eq!(made("{\"x\": \"{name}\"}", &odd), r#"{"x": "a\"<\\\n"}"#);
        assert_eq!(made("\"{name}\"\n", &odd), "\"a\\\"<\\\\\\n\"\n");
        assert_eq!(made("<p>{name}</p>", &odd), "<p>a&quot;&lt;\\\n</p>");
        assert_eq!(template("{name}:{result.label}").kind(), Kind::Text);
    }

    #[test]
    fn braces_around_no_name_stand_for_themselves() {
        assert_eq!(made("a{} {X} {name", &[]), "a{} {X} {name");
        let same = r#"{"Error": "none"}"#;
        assert_eq!(made(same, &[]), same);
        assert_eq!(template(same).to_string(), same);
    }

    #[test]
    fn what_is_no_template_is_told_with_what_there_is() {
        let told = |text: &str| Template::parse(text, &KNOWN).expect_err("no template").to_string();
        assert_eq!(
            told("{nam}"),
            "`{nam}` is no value here: expected `{name}`, `{stem}`, `{error}`, `{input.base64}`, \
             `{result.NAME}`"
        );
        assert_eq!(
            told(r#"{"x": {name}}"#),
            "it makes no JSON: values stand within quotation marks"
        );
        assert_eq!(told(&"x".repeat(TEMPLATE_MAX + 1)), "it is longer than 4096 bytes");
    }

    #[test]
    fn what_others_have_made_is_read() {
        reads("{name}", "test_000.jpg", &[("name", "test_000.jpg")]);
        reads("{stem}:{result.label}", "a:b: c\n", &[("result.label", "b: c"), ("stem", "a")]);
        reads(
            r#"{"image": "{input.base64}", "image_name": "{name}"}"#,
            r#"{"image_name":"t.JPEG","image":"AA==","more":1}"#,
            &[("input.base64", "AA=="), ("name", "t.JPEG")],
        );
        reads(
            r#"{"{stem}": "{result.label}"}"#,
            r#"{"test_0": "bathtub"}"#,
            &[("result.label", "bathtub"), ("stem", "test_0")],
        );
        reads(r#"["{name}"]"#, "[7]", &[("name", "7")]);
    }

    #[test]
    fn what_it_would_not_have_made_is_not_read() {
        for (text, message) in [
            ("{stem}:{result.label}", "nothing between"),
            ("x{name}", "y"),
            ("{name}.jpg", "a.png"),
            ("{name}-{name}", "a-b"),
            (r#"{"a": "{name}"}"#, r#"{"b": "c", "d": "e"}"#),
            (r#"{"a": "{name}"}"#, r#"{"a": null}"#),
            (r#"{"a": "{name}"}"#, "{"),
            (r#"["{name}", 1]"#, r#"["a", 2]"#),
        ] {
            assert_eq!(template(text).read(message), None, "{text} of {message}");
        }
        assert!(template("{name}{stem}").can_be_read(&["name"]).is_err());
        assert!(template("{stem}").can_be_read(&["name"]).is_err());
        assert_eq!(template("{stem}").can_be_read(&["name", "stem"]), Ok(()));
    }

    proptest! {
        #[test]
        fn what_was_made_is_read_again(stem in "[^:]{1,20}", label in "[^ \n\t].{0,20}[^\\s]") {
            let values = [("stem", stem.as_str()), ("result.label", label.as_str())];
            for text in ["{stem}:{result.label}", r#"{"{stem}": "{result.label}"}"#] {
                let read = template(text).read(&made(text, &values)).expect("it fits");
                prop_assert_eq!(&read["stem"], &stem);
                prop_assert_eq!(&read["result.label"], &label);
            }
        }

        #[test]
        fn no_text_breaks_it(text in ".{0,80}", message in ".{0,80}") {
            if let Ok(template) = Template::parse(&text, &KNOWN) {
                let _read = template.read(&message);
                prop_assert_eq!(template.to_string(), text);
            }
        }
    }
}
