//! What an authority gets that looks by HTTP whether a name leads here (RFC 8555, section 8.3).

use bytes::Bytes;
use http::{StatusCode, header};
use pingora::http::ResponseHeader;

use crate::answer::Whole;

/// The answer that has `shown`, whatever the routes say, and without TLS.
pub(super) fn answer(shown: String) -> pingora::Result<Whole> {
    let mut head = ResponseHeader::build(StatusCode::OK, Some(4))?;
    head.insert_header(header::CONTENT_TYPE, "application/octet-stream")?;
    head.insert_header(header::CONTENT_LENGTH, shown.len())?;
    Ok(Whole { header: Box::new(head), body: Bytes::from(shown) })
}
