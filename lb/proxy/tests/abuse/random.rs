//! Chunked bodies with random mistakes: no host hears a request that a strict reader does not find.

use crate::balancer::Balancer;
use crate::client::{Connection, head};
use crate::host::Host;
use crate::ordinary::{assert_served, measure};

/// Bodies that are tried.
const BODIES: usize = 400;

const SMUGGLED: &[u8] = b"GET /held/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// What it begins with. A mistake may be in the rest of a request that follows rightly.
const BEGIN: &[u8] = b"GET /held/smuggled HTTP/1.1\r\n";

/// What may be put in, or in place of something.
const PIECES: [&[u8]; 14] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"0\r\n",
    b"0\r\n\r\n",
    b"\r\n0\r\n\r\n",
    b";",
    b";a=b",
    b" ",
    b"\t",
    b"37\r\n",
    b"F",
    b"X: y\r\n",
    b"\0",
];

#[test]
fn random_chunks_smuggle_nothing() {
    let host = Host::mirror();
    let more = "timeouts.body_read = \"200ms\"\ntimeouts.head_read = \"200ms\"\n";
    let balancer = Balancer::before(&[host.address], more);
    let before = measure(&balancer);
    let seed = 0x5eed;
    let mut random = fastrand::Rng::with_seed(seed);
    for i in 0..BODIES {
        let body = mistaken(&mut random);
        let target = ["/held", "/stream"][i % 2];
        let mut connection = Connection::open(balancer.address);
        let mut sent = head("POST", target, &["Transfer-Encoding: chunked"]).into_bytes();
        sent.extend_from_slice(&body);
        let n_smuggled =
            || host.heard().iter().filter(|heard| heard.line.contains("smuggled")).count();
        let heard = n_smuggled();
        // Fails where it is refused before its end.
        let _cut_off = connection.try_send(&sent);
        connection.close_half();
        connection.rest();
        let follows = strict_rest(&body).is_some_and(|rest| rest.starts_with(BEGIN));
        assert!(follows || n_smuggled() == heard, "seed {seed} body {i}: {}", body.escape_ascii());
    }
    assert_served(&balancer, before);
}

/// A body of a few chunks, in some of which is a request, with up to three mistakes.
fn mistaken(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..random.usize(0..3) {
        let data: &[u8] = if random.bool() { SMUGGLED } else { b"abc" };
        body.extend_from_slice(format!("{:x}\r\n", data.len()).as_bytes());
        body.extend_from_slice(data);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    if random.bool() {
        body.extend_from_slice(SMUGGLED);
    }
    for _ in 0..random.usize(0..4) {
        let at = random.usize(0..body.len());
        let until = (at + random.usize(0..4)).min(body.len());
        let piece = PIECES[random.usize(0..PIECES.len())];
        body.splice(at..until, piece.iter().copied());
    }
    body
}

/// What follows a chunked body, read as RFC 9112 has it (section 7.1); `None` where it is none.
fn strict_rest(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let line = strict_line(&mut bytes)?;
        let n_digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let size = std::str::from_utf8(&line[..n_digits]).ok()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        let extensions = line[n_digits..].trim_ascii_start();
        if !(extensions.is_empty() || extensions.starts_with(b";")) {
            return None;
        }
        if size == 0 {
            break;
        }
        bytes = bytes.get(size..)?.strip_prefix(b"\r\n")?;
    }
    loop {
        let line = strict_line(&mut bytes)?;
        if line.is_empty() {
            return Some(bytes);
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        if colon == 0 {
            return None;
        }
    }
}

/// The next line, without its line break.
fn strict_line<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, rest) = bytes.split_at(end);
    *bytes = &rest[2..];
    (!line.iter().any(|byte| b"\r\n".contains(byte))).then_some(line)
}
