//! Cross-origin requests, on routes that let pages of any origin use them.

use http::{HeaderMap, HeaderName, StatusCode, header};
use pingora::http::ResponseHeader;

/// What pages may send besides what needs no permission.
const HEADERS: &str = "Content-Type,Authorization";

/// The methods that pages may use, besides the one that they ask for.
const METHODS: [&str; 3] = ["GET", "POST", "OPTIONS"];

/// The answer to a preflight (Fetch Standard, section 3.3.3) with the headers `asked`.
pub(super) fn preflight(asked: &HeaderMap) -> pingora::Result<ResponseHeader> {
    let value = |name: &HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    let mut methods = METHODS.join(", ");
    let wanted = value(&header::ACCESS_CONTROL_REQUEST_METHOD).unwrap_or_default();
    if !wanted.is_empty() && !METHODS.contains(&wanted) {
        methods = format!("{methods}, {wanted}");
    }
    let mut headers = HEADERS.to_owned();
    let wanted = value(&header::ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
    for name in wanted.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if !HEADERS.split(',').any(|known| known.eq_ignore_ascii_case(name)) {
            headers = format!("{headers},{name}");
        }
    }
    let mut answer = ResponseHeader::build(StatusCode::NO_CONTENT, Some(4))?;
    answer.insert_header(header::ACCESS_CONTROL_ALLOW_METHODS, methods)?;
    answer.insert_header(header::ACCESS_CONTROL_ALLOW_HEADERS, headers)?;
    Ok(answer)
}
