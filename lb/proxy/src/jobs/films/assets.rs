//! What the pages are made of beside their HTML: in this program, so that nobody else is asked.

use http::{HeaderName, StatusCode, header};
use pingora::http::ResponseHeader;

use crate::answer::Whole;

/// Scripts, styles and connections of this address alone; pictures and films of files that were
/// chosen, too. Nothing that stands in a page itself runs, and no other page may hold one.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                      img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What browsers are told of the pages and their files.
const GUARD: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-cache"),
];

/// The file below the pages at `path`, and its media type.
pub(super) fn asset(path: &str) -> Option<(&'static str, &'static str)> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    match path {
        "/upload/page.css" => Some(("text/css; charset=utf-8", include_str!("page.css"))),
        "/upload/upload.js" => Some((SCRIPT, include_str!("upload.js"))),
        "/upload/photos.js" => Some((SCRIPT, include_str!("photos.js"))),
        "/upload/film.js" => Some((SCRIPT, include_str!("film.js"))),
        "/upload/icon.svg" => Some(("image/svg+xml", include_str!("icon.svg"))),
        _ => None,
    }
}

/// The answer that `body` is, with what browsers are told of the pages and their files.
pub(super) fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<bytes::Bytes>,
) -> pingora::Result<Whole> {
    let body = body.into();
    let mut header = ResponseHeader::build(status, Some(8))?;
    header.insert_header(header::CONTENT_TYPE, content_type)?;
    header.insert_header(header::CONTENT_LENGTH, body.len())?;
    for (name, value) in GUARD {
        header.insert_header(name, value)?;
    }
    Ok(Whole { header: Box::new(header), body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_stands_in_the_pages_that_their_policy_forbids() {
        assert!(!POLICY.contains("unsafe"));
        for name in ["upload", "photos", "film"] {
            let (_, script) = asset(&format!("/upload/{name}.js")).expect("it is there");
            for word in ["eval(", "innerHTML", "document.write", "Function(", "//", "style="] {
                let is_comment = |line: &str| line.trim_start().starts_with("//");
                let found = script.lines().find(|line| !is_comment(line) && line.contains(word));
                assert_eq!(found, None, "{name}: {word}");
            }
        }
        let (_, style) = asset("/upload/page.css").expect("it is there");
        assert!(!style.contains("url("), "it asks nobody for anything");
        assert!(asset("/upload/page").is_none());
    }
}
