//! A request as Lambda carries it: the event of a function URL, payload format 2.0.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{COOKIE, HOST, USER_AGENT};
use http::request::Parts;
use serde::Serialize;

use crate::headers::RESERVED;

/// See the module.
#[derive(Debug)]
pub(super) struct Event<'a> {
    head: Head<'a>,
    body: Body<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Body<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

/// The event without a body.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    version: &'static str,
    route_key: &'static str,
    raw_path: &'a str,
    raw_query_string: &'a str,
    cookies: Vec<Cow<'a, str>>,
    headers: BTreeMap<&'a str, Cow<'a, str>>,
    query_string_parameters: BTreeMap<String, String>,
    request_context: Context<'a>,
    body: Cow<'a, str>,
    is_base64_encoded: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    account_id: &'static str,
    api_id: &'static str,
    domain_name: Cow<'a, str>,
    domain_prefix: &'static str,
    http: Http<'a>,
    request_id: String,
    route_key: &'static str,
    stage: &'static str,
    /// Milliseconds since 1970.
    time_epoch: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Http<'a> {
    method: &'a str,
    path: &'a str,
    protocol: &'static str,
    source_ip: String,
    user_agent: Cow<'a, str>,
}

/// Counts the bytes that are written to it.
struct Counter(u64);

// === impl Event ===

impl<'a> Event<'a> {
    /// `request` is the one that hosts get: without headers of the connection, with the client's
    /// address.
    pub(super) fn new(request: &'a Parts, body: &'a [u8]) -> Event<'a> {
        let body = str::from_utf8(body).map_or(Body::Binary(body), Body::Text);
        let path = request.uri.path();
        let query = request.uri.query().unwrap_or("");
        let first = |name| request.headers.get(name).map_or(Cow::Borrowed(""), text);
        let client = first(http::HeaderName::from_static("x-forwarded-for"));
        let client = client.rsplit(',').next().unwrap_or_default().trim();
        let head = Head {
            version: "2.0",
            route_key: "$default",
            raw_path: path,
            raw_query_string: query,
            cookies: request.headers.get_all(COOKIE).iter().map(text).collect(),
            headers: headers(request),
            query_string_parameters: parameters(query),
            request_context: Context {
                account_id: "anonymous",
                api_id: "weighbridge",
                domain_name: first(HOST),
                domain_prefix: "weighbridge",
                http: Http {
                    method: request.method.as_str(),
                    path,
                    protocol: "HTTP/1.1",
                    source_ip: client.to_owned(),
                    user_agent: first(USER_AGENT),
                },
                request_id: String::new(),
                route_key: "$default",
                stage: "$default",
                time_epoch: 0,
            },
            body: Cow::Borrowed(""),
            is_base64_encoded: matches!(body, Body::Binary(_)),
        };
        Event { head: head.at(SystemTime::now()), body }
    }

    /// The length of [`Event::text`], without making it.
    pub(super) fn bytes(&self) -> u64 {
        let mut counter = Counter(0);
        // Counting cannot fail.
        let _ = serde_json::to_writer(&mut counter, &self.head);
        counter.0 + self.body.json_bytes()
    }

    /// The JSON text.
    pub(super) fn text(mut self) -> Bytes {
        self.head.body = match self.body {
            Body::Text(text) => Cow::Borrowed(text),
            Body::Binary(bytes) => Cow::Owned(STANDARD.encode(bytes)),
        };
        let mut text = Vec::with_capacity(self.head.body.len() + 4096);
        // Writing strings, numbers and maps of strings to memory cannot fail.
        let _ = serde_json::to_writer(&mut text, &self.head);
        Bytes::from(text)
    }
}

// === impl Head ===

impl<'a> Head<'a> {
    /// The text for a given time, which also numbers the request. Its length does not depend on the
    /// time.
    fn at(mut self, now: SystemTime) -> Head<'a> {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.request_context.request_id = format!("{:032x}", since.as_nanos());
        // It has thirteen digits from 2001 to 2286.
        self.request_context.time_epoch =
            u64::try_from(since.as_millis()).unwrap_or(0).max(1_000_000_000_000);
        self
    }
}

// === impl Body ===

impl Body<'_> {
    /// Its length as a JSON string, without the quotes.
    fn json_bytes(self) -> u64 {
        match self {
            Body::Binary(bytes) => (bytes.len() as u64).div_ceil(3) * 4,
            Body::Text(text) => text.bytes().map(json_byte).sum(),
        }
    }
}

/// Bytes of one byte of a text in a JSON string.
fn json_byte(byte: u8) -> u64 {
    match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0x00..=0x1f => 6,
        _ => 1,
    }
}

/// All headers except cookies, which have a member of their own, and those that only hosts get.
/// Headers of one name are joined by commas.
fn headers(request: &Parts) -> BTreeMap<&str, Cow<'_, str>> {
    let mut headers: BTreeMap<&str, Cow<'_, str>> = BTreeMap::new();
    for (name, value) in &request.headers {
        if name == COOKIE || RESERVED.contains(name) {
            continue;
        }
        match headers.get_mut(name.as_str()) {
            Some(known) => {
                let known = known.to_mut();
                known.push(',');
                known.push_str(&text(value));
            }
            None => {
                headers.insert(name.as_str(), text(value));
            }
        }
    }
    headers
}

fn text(value: &http::HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// The parameters of a query, decoded. Parameters of one name are joined by commas.
fn parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let known = parameters.entry(name.into_owned());
        known
            .and_modify(|known| {
                known.push(',');
                known.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    parameters
}

// === impl Counter ===

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
