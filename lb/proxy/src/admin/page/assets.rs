//! What the page is made of beside its HTML: in this program, so that nobody else is asked for it.

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderValue};

/// Scripts, styles, pictures and connections of this address alone; nothing that stands in the page
/// itself runs, and no other page may hold it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
);

/// A file of the page.
pub(in super::super) struct Asset {
    pub(in super::super) content_type: &'static str,
    pub(in super::super) body: &'static str,
}

/// The file at `path`, where there is one.
pub(in super::super) fn asset(path: &str) -> Option<Asset> {
    let (content_type, body) = match path {
        "/page.css" => ("text/css; charset=utf-8", include_str!("page.css")),
        "/page.js" => ("text/javascript; charset=utf-8", include_str!("page.js")),
        "/icon.svg" => ("image/svg+xml", include_str!("icon.svg")),
        _ => return None,
    };
    Some(Asset { content_type, body })
}

/// What browsers are told of the page and its files.
pub(in super::super) fn guard(headers: &mut HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stands_in_the_page_that_its_policy_forbids() {
        assert!(!POLICY.to_str().unwrap().contains("unsafe"));
        let script = asset("/page.js").unwrap().body;
        for word in ["eval(", "document.write", "Function(", "http://", "https://", "style="] {
            assert!(!script.contains(word), "{word}");
        }
        let style = asset("/page.css").unwrap().body;
        assert!(!style.contains("url("), "it asks nobody for anything");
        assert!(asset("/page").is_none());
    }
}
