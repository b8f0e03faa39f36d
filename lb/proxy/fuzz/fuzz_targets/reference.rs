//! Another reader of requests, in no hurry: heads by `httparse`, chunks as RFC 9112 has them.

use super::{Fault, HeadLimits, Wire};

const LIMITS: HeadLimits = HeadLimits { bytes_max: 1 << 16, fields_max: 256 };

/// Checks that `bytes` mean the same whatever pieces they come in, and the same as to the
/// reference.
pub(crate) fn check(bytes: &[u8]) {
    let mut whole = Wire::new(LIMITS);
    let taken = whole.take(bytes);
    assert!(taken <= bytes.len());
    assert!(taken == bytes.len() || whole.fault().is_some());

    let (ends, fault, in_head) = by_bytes(bytes);
    assert_eq!(fault, whole.fault(), "by bytes and whole");
    if fault.is_none() {
        assert_eq!(in_head, whole.is_in_head());
    }
    let expected = head_ends(bytes);
    assert!(ends.starts_with(&expected) || fault.is_some(), "{ends:?} are not {expected:?}");
    // What is refused is so for a reason that the reference sees: it has read no further.
    if matches!(fault, Some(Fault::Chunks | Fault::Trailers)) {
        assert!(expected.len() <= ends.len(), "{ends:?} are less than {expected:?}");
    }
}

/// Where heads end, and how all of it ends, byte by byte.
fn by_bytes(bytes: &[u8]) -> (Vec<usize>, Option<Fault>, bool) {
    let mut wire = Wire::new(LIMITS);
    let mut ends = Vec::new();
    for (at, byte) in bytes.iter().enumerate() {
        let was_in_head = wire.is_in_head();
        wire.take(&[*byte]);
        if wire.fault().is_some() {
            break;
        }
        if was_in_head && !wire.is_in_head() {
            ends.push(at + 1);
        }
    }
    (ends, wire.fault(), wire.is_in_head())
}

/// Where heads end, as far as all of it is what it should be.
fn head_ends(bytes: &[u8]) -> Vec<usize> {
    let (mut ends, mut at) = (Vec::new(), 0);
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 256];
        let mut request = httparse::Request::new(&mut headers);
        let Ok(httparse::Status::Complete(length)) = request.parse(&bytes[at..]) else {
            return ends;
        };
        let body = at + length;
        let Some(framing) = framing(request.headers) else { return ends };
        ends.push(body);
        let rest = match framing {
            Framing::Length(length) => {
                usize::try_from(length).ok().and_then(|length| bytes[body..].get(length..))
            }
            Framing::Chunks => after_chunks(&bytes[body..]),
        };
        let Some(rest) = rest else { return ends };
        at = bytes.len() - rest.len();
    }
}

enum Framing {
    Length(u64),
    Chunks,
}

/// How the body is framed; `None` where that would be refused.
fn framing(headers: &[httparse::Header<'_>]) -> Option<Framing> {
    let values = |name: &str| -> Vec<&[u8]> {
        let named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value.trim_ascii()).collect()
    };
    match (&values("transfer-encoding")[..], &values("content-length")[..]) {
        ([], []) => Some(Framing::Length(0)),
        ([], [length]) => {
            let is_number = !length.is_empty() && length.iter().all(u8::is_ascii_digit);
            let length = std::str::from_utf8(length).ok().filter(|_| is_number)?;
            length.parse().ok().map(Framing::Length)
        }
        ([coding], _) if coding.eq_ignore_ascii_case(b"chunked") => Some(Framing::Chunks),
        _ => None,
    }
}

/// What follows a chunked body (RFC 9112, section 7.1); `None` where it is none, or goes on.
fn after_chunks(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let line = line(&mut bytes)?;
        let n_digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let extensions = line[n_digits..].trim_ascii_start();
        let is_plain = extensions.is_empty() || extensions.starts_with(b";");
        if 16 < n_digits || 4000 < line.len() || !is_plain || !is_text(&line[n_digits..]) {
            return None;
        }
        let size = std::str::from_utf8(&line[..n_digits]).ok()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            break;
        }
        bytes = bytes.get(size..)?.strip_prefix(b"\r\n")?;
    }
    loop {
        let field = line(&mut bytes)?;
        if field.is_empty() {
            return Some(bytes);
        }
        // As `httparse` reads fields.
        let mut headers = [httparse::EMPTY_HEADER; 1];
        let whole = [field, b"\r\n\r\n"].concat();
        let read = httparse::parse_headers(&whole, &mut headers);
        if !matches!(read, Ok(httparse::Status::Complete((_, [_])))) || !is_text(field) {
            return None;
        }
    }
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == b'\t' || (b' ' <= *byte && *byte != 0x7f))
}

/// The next line, without its line break.
fn line<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, rest) = bytes.split_at(end);
    *bytes = &rest[2..];
    (!line.contains(&b'\n')).then_some(line)
}
