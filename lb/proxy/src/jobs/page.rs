//! A job as a page for people, without any script: how far it is, and when it is predicted to end.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use pingora::http::ResponseHeader;

use super::status::Status;
use crate::answer::Whole;

/// The page loads itself again as often as clients are told to come back, but not more seldom than
/// after so many seconds.
const REFRESH_MAX_SECS: u64 = 30;

/// What the page may do: nothing but look as it does.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// Light or dark, as is preferred.
const STYLE: &str = ":root{color-scheme:light dark}\
                     body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;\
                     padding:0 1rem;overflow-wrap:anywhere}\
                     progress{width:100%}dt{opacity:.7}dd{margin:0 0 .5rem}";

/// Whether what is asked for with `headers` is a page: a browser says so first of all.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.trim_start().starts_with("text/html"))
}

/// The page of the job `told`; `why` it has failed, where it has.
pub(crate) fn answer(told: &Status, why: Option<&str>) -> pingora::Result<Whole> {
    let body = page(told, why);
    let mut header = ResponseHeader::build(StatusCode::OK, Some(6))?;
    header.insert_header(header::CONTENT_TYPE, "text/html; charset=utf-8")?;
    header.insert_header(header::CONTENT_LENGTH, body.len())?;
    header.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))?;
    header.insert_header(header::CONTENT_SECURITY_POLICY, POLICY)?;
    Ok(Whole { header: Box::new(header), body: body.into() })
}

fn page(told: &Status, why: Option<&str>) -> String {
    let refresh = told.retry_after.map(|secs| secs.min(REFRESH_MAX_SECS));
    let refresh = refresh
        .map_or(String::new(), |secs| format!("<meta http-equiv=\"refresh\" content=\"{secs}\">"));
    let (state, part) = (told.state, told.progress);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">{refresh}\
         <title>{state}: job {id}</title><style>{STYLE}</style></head><body>\
         <h1>{state}</h1><progress max=\"1\" value=\"{part:.3}\">{percent:.0} %</progress><dl>",
        id = told.id,
        percent = part * 100.0,
    );
    let why = why.map(|why| ("what went wrong", why.to_owned()));
    for (name, value) in why.into_iter().chain(told.in_words()) {
        // Writing to a String cannot fail.
        let _ = write!(page, "<dt>{name}</dt><dd>{}</dd>", escaped(&value));
    }
    page += "</dl></body></html>\n";
    page
}

/// `text` as it may stand in a page.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_named_is_text() {
        assert_eq!(
            escaped("<a href='x'>&\"</a>"),
            "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;"
        );
    }

    #[test]
    fn a_browser_gets_a_page_and_nobody_else() {
        let wants = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            is_wanted(&headers)
        };
        assert!(wants("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!wants("*/*") && !wants("application/json") && !is_wanted(&HeaderMap::new()));
    }
}
