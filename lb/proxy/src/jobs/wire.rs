//! Heads as they are kept: the text that HTTP/1.1 would have them be.

use http::{HeaderName, HeaderValue};
use pingora::http::{RequestHeader, ResponseHeader};

/// The most fields of a head that is kept.
const FIELDS_MAX: usize = 300;

/// A head that was kept cannot be read: the ledger is damaged, or of another version.
#[derive(Debug, thiserror::Error)]
#[error("a kept head cannot be read")]
pub(crate) struct UnreadableHead;

/// The head of a request, to be kept.
pub(crate) fn keep_request(head: &RequestHeader) -> Vec<u8> {
    let mut text = Vec::with_capacity(512);
    text.extend_from_slice(head.method.as_str().as_bytes());
    text.push(b' ');
    text.extend_from_slice(head.raw_path());
    text.extend_from_slice(b" HTTP/1.1\r\n");
    keep_fields(&mut text, head.headers.iter());
    text
}

/// The head of an answer, to be kept.
pub(crate) fn keep_answer(head: &ResponseHeader) -> Vec<u8> {
    let mut text = Vec::with_capacity(512);
    text.extend_from_slice(format!("HTTP/1.1 {} \r\n", head.status.as_u16()).as_bytes());
    keep_fields(&mut text, head.headers.iter());
    text
}

/// The head of a request that was kept.
pub(crate) fn request(text: &[u8]) -> Result<RequestHeader, UnreadableHead> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut parsed = httparse::Request::new(&mut fields);
    let is_whole = parsed.parse(text).map_err(|_| UnreadableHead)?.is_complete();
    let (Some(method), Some(path), true) = (parsed.method, parsed.path, is_whole) else {
        return Err(UnreadableHead);
    };
    let n_fields = Some(parsed.headers.len() + 8);
    let head = RequestHeader::build(method, path.as_bytes(), n_fields);
    let mut head = head.map_err(|_| UnreadableHead)?;
    for field in parsed.headers.iter() {
        let (name, value) = field_of(field)?;
        head.append_header(name, value).map_err(|_| UnreadableHead)?;
    }
    Ok(head)
}

/// The head of an answer that was kept.
pub(crate) fn answer(text: &[u8]) -> Result<ResponseHeader, UnreadableHead> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut parsed = httparse::Response::new(&mut fields);
    let is_whole = parsed.parse(text).map_err(|_| UnreadableHead)?.is_complete();
    let (Some(code), true) = (parsed.code, is_whole) else { return Err(UnreadableHead) };
    let head = ResponseHeader::build(code, Some(parsed.headers.len() + 8));
    let mut head = head.map_err(|_| UnreadableHead)?;
    for field in parsed.headers.iter() {
        let (name, value) = field_of(field)?;
        head.append_header(name, value).map_err(|_| UnreadableHead)?;
    }
    Ok(head)
}

fn keep_fields<'a>(
    text: &mut Vec<u8>,
    fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
) {
    for (name, value) in fields {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
}

fn field_of(field: &httparse::Header<'_>) -> Result<(HeaderName, HeaderValue), UnreadableHead> {
    let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| UnreadableHead)?;
    let value = HeaderValue::from_bytes(field.value).map_err(|_| UnreadableHead)?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_request_is_the_same_request() {
        let mut head = RequestHeader::build("POST", b"/a%20b?x=1&y=%C3", None).unwrap();
        head.append_header("host", "example.org").unwrap();
        head.append_header("x-twice", "1").unwrap();
        head.append_header("x-twice", "two ; words").unwrap();
        head.append_header("x-empty", "").unwrap();
        let read = request(&keep_request(&head)).unwrap();
        assert_eq!((&read.method, read.raw_path()), (&head.method, head.raw_path()));
        assert_eq!(read.headers, head.headers);
    }

    #[test]
    fn a_kept_answer_is_the_same_answer() {
        let mut head = ResponseHeader::build(201, None).unwrap();
        head.append_header("content-type", "image/png").unwrap();
        head.append_header("set-cookie", "a=1").unwrap();
        head.append_header("set-cookie", "b=2").unwrap();
        let read = answer(&keep_answer(&head)).unwrap();
        assert_eq!((read.status, &read.headers), (head.status, &head.headers));
    }

    #[test]
    fn what_was_not_kept_by_us_is_refused() {
        for text in ["", "GET", "GET / HTTP/1.1\r\n", "HTTP/1.1 200", "\0\0"] {
            assert!(
                request(text.as_bytes()).is_err() && answer(text.as_bytes()).is_err(),
                "{text}"
            );
        }
        for n in 0..2000_u64 {
            let mut random = fastrand::Rng::with_seed(n);
            let text: Vec<u8> = (0..random.usize(..300)).map(|_| random.u8(..)).collect();
            // Neither panics; most are refused.
            let _read = (request(&text), answer(&text));
        }
    }
}
