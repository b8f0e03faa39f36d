//! Facts of a request's head: method, path, query and headers.

use super::facts::Sink;
use crate::request::RequestSpec;

/// Segments of the path that are looked at.
const SEGMENTS_MAX: usize = 8;

/// Headers that say nothing of the cost of a request, or only of who asks.
const USUAL: [&str; 30] = [
    "accept-encoding",
    "accept-language",
    "authorization",
    "cache-control",
    "connection",
    "content-length",
    "cookie",
    "date",
    "dnt",
    "expect",
    "forwarded",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-unmodified-since",
    "keep-alive",
    "origin",
    "pragma",
    "priority",
    "proxy-authorization",
    "referer",
    "te",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];

/// Beginnings of the names of such headers.
const USUAL_BEGIN: [&str; 5] = ["sec-", "x-forwarded-", "x-request-", "x-b3-", "weighbridge-"];

/// Tells `sink` of the head.
pub(super) fn read(spec: &RequestSpec<'_>, sink: &mut Sink<'_>) {
    for (name, value) in spec.headers {
        match *name {
            ":method" => sink.word("", "method", value),
            ":path" => path(value, sink),
            // Of `text/html; charset=utf-8` and of `a/b, c/d` the first type.
            "content-type" | "accept" => {
                let first = value.split([';', ',']).next().unwrap_or_default().trim();
                sink.word("header.", name, first);
            }
            _ if is_usual(name) => {}
            _ => sink.text("header.", name, value),
        }
        if sink.is_full() {
            return;
        }
    }
    pairs("query.", spec.query, sink);
}

/// Tells `sink` of `a=1&b=2`.
pub(super) fn pairs(prefix: &str, text: &str, sink: &mut Sink<'_>) {
    for pair in text.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        sink.text(prefix, name, value);
        if sink.is_full() {
            return;
        }
    }
}

/// `path.1` is the first segment.
fn path(path: &str, sink: &mut Sink<'_>) {
    const NAMES: [&str; SEGMENTS_MAX] = ["1", "2", "3", "4", "5", "6", "7", "8"];

    let segments = path.split('/').filter(|segment| !segment.is_empty());
    for (name, segment) in NAMES.iter().zip(segments) {
        sink.text("path.", name, segment);
    }
}

fn is_usual(name: &str) -> bool {
    USUAL.binary_search(&name).is_ok() || USUAL_BEGIN.iter().any(|begin| name.starts_with(begin))
}
