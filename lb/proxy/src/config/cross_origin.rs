//! What a route tells browsers that pages of other origins may read.

use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Uri};

use super::reader::Section;

/// The longest lists.
const LISTED_MAX: usize = 64;

/// Who may read what answers say of their times: `Timing-Allow-Origin` (W3C Resource Timing).
pub(super) fn timing(section: &mut Section<'_>) -> Option<HeaderValue> {
    let expected = "an origin, such as \"https://app.example\"";
    listed(section, "timing_allow_origin", expected, |text| {
        is_origin(text).then(|| text.to_owned())
    })
}

/// Which headers pages may read beside the usual ones: `Access-Control-Expose-Headers` (Fetch).
pub(super) fn exposed(section: &mut Section<'_>) -> Option<HeaderValue> {
    listed(section, "expose_headers", "the name of a header", |text| {
        HeaderName::try_from(text).ok().map(|name| name.as_str().to_owned())
    })
}

/// A list whose entries `read` takes, or `"*"` alone, as one value; `None` where it is empty.
fn listed(
    section: &mut Section<'_>,
    key: &'static str,
    expected: &str,
    read: impl Fn(&str) -> Option<String>,
) -> Option<HeaderValue> {
    let texts = section.texts(key, "a list of texts, or [\"*\"]");
    section.check(texts.len() <= LISTED_MAX, &[key], || {
        format!("{} has {} entries: expected at most {LISTED_MAX}", section.name(key), texts.len())
    });
    if texts == ["*"] {
        return Some(HeaderValue::from_static("*"));
    }
    let mut good = Vec::new();
    for text in &texts {
        let one = read(text).filter(|_| text != "*");
        section.check(one.is_some(), &[key], || {
            format!("{} has `{text}`: expected {expected}, or \"*\" alone", section.name(key))
        });
        good.extend(one);
    }
    (!good.is_empty()).then(|| HeaderValue::try_from(good.join(", ")).ok()).flatten()
}

/// `SCHEME://HOST`, with a port or without one (RFC 6454, section 6.2).
fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let is_web = uri.scheme().is_some_and(|s| *s == Scheme::HTTP || *s == Scheme::HTTPS);
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let whole = format!("{}://{authority}", uri.scheme_str().unwrap_or_default());
    is_web && !authority.is_empty() && !authority.contains('@') && whole == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_a_scheme_and_a_host_and_nothing_else() {
        for good in ["https://app.example", "http://localhost:3000", "https://[::1]:1"] {
            assert!(is_origin(good), "{good}");
        }
        for bad in
            ["", "*", "null", "app.example", "https://", "https://a/", "https://u@a", "ftp://a"]
        {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
