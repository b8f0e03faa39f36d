//! W3C Trace Context: what `traceparent` and `tracestate` say, and how they are written.
//!
//! A header that breaks a rule counts as none (section 3.2.2.3 of the recommendation): the trace is
//! begun anew, and what others have said of the old one is not passed on.

use std::fmt::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue};

pub(crate) const PARENT: HeaderName = HeaderName::from_static("traceparent");
pub(crate) const STATE: HeaderName = HeaderName::from_static("tracestate");

/// The flag that says that spans of the trace are recorded.
const SAMPLED: u8 = 0b01;

/// The flags that have a meaning. Others are not passed on.
const FLAGS: u8 = 0b11;

/// The length of `traceparent` in version 00.
const PARENT_BYTES: usize = 55;

/// The most members of `tracestate`.
const MEMBERS_MAX: usize = 32;

/// The longest key, and the longest value, of a member.
const TEXT_BYTES_MAX: usize = 256;

/// A trace, and a span of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context {
    /// Not all zeros.
    pub(crate) trace: [u8; 16],
    /// Not all zeros.
    pub(crate) span: [u8; 8],
    pub(crate) flags: u8,
}

// === impl Context ===

impl Context {
    /// A trace that begins here, with its first span. Nobody records it so far.
    pub(crate) fn new_root() -> Context {
        let mut trace = [0; 16];
        trace[..8].copy_from_slice(&fastrand::u64(1..).to_be_bytes());
        trace[8..].copy_from_slice(&fastrand::u64(..).to_be_bytes());
        Context { trace, span: new_span(), flags: 0 }
    }

    /// What `headers` say; `None` where they say nothing, or break a rule.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Context> {
        let mut values = headers.get_all(PARENT).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        Context::parse(value.as_bytes())
    }

    /// `VERSION-TRACE-SPAN-FLAGS`. What is longer is of a later version, whose beginning is the
    /// same.
    fn parse(text: &[u8]) -> Option<Context> {
        let (head, rest) = text.split_at_checked(PARENT_BYTES)?;
        let [version] = digits(&head[..2])?;
        let is_known = version == 0 && rest.is_empty();
        let is_later = version != 0 && version != 0xff && rest.first().is_none_or(|b| *b == b'-');
        let is_split = [2, 35, 52].iter().all(|at| head[*at] == b'-');
        if !(is_split && (is_known || is_later)) {
            return None;
        }
        let (trace, span) = (digits(&head[3..35])?, digits(&head[36..52])?);
        let [flags] = digits(&head[53..])?;
        let is_good = trace != [0; 16] && span != [0; 8];
        is_good.then_some(Context { trace, span, flags: flags & FLAGS })
    }

    pub(crate) fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The same, recorded.
    pub(crate) fn sampled(self) -> Context {
        Context { flags: self.flags | SAMPLED, ..self }
    }

    /// Whether a trace that begins here is recorded, of which so many are: from 0 to 1. As
    /// OpenTelemetry's `TraceIdRatioBased` sampler, so that others who ask the same agree.
    pub(crate) fn is_among(&self, ratio: f64) -> bool {
        let low = self.trace[8..].iter().fold(0, |low: u64, byte| low << 8 | u64::from(*byte));
        ((low >> 1) as f64) < ratio * (1_u64 << 63) as f64
    }

    /// As `traceparent`, for whoever is asked within the span `span`.
    pub(crate) fn parent(&self, span: [u8; 8]) -> Option<HeaderValue> {
        let text = format!("00-{}-{}-{:02x}", hex(&self.trace), hex(&span), self.flags);
        HeaderValue::try_from(text).ok()
    }
}

/// The id of another span.
pub(crate) fn new_span() -> [u8; 8] {
    fastrand::u64(1..).to_be_bytes()
}

/// What `headers` say in `tracestate`, in one line; `None` where they say nothing, break a rule, or
/// say more than `bytes_max`.
pub(crate) fn state(headers: &HeaderMap, bytes_max: usize) -> Option<String> {
    let mut whole = String::new();
    for value in headers.get_all(STATE) {
        let value = value.to_str().ok()?;
        if bytes_max < whole.len() + value.len() {
            return None;
        }
        if !whole.is_empty() {
            whole.push(',');
        }
        whole.push_str(value);
    }
    let members = || whole.split(',').map(|member| member.trim_matches([' ', '\t']));
    let said = members().filter(|member| !member.is_empty());
    let n_said = said.clone().count();
    let is_good = (1..=MEMBERS_MAX).contains(&n_said) && said.into_iter().all(is_member);
    (is_good && whole.len() <= bytes_max).then_some(whole)
}

/// `KEY=VALUE`, of the characters that each may have.
fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let is_key =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let is_value = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b',' && byte != b'=';
    let first = key.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    first
        && key.len() <= TEXT_BYTES_MAX
        && key.bytes().all(is_key)
        && (1..=TEXT_BYTES_MAX).contains(&value.len())
        && value.bytes().all(is_value)
}

/// `bytes` as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Lower-case hexadecimal digits, two for each byte.
fn digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn read(values: &[&str]) -> Option<Context> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PARENT, HeaderValue::from_str(value).unwrap());
        }
        Context::read(&headers)
    }

    #[test]
    fn what_is_written_is_what_was_read() {
        for flags in ["00", "01", "02", "03"] {
            let text = format!("00-{TRACE}-{SPAN}-{flags}");
            let context = read(&[&text]).unwrap();
            assert_eq!(context.parent(context.span).unwrap(), text);
            assert_eq!(context.is_sampled(), flags == "01" || flags == "03");
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for text in [
            format!("cc-{TRACE}-{SPAN}-01"),
            format!("01-{TRACE}-{SPAN}-01-what-the-future-brings"),
            format!("fe-{TRACE}-{SPAN}-ff"),
        ] {
            let context = read(&[&text]).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((hex(&context.trace), context.is_sampled()), (TRACE.to_owned(), true));
            assert!(context.parent(context.span).unwrap().to_str().unwrap().starts_with("00-"));
        }
    }

    #[test]
    fn what_breaks_a_rule_counts_as_nothing() {
        let good = format!("00-{TRACE}-{SPAN}-01");
        for bad in [
            "",
            "00",
            &good[..54],
            &format!("{good}-more"),
            &format!("{good}x"),
            &format!("ff-{TRACE}-{SPAN}-01"),
            &format!("01-{TRACE}-{SPAN}-01.more"),
            &format!("00-{}-{SPAN}-01", "0".repeat(32)),
            &format!("00-{TRACE}-{}-01", "0".repeat(16)),
            &format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            &format!("00-{TRACE}-{SPAN}-0g"),
            &format!("0x-{TRACE}-{SPAN}-01"),
            &format!("00_{TRACE}_{SPAN}_01"),
            &format!("00-{SPAN}-{TRACE}-01"),
        ] {
            assert_eq!(read(&[bad]), None, "{bad}");
        }
        assert_eq!(read(&[&good, &good]), None, "twice");
        assert_eq!(read(&[]), None);
    }

    fn state_of(values: &[&str], bytes_max: usize) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(STATE, HeaderValue::from_str(value).unwrap());
        }
        state(&headers, bytes_max)
    }

    #[test]
    fn several_lines_of_state_are_one() {
        assert_eq!(state_of(&["a=1", "b=2"], 512).as_deref(), Some("a=1,b=2"));
        assert_eq!(state_of(&["a=1 , b@v-_*/=x y,,"], 512).as_deref(), Some("a=1 , b@v-_*/=x y,,"));
        let full: Vec<String> = (0..MEMBERS_MAX).map(|n| format!("k{n}=v")).collect();
        assert!(state_of(&[&full.join(",")], 512).is_some());
    }

    #[test]
    fn state_that_breaks_a_rule_or_is_too_long_is_not_passed_on() {
        let many: Vec<String> = (0..=MEMBERS_MAX).map(|n| format!("k{n}=v")).collect();
        for bad in [
            "",
            "a",
            "=1",
            "a=",
            "A=1",
            "a=1=2",
            "_a=1",
            ",",
            &many.join(","),
            &format!("{}=1", "k".repeat(257)),
        ] {
            assert_eq!(state_of(&[bad], 4096), None, "{bad}");
        }
        assert_eq!(state_of(&["a=1"], 2), None);
        assert_eq!(state_of(&["a=1", "b=2"], 6), None);
    }

    #[test]
    fn a_ratio_is_that_many_of_the_traces() {
        let n_among =
            |ratio: f64| (0..10_000).filter(|_| Context::new_root().is_among(ratio)).count();
        assert_eq!((n_among(0.0), n_among(1.0)), (0, 10_000));
        let some = n_among(0.25);
        assert!((2_200..2_800).contains(&some), "{some}");
        let mut root = Context::new_root();
        root.trace[8..].copy_from_slice(&[0x7f; 8]);
        assert!(root.is_among(0.5) && !root.is_among(0.49));
    }
}
