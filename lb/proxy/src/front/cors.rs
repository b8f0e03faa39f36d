//! Cross-origin requests: browsers call these services directly, from any page.

use http::{HeaderValue, StatusCode, header};
use pingora::http::ResponseHeader;

/// The answer to a preflight (`OPTIONS` on any path).
pub(super) fn preflight() -> pingora::Result<ResponseHeader> {
    let mut header = ResponseHeader::build(StatusCode::NO_CONTENT, Some(4))?;
    header.insert_header(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS")?;
    header.insert_header(header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type,Authorization")?;
    Ok(header)
}

/// Lets any origin read the response.
pub(super) fn allow_origin(header: &mut ResponseHeader) -> pingora::Result<()> {
    header.insert_header(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"))
}
