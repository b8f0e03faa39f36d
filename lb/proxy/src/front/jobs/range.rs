//! Parts of results: `Range` (RFC 9110, section 14), for players that look for a place in a film.
//! One range of bytes at a time; of several, all of the result is given, as the standard allows.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use pingora::http::ResponseHeader;

/// What is wanted of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// The bytes from the first to before the last.
    Part(u64, u64),
    /// What there is not.
    Nothing,
}

/// What `headers` want of a result of `bytes`.
pub(super) fn wanted(headers: &HeaderMap, bytes: u64) -> Wanted {
    let mut all = headers.get_all(header::RANGE).iter();
    let (Some(range), None) = (all.next(), all.next()) else { return Wanted::Whole };
    // It has no validator that one could be compared with.
    if headers.contains_key(header::IF_RANGE) {
        return Wanted::Whole;
    }
    let range = range.to_str().ok().and_then(|range| range.trim().strip_prefix("bytes="));
    let Some((from, to)) = range.and_then(|range| range.split_once('-')) else {
        return Wanted::Whole;
    };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More than there can be of anything.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let part = match (from.trim(), to.trim()) {
        ("", last) => number(last).map(|last| (bytes.saturating_sub(last), bytes)),
        (from, "") => number(from).map(|from| (from, bytes)),
        (from, to) => number(from)
            .zip(number(to))
            .filter(|(from, to)| from <= to)
            .map(|(from, to)| (from, to.saturating_add(1).min(bytes))),
    };
    match part {
        Some((from, to)) if from < to => Wanted::Part(from, to),
        Some(_) => Wanted::Nothing,
        None => Wanted::Whole,
    }
}

/// Makes `head`, of a result of `bytes`, the head of what is `wanted`.
pub(super) fn apply(head: &mut ResponseHeader, wanted: Wanted, bytes: u64) -> pingora::Result<()> {
    head.insert_header(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"))?;
    match wanted {
        Wanted::Whole => head.insert_header(header::CONTENT_LENGTH, bytes),
        Wanted::Part(from, to) => {
            head.set_status(StatusCode::PARTIAL_CONTENT)?;
            let range = format!("bytes {from}-{}/{bytes}", to.saturating_sub(1));
            head.insert_header(header::CONTENT_RANGE, range)?;
            head.insert_header(header::CONTENT_LENGTH, to - from)
        }
        Wanted::Nothing => {
            head.set_status(StatusCode::RANGE_NOT_SATISFIABLE)?;
            head.insert_header(header::CONTENT_RANGE, format!("bytes */{bytes}"))?;
            head.insert_header(header::CONTENT_LENGTH, 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: &'static str) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static(range));
        wanted(&headers, 100)
    }

    #[test]
    fn one_range_of_bytes_is_given() {
        assert_eq!(of("bytes=0-"), Wanted::Part(0, 100));
        assert_eq!(of("bytes=10-19"), Wanted::Part(10, 20));
        assert_eq!(of("bytes=90-1000"), Wanted::Part(90, 100));
        assert_eq!(of("bytes=-5"), Wanted::Part(95, 100));
        assert_eq!(of("bytes=-500"), Wanted::Part(0, 100));
        assert_eq!(of("bytes=99-99"), Wanted::Part(99, 100));
        assert_eq!(of("bytes=5-99999999999999999999"), Wanted::Part(5, 100));
    }

    #[test]
    fn what_is_not_there_is_refused_and_what_is_no_range_is_not_looked_at() {
        for beyond in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert_eq!(of(beyond), Wanted::Nothing, "{beyond}");
        }
        for other in
            ["bytes=1-0", "bytes=a-", "bytes=-", "bytes=0-1,3-4", "lines=0-1", "bytes=+1-2"]
        {
            assert_eq!(of(other), Wanted::Whole, "{other}");
        }
        assert_eq!(wanted(&HeaderMap::new(), 100), Wanted::Whole);
    }

    #[test]
    fn the_head_says_which_part_it_is() {
        let told = |wanted| {
            let mut head = ResponseHeader::build(200, None).unwrap();
            apply(&mut head, wanted, 100).unwrap();
            let text = |name: &str| head.headers.get(name).map(|v| v.to_str().unwrap().to_owned());
            (head.status.as_u16(), text("content-range"), text("content-length").unwrap())
        };
        assert_eq!(told(Wanted::Whole), (200, None, "100".to_owned()));
        let part = Some("bytes 10-19/100".to_owned());
        assert_eq!(told(Wanted::Part(10, 20)), (206, part, "10".to_owned()));
        let none = Some("bytes */100".to_owned());
        assert_eq!(told(Wanted::Nothing), (416, none, "0".to_owned()));
    }
}
