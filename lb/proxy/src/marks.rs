//! What answers say whoever gives them: headers that a route or a listener puts on all of its own.

use http::{HeaderName, HeaderValue, header};
use pingora::http::ResponseHeader;

/// Who may read what an answer says of its times.
const TIMING_ALLOW_ORIGIN: HeaderName = HeaderName::from_static("timing-allow-origin");

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Pages of any origin may read it, where it does not say itself who may.
    pub(crate) cors: bool,
    /// `Timing-Allow-Origin`, where the host says nothing of it.
    pub(crate) timing: Option<HeaderValue>,
    /// `Access-Control-Expose-Headers`, where the host says nothing of it.
    pub(crate) expose: Option<HeaderValue>,
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
        for (name, value) in [
            (&TIMING_ALLOW_ORIGIN, &self.timing),
            (&header::ACCESS_CONTROL_EXPOSE_HEADERS, &self.expose),
            (&header::STRICT_TRANSPORT_SECURITY, &self.hsts),
        ] {
            if let Some(value) = value
                && !head.headers.contains_key(name)
            {
                head.insert_header(name, value)?;
            }
        }
        Ok(())
    }
}
