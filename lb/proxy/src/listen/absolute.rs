//! A request whose target is a whole URL: its `Host` becomes what the URL names.
//!
//! RFC 9112, section 3.2.2: whoever gets such a target takes the host from it, and ignores what
//! `Host` says. The parser that we have refuses a request where the two are written differently,
//! though the host be the same: `EXAMPLE.org:80` and `example.org`. So the head of such a request
//! is held until it has ended, and its one `Host` is written anew. Heads of all other requests pass
//! as they come; those without a `Host`, or with several, are for the parser to refuse. A request
//! that comes in one piece with the end of the one before it is not looked at.

use tokio::io::ReadBuf;

/// The longest method that is looked past.
const METHOD_MAX: usize = 32;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Absolute {
    /// What has come of a head that has not ended.
    held: Vec<u8>,
    /// What is to be read before anything else.
    ready: Vec<u8>,
}

impl Absolute {
    /// Whether `bytes` are held, for now or until they are [`read`](Absolute::read). `begins`: a
    /// request begins with them. `has_ended`: its head ends in them.
    pub(super) fn hold(&mut self, bytes: &[u8], begins: bool, has_ended: bool) -> bool {
        if self.held.is_empty() && (!begins || is_of_url(bytes) == Some(false)) {
            return false;
        }
        self.held.extend_from_slice(bytes);
        if has_ended || is_of_url(&self.held) == Some(false) {
            self.release();
        }
        true
    }

    /// What is held can be read as it is, or with another `Host`.
    pub(super) fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.ready = with_host_of_target(&held).unwrap_or(held);
    }

    /// Moves what can be read into `buffer`; whether there was any.
    pub(super) fn read(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let length = self.ready.len().min(buffer.remaining());
        buffer.put_slice(&self.ready[..length]);
        self.ready.drain(..length);
        0 < length
    }
}

/// Whether the target of the request that begins with `bytes` is a URL; `None` while that is not
/// known.
fn is_of_url(bytes: &[u8]) -> Option<bool> {
    // Empty lines before a request are skipped (RFC 9112, section 2.2).
    let start = bytes.iter().position(|byte| !b"\r\n".contains(byte))?;
    let line = &bytes[start..];
    let Some(space) = line.iter().take(METHOD_MAX).position(|byte| *byte == b' ') else {
        return (METHOD_MAX <= line.len()).then_some(false);
    };
    let target = &line[space + 1..];
    let begins_with = |scheme: &[u8]| {
        let length = target.len().min(scheme.len());
        let begins = target[..length].eq_ignore_ascii_case(&scheme[..length]);
        (begins, length == scheme.len())
    };
    match (begins_with(b"http://"), begins_with(b"https://")) {
        ((true, true), _) | (_, (true, true)) => Some(true),
        ((false, _), (false, _)) => Some(false),
        _ => None,
    }
}

/// `bytes`, which begin with a head, with its one `Host` as the target says; `None` where there is
/// nothing to change, or no telling what.
fn with_host_of_target(bytes: &[u8]) -> Option<Vec<u8>> {
    if is_of_url(bytes) != Some(true) {
        return None;
    }
    let head = &bytes[..head_length(bytes)?];
    let start = head.iter().position(|byte| !b"\r\n".contains(byte))?;
    let line_end = start + position(&head[start..], b"\r\n")?;
    let line = &head[start..line_end];
    let authority = authority(line)?;
    let (mut at, mut found) = (line_end + 2, None);
    while at < head.len() {
        let end = at + position(&head[at..], b"\r\n")?;
        if let Some(colon) = head[at..end].iter().position(|byte| *byte == b':')
            && head[at..at + colon].eq_ignore_ascii_case(b"host")
            && found.replace(at + colon + 1..end).is_some()
        {
            return None;
        }
        at = end + 2;
    }
    let value = found?;
    let is_same = head[value.clone()].trim_ascii() == authority;
    (!is_same).then(|| [&bytes[..value.start], b" ", authority, &bytes[value.end..]].concat())
}

/// The host and port of the target in a request's first `line`, if it is a URL that names them and
/// nobody's name.
fn authority(line: &[u8]) -> Option<&[u8]> {
    let target = line.split(|byte| *byte == b' ').nth(1)?;
    let rest = &target[position(target, b"://")? + 3..];
    let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
    let authority = &rest[..end];
    (!authority.is_empty() && !authority.contains(&b'@')).then_some(authority)
}

/// The length of the head that `bytes` begin with, but for its last line break; `None` where it
/// does not end as a head does.
fn head_length(bytes: &[u8]) -> Option<usize> {
    position(bytes, b"\r\n\r\n").map(|end| end + 2)
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of `pieces`, which come one after the other and are the head of one request.
    fn read(pieces: &[&str]) -> String {
        let (mut absolute, mut read) = (Absolute::default(), Vec::new());
        let mut come = String::new();
        for (nth, piece) in pieces.iter().enumerate() {
            come.push_str(piece);
            let has_ended = come.contains("\r\n\r\n");
            if absolute.hold(piece.as_bytes(), nth == 0, has_ended) {
                let mut bytes = [0; 1000];
                let mut buffer = ReadBuf::new(&mut bytes);
                absolute.read(&mut buffer);
                read.extend_from_slice(buffer.filled());
            } else {
                read.extend_from_slice(piece.as_bytes());
            }
        }
        String::from_utf8(read).unwrap()
    }

    #[track_caller]
    fn check(head: &str, expected: &str) {
        assert_eq!(read(&[head]), expected);
        for cut in 1..head.len() {
            let (first, second) = head.split_at(cut);
            assert_eq!(read(&[first, second]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn the_host_is_what_the_target_says() {
        check(
            "GET http://EXAMPLE.test:80/a HTTP/1.1\r\nA: b\r\nhOst: example.test\r\n\r\n",
            "GET http://EXAMPLE.test:80/a HTTP/1.1\r\nA: b\r\nhOst: EXAMPLE.test:80\r\n\r\n",
        );
        check(
            "\r\nGET HTTPS://a?b HTTP/1.1\r\nHost:c\r\n\r\nbody",
            "\r\nGET HTTPS://a?b HTTP/1.1\r\nHost: a\r\n\r\nbody",
        );
    }

    #[track_caller]
    fn check_as_it_came(head: &str) {
        check(head, head);
    }

    #[test]
    fn other_heads_are_as_they_came() {
        check_as_it_came("GET /http://a HTTP/1.1\r\nHost: b\r\n\r\n");
        check_as_it_came("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n");
        check_as_it_came("GET http://a/ HTTP/1.1\r\nHost: b\r\nHost: a\r\n\r\n");
        check_as_it_came("GET http://a/ HTTP/1.1\r\nA: b\r\n\r\n");
        check_as_it_came("GET http://u@a/ HTTP/1.1\r\nHost: b\r\n\r\n");
        check_as_it_came("GET http:///a HTTP/1.1\r\nHost: b\r\n\r\n");
        check_as_it_came("OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n");
        check_as_it_came("THIS_IS_NO_METHOD_THAT_THERE_COULD_BE http://a\r\nHost: b\r\n\r\n");
    }

    #[test]
    fn what_ends_in_a_head_is_read_as_it_came() {
        let mut absolute = Absolute::default();
        assert!(absolute.hold(b"GET http://a", true, false));
        absolute.release();
        let mut bytes = [0; 5];
        let mut buffer = ReadBuf::new(&mut bytes);
        assert!(absolute.read(&mut buffer));
        assert_eq!(buffer.filled(), b"GET h");
    }
}
