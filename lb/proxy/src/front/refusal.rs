//! What is refused whatever its path is: heads that no host should see.

use http::header::{EXPECT, HOST};
use http::{Method, StatusCode, Version};
use pingora::http::RequestHeader;

use crate::answer::Problem;
use crate::headers;

/// What a host name may be made of, besides letters and digits (RFC 3986, section 3.2.2). Not the
/// comma: it would be two hosts where headers are joined.
const NAME_MARKS: &[u8] = b"-._~%!$&'()*+;=";

/// Why `request` is refused, if it is. Its target is in origin form.
pub(super) fn of(request: &RequestHeader, header_bytes_max: usize) -> Option<Problem> {
    head(request, header_bytes_max)
        .or_else(|| target(request))
        .or_else(|| host(request))
        .or_else(|| expectation(request))
        .or_else(|| coding(request))
}

fn head(request: &RequestHeader, header_bytes_max: usize) -> Option<Problem> {
    (header_bytes_max < headers::head_bytes(request)).then(|| {
        let detail = format!("the head is longer than `{header_bytes_max}` bytes");
        Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail).at("head")
    })
}

fn target(request: &RequestHeader) -> Option<Problem> {
    if request.method == Method::CONNECT {
        let detail = "this is not a forward proxy";
        let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail).at("method");
        return Some(problem.allow("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS".to_owned()));
    }
    let target = request.raw_path();
    if target.starts_with(b"/") || (request.method == Method::OPTIONS && target == b"*") {
        return None;
    }
    let detail = "the target is neither a path nor a URL";
    Some(Problem::new(StatusCode::BAD_REQUEST, detail).at("path"))
}

/// One valid `Host`, which HTTP/1.0 may leave out (RFC 9112, section 3.2).
fn host(request: &RequestHeader) -> Option<Problem> {
    let refused = |detail: &str| Problem::new(StatusCode::BAD_REQUEST, detail).at("host");
    if let Some(authority) = request.uri.authority()
        && !is_host(authority.as_str().as_bytes())
    {
        return Some(refused("the target's host is not `NAME` or `NAME:PORT`"));
    }
    let mut hosts = request.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => {
            let is_needed = request.version == Version::HTTP_11;
            is_needed.then(|| refused("the header `Host` is missing"))
        }
        (Some(_), Some(_)) => Some(refused("the header `Host` comes twice")),
        (Some(host), None) => {
            let is_valid = is_host(host.as_bytes());
            (!is_valid).then(|| refused("the header `Host` is not `NAME` or `NAME:PORT`"))
        }
    }
}

/// Whether the request expects what there is (RFC 9110, section 10.1.1).
fn expectation(request: &RequestHeader) -> Option<Problem> {
    let mut expected = request.headers.get_all(EXPECT).iter();
    let is_known = expected.all(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    (!is_known).then(|| {
        let detail = "the only expectation that is met is `100-continue`";
        Problem::new(StatusCode::EXPECTATION_FAILED, detail).at("expect")
    })
}

/// Bodies come by `chunked`, once (RFC 9112, section 6.1).
fn coding(request: &RequestHeader) -> Option<Problem> {
    (!headers::is_chunked_once(&request.headers)).then(|| {
        let detail = "the only `Transfer-Encoding` is `chunked`, once";
        Problem::new(StatusCode::BAD_REQUEST, detail).at("transfer-encoding")
    })
}

/// Whether `text` is a host with or without a port. An empty one is: some targets have no host.
fn is_host(text: &[u8]) -> bool {
    if let Some(literal) = text.strip_prefix(b"[") {
        return is_literal(literal);
    }
    let end = text.iter().position(|byte| *byte == b':').unwrap_or(text.len());
    let (name, port) = text.split_at(end);
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || NAME_MARKS.contains(byte))
        && is_port_or_none(port)
}

/// Whether `text` is an IPv6 address after its `[`, with or without a port.
fn is_literal(text: &[u8]) -> bool {
    let Some(end) = text.iter().position(|byte| *byte == b']') else { return false };
    let is_digit = |byte: &u8| byte.is_ascii_hexdigit() || b":.".contains(byte);
    0 < end && text[..end].iter().all(is_digit) && is_port_or_none(&text[end + 1..])
}

/// `:` and a port, which without digits is the scheme's; or nothing.
fn is_port_or_none(text: &[u8]) -> bool {
    if text.is_empty() {
        return true;
    }
    let digits = text.strip_prefix(b":").and_then(|digits| str::from_utf8(digits).ok());
    digits.is_some_and(|digits| {
        let all = digits.bytes().all(|byte| byte.is_ascii_digit());
        all && (digits.is_empty() || digits.parse::<u16>().is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        for host in ["", "a", "a.example:80", "a_b", "127.0.0.1:8000", "[::1]", "[::1]:80", "a:"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in ["a b", "a/b", "a,b", "a:99999", "u@a", "a:b", "[::1", "[]", "[::1]x", "a\"b"] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    fn status(request: &RequestHeader) -> Option<u16> {
        of(request, 1024).map(|problem| problem.status)
    }

    fn request(method: &str, target: &str, headers: &[(&'static str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build(method, target.as_bytes(), None).unwrap();
        for (name, value) in headers {
            request.append_header(*name, *value).unwrap();
        }
        request
    }

    #[test]
    fn http_1_1_names_one_host() {
        assert_eq!(status(&request("GET", "/", &[("host", "a")])), None);
        assert_eq!(status(&request("GET", "/", &[])), Some(400));
        assert_eq!(status(&request("GET", "/", &[("host", "a"), ("host", "a")])), Some(400));
        let mut old = request("GET", "/", &[]);
        old.set_version(Version::HTTP_10);
        assert_eq!(status(&old), None);
    }

    #[test]
    fn an_expectation_that_is_not_met_is_said_so() {
        let expecting = |what| request("POST", "/", &[("host", "a"), ("expect", what)]);
        assert_eq!(status(&expecting("100-Continue")), None);
        assert_eq!(status(&expecting("banana")), Some(417));
    }

    #[test]
    fn a_head_and_a_target_have_their_limits() {
        let long = "x".repeat(2000);
        assert_eq!(status(&request("GET", "/", &[("host", "a"), ("x", &long)])), Some(431));
        assert_eq!(status(&request("CONNECT", "a:80", &[("host", "a")])), Some(405));
        assert_eq!(status(&request("OPTIONS", "*", &[("host", "a")])), None);
    }
}
