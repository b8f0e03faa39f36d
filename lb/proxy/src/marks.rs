//! What answers say whoever gives them: headers that a route or a listener puts on all of its own.

use http::{HeaderValue, header};
use pingora::http::ResponseHeader;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Pages of any origin may read it, where it does not say itself who may.
    pub(crate) cors: bool,
    /// `Strict-Transport-Security`, where the host says nothing of it.
    pub(crate) hsts: Option<HeaderValue>,
}

impl Marks {
    /// Puts them on the answer with `head`.
    pub(crate) fn put(&self, head: &mut ResponseHeader) -> pingora::Result<()> {
        if self.cors && !head.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            let any = HeaderValue::from_static("*");
            head.insert_header(header::ACCESS_CONTROL_ALLOW_ORIGIN, any)?;
        }
        match &self.hsts {
            Some(hsts) if !head.headers.contains_key(header::STRICT_TRANSPORT_SECURITY) => {
                head.insert_header(header::STRICT_TRANSPORT_SECURITY, hsts)
            }
            Some(_) | None => Ok(()),
        }
    }
}
