//! Requests that come without TLS to a listener that sends them to HTTPS.

use http::{HeaderValue, StatusCode, header};
use pingora::http::{RequestHeader, ResponseHeader};

use crate::answer::{Problem, Whole};
use crate::config::name_of;
use crate::headers;

/// Where HTTPS is unless a URL says otherwise.
const PORT: u16 = 443;

/// The answer that sends `request` to the same URL by HTTPS, at `port`. Its head has been looked
/// at: a host that it names is one.
pub(super) fn redirect(request: &RequestHeader, port: u16) -> pingora::Result<Whole> {
    let host = headers::host(request).map(name_of).unwrap_or_default();
    let Some(location) = location(host, port, request.raw_path()) else {
        let detail = "this address is for HTTPS, and the request names no host to send it to";
        return Problem::new(StatusCode::BAD_REQUEST, detail).at("host").answer();
    };
    let mut head = ResponseHeader::build(StatusCode::PERMANENT_REDIRECT, Some(4))?;
    head.insert_header(header::LOCATION, location)?;
    head.insert_header(header::CONTENT_LENGTH, 0)?;
    Ok(super::without_body(head))
}

fn location(host: &str, port: u16, target: &[u8]) -> Option<HeaderValue> {
    if host.is_empty() {
        return None;
    }
    let port = if port == PORT { String::new() } else { format!(":{port}") };
    let path: &[u8] = if target.starts_with(b"/") { target } else { b"/" };
    let url = [b"https://", host.as_bytes(), port.as_bytes(), path].concat();
    HeaderValue::from_bytes(&url).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_the_same_url_by_https() {
        let location = |host: &str, port, target: &str| {
            location(host, port, target.as_bytes()).map(|url| url.to_str().unwrap().to_owned())
        };
        let url = |text: &str| Some(text.to_owned());
        assert_eq!(location("a.example", 443, "/x?y=1"), url("https://a.example/x?y=1"));
        assert_eq!(location("[::1]", 8443, "/"), url("https://[::1]:8443/"));
        assert_eq!(location("a", 443, "*"), url("https://a/"));
        assert_eq!(location("", 443, "/"), None);
    }
}
