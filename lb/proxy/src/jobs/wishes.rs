//! What a client wishes of its request: `Prefer` (RFC 7240), `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header) and `weighbridge-callback`.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use pingora::http::RequestHeader;

use crate::answer::Problem;

/// How a client prefers to be answered.
pub(crate) const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Which of its preferences were followed.
pub(crate) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What tells a client's repeats.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key.
const KEY_MAX: usize = 255;

/// What a client prefers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Preferences {
    /// To be answered at once, and to fetch the result later.
    pub(crate) respond_async: bool,
    /// To wait for so long at most.
    pub(crate) wait: Option<Duration>,
}

// === impl Preferences ===

impl Preferences {
    /// What `headers` say. Preferences that cannot be read are ignored, as RFC 7240 has it, and of
    /// two of the same name the first one counts.
    pub(crate) fn of(headers: &HeaderMap) -> Preferences {
        let mut preferences = Preferences::default();
        for preference in split(headers) {
            let (name, value) = name_and_value(&preference);
            match name.as_str() {
                "respond-async" => preferences.respond_async = true,
                "wait" if preferences.wait.is_none() => {
                    let secs = value.and_then(|value| value.parse::<u32>().ok());
                    preferences.wait = secs.map(|secs| Duration::from_secs(secs.into()));
                }
                _ => {}
            }
        }
        preferences
    }

    /// What is said of those that are followed, where `waited`: the client has waited, and `later`:
    /// the answer comes later. `None` where none is.
    pub(crate) fn applied(self, (waited, later): (bool, bool)) -> Option<HeaderValue> {
        let wait = self.wait.filter(|_| waited).map(|wait| format!("wait={}", wait.as_secs()));
        let later = (self.respond_async && later).then(|| "respond-async".to_owned());
        let said: Vec<String> = later.into_iter().chain(wait).collect();
        if said.is_empty() { None } else { HeaderValue::try_from(said.join(", ")).ok() }
    }
}

/// Takes off `request` the preferences that are the balancer's to follow: a host that follows them,
/// too, would answer before it has done anything.
pub(crate) fn strip(request: &mut RequestHeader) {
    let rest: Vec<String> = split(&request.headers)
        .filter(|one| !matches!(name_and_value(one).0.as_str(), "respond-async" | "wait"))
        .collect();
    request.remove_header(&PREFER);
    if !rest.is_empty() {
        // It was a value before, so it is one.
        let _kept = request.insert_header(PREFER, rest.join(", "));
    }
}

/// The key by which the client tells its repeats; `None` where it gives none.
///
/// By the draft it is a string of Structured Fields, in quotes; one without is taken, too, where it
/// has no spaces, commas or quotes.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().ok().map(str::trim).and_then(parse_key);
    match (key, values.next()) {
        (Some(key), None) => Ok(Some(key)),
        (_, Some(_)) => Err(malformed_key("`Idempotency-Key` comes twice".to_owned())),
        (None, None) => Err(malformed_key(format!(
            "`Idempotency-Key` is not a string in quotes of 1 to {KEY_MAX} characters"
        ))),
    }
}

fn malformed_key(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail).at("idempotency-key")
}

/// A string of Structured Fields (RFC 9651, section 3.3.3), or a plain word.
fn parse_key(text: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    let key = match text.strip_prefix('"') {
        Some(rest) => unquote(rest)?,
        None => text.bytes().all(is_plain).then(|| text.to_owned())?,
    };
    (1..=KEY_MAX).contains(&key.len()).then_some(key)
}

/// What stands before the closing quote, which is the last character.
fn unquote(text: &str) -> Option<String> {
    let mut unquoted = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(unquoted),
            '\\' => match characters.next()? {
                escaped @ ('"' | '\\') => unquoted.push(escaped),
                _ => return None,
            },
            plain @ ' '..='~' => unquoted.push(plain),
            _ => return None,
        }
    }
}

/// The preferences in `headers`, with their values and parameters.
fn split(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let all: Vec<String> = values.flat_map(split_one).collect();
    all.into_iter()
}

/// Splits at commas that stand in no quotes.
fn split_one(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted, mut escaped) = (Vec::new(), String::new(), false, false);
    for character in text.chars() {
        if character == ',' && !quoted {
            parts.push(std::mem::take(&mut part));
            continue;
        }
        if character == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && character == '\\' && !escaped;
        part.push(character);
    }
    parts.push(part);
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// The name in lower case, and the value without quotes, of a preference with or without
/// parameters.
fn name_and_value(preference: &str) -> (String, Option<&str>) {
    let own = preference.split(';').next().unwrap_or_default();
    match own.split_once('=') {
        Some((name, value)) => {
            (name.trim().to_ascii_lowercase(), Some(value.trim().trim_matches('"')))
        }
        None => (own.trim().to_ascii_lowercase(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn preferences_are_read_as_rfc_7240_has_them() {
        let check = |values: &[&str], respond_async: bool, wait: Option<u64>| {
            let read = Preferences::of(&headers(&PREFER, values));
            let wait = wait.map(Duration::from_secs);
            assert_eq!(read, Preferences { respond_async, wait }, "{values:?}");
        };
        check(&[], false, None);
        check(&["respond-async"], true, None);
        check(&["Respond-Async, WAIT=10"], true, Some(10));
        check(&["respond-async", "wait=10"], true, Some(10));
        check(&["wait = \"7\"; foo=bar , respond-async;x"], true, Some(7));
        check(&["wait=1, wait=2"], false, Some(1));
        check(&["wait=ten, return=minimal"], false, None);
        check(&["wait=-1"], false, None);
        check(&["foo=\"a, respond-async\""], false, None);
        check(&["foo=\"a\\\", respond-async\""], false, None);
    }

    #[test]
    fn what_the_balancer_follows_no_host_sees() {
        let stripped = |values: &[&'static str]| {
            let mut request = RequestHeader::build("GET", b"/", None).unwrap();
            for value in values {
                request.append_header(PREFER, *value).unwrap();
            }
            strip(&mut request);
            request.headers.get(PREFER).map(|value| value.to_str().unwrap().to_owned())
        };
        let kept = stripped(&["respond-async, return=minimal", "wait=3"]);
        assert_eq!(kept.as_deref(), Some("return=minimal"));
        assert_eq!(stripped(&["respond-async"]), None);
    }

    #[test]
    fn what_was_followed_is_said() {
        let both = Preferences { respond_async: true, wait: Some(Duration::from_secs(5)) };
        assert_eq!(both.applied((true, true)).unwrap(), "respond-async, wait=5");
        assert_eq!(both.applied((true, false)).unwrap(), "wait=5");
        assert_eq!(both.applied((false, true)).unwrap(), "respond-async");
        assert_eq!(Preferences::default().applied((true, true)), None);
    }

    #[test]
    fn a_key_is_a_string_of_structured_fields_or_a_plain_word() {
        let check = |text: &str, expected: Option<&str>| {
            let read = idempotency_key(&headers(&IDEMPOTENCY_KEY, &[text]));
            assert_eq!(read.ok().flatten().as_deref(), expected, "{text}");
        };
        check(
            "\"8e03978e-40d5-43e8-bc93-6894a57f9324\"",
            Some("8e03978e-40d5-43e8-bc93-6894a57f9324"),
        );
        check("\"a \\\"b\\\" \\\\\"", Some("a \"b\" \\"));
        check("plain-word_1", Some("plain-word_1"));
        for bad in ["", "\"\"", "\"a", "a\"", "\"a\" b", "two words", "a,b", "\"\\x\""] {
            check(bad, None);
        }
        check(&format!("\"{}\"", "x".repeat(255)), Some(&"x".repeat(255)));
        check(&format!("\"{}\"", "x".repeat(256)), None);
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
        let twice = idempotency_key(&headers(&IDEMPOTENCY_KEY, &["a", "b"]));
        assert_eq!(twice.unwrap_err().status, 400);
    }
}
