//! Which attempt of a job a request is, as its balancer calls it, and what attempts have used.
//!
//! The balancer names an attempt by a number that says nothing else. The load report tells of each
//! attempt that runs here how much CPU time it has had; so a job's page can show how far it is.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

/// The number, in sixteen hexadecimal digits.
const ATTEMPT: HeaderName = HeaderName::from_static("weighbridge-attempt");

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt(u64);

/// CPU time that an attempt has had.
pub(crate) type Spent = (Attempt, Duration);

// === impl Attempt ===

impl Attempt {
    /// The attempt that a request with these headers is; `None` where it is none.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Attempt> {
        let text = headers.get(ATTEMPT)?.to_str().ok()?;
        let is_number = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_number {
            return None;
        }
        u64::from_str_radix(text, 16).ok().map(Attempt)
    }

    /// What its CPU time is called in a load report.
    pub(crate) fn metric(self) -> String {
        format!("spent_{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn an_attempt_has_sixteen_digits() {
        let of = |text: &'static str| {
            let headers = [(ATTEMPT, HeaderValue::from_static(text))].into_iter().collect();
            Attempt::of(&headers).map(Attempt::metric)
        };
        assert_eq!(of("00000000000000ff").as_deref(), Some("spent_00000000000000ff"));
        for text in ["", "ff", "+0000000000000ff", "000000000000000ff", "000000000000000g"] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(Attempt::of(&HeaderMap::new()), None);
    }
}
