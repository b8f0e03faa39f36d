use super::*;

const LIMITS: HeadLimits = HeadLimits { bytes_max: 1000, fields_max: 8 };

/// How much of `bytes` is taken in pieces of `size`, and what is wrong.
fn taken(bytes: &[u8], size: usize) -> (usize, Option<Fault>, bool) {
    let mut wire = Wire::new(LIMITS);
    let mut taken = 0;
    for piece in bytes.chunks(size) {
        taken += wire.take(piece);
        if wire.fault().is_some() {
            break;
        }
    }
    (taken, wire.fault(), wire.is_in_head())
}

fn check(text: &str, fault: Option<Fault>) {
    for size in [1, 2, 3, 7, 64, 4096] {
        let (n_taken, found, in_head) = taken(text.as_bytes(), size);
        assert_eq!(found, fault, "{text:?} by {size}");
        if fault.is_none() {
            assert_eq!((n_taken, in_head), (text.len(), false), "{text:?} by {size}");
        }
    }
}

fn chunked(chunks: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
}

#[test]
fn requests_follow_one_another() {
    check("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\n\n", None);
    check("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\na\n\r\nbGET / HTTP/1.0\r\n\r\n", None);
    check("POST / HTTP/1.1\r\ncontent-length: 3, 3\r\n\r\n\n\n\nGET / HTTP/1.0\r\n\r\n", None);
    check(
        &chunked("3\r\nabc\r\nA ;x=\"y\"\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
        None,
    );
    check(&chunked("0\r\nX-Trailer: a\r\nY:\r\n\r\n"), None);
    check(
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        None,
    );
}

#[test]
fn an_empty_line_is_no_last_chunk() {
    for chunks in [
        "\r\n37\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
        ";a\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3 4\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "-1\r\n",
        "zz\r\n",
        "11111111111111111\r\n",
        "3;\x01\r\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
    ] {
        check(&chunked(chunks), Some(Fault::Chunks));
    }
}

#[test]
fn nothing_of_what_is_wrong_is_taken() {
    let text = chunked("3\r\nabc\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n");
    let good = text.len() - "\r\nGET /smuggled HTTP/1.1\r\n\r\n".len();
    assert_eq!(taken(text.as_bytes(), 4096).0, good);
    assert_eq!(taken(text.as_bytes(), 1).0, good);
}

#[test]
fn trailers_are_fields() {
    for trailers in
        ["no colon\r\n\r\n", ": a\r\n\r\n", "a b: c\r\n\r\n", "a: \x01\r\n\r\n", "a: b\n\r\n"]
    {
        check(&chunked(&format!("0\r\n{trailers}")), Some(Fault::Trailers));
    }
    let long = format!("0\r\na: {}\r\n\r\n", "b".repeat(TRAILERS_MAX));
    check(&chunked(&long), Some(Fault::Trailers));
}

#[test]
fn extensions_have_a_limit() {
    let chunk = format!("1;{}\r\na\r\n", "e".repeat(4000));
    check(&chunked(&(chunk.repeat(10) + "0\r\n\r\n")), None);
    check(&chunked(&(chunk.repeat(20) + "0\r\n\r\n")), Some(Fault::Chunks));
    check(&chunked(&format!("1;{}\r\na\r\n", "e".repeat(5000))), Some(Fault::Chunks));
}

#[test]
fn heads_have_their_limits() {
    let fields = |n: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(n));
    check(&fields(8), None);
    check(&fields(9), Some(Fault::TooManyFields));
    let long = format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "b".repeat(1000));
    check(&long, Some(Fault::HeadTooLong));
    assert_eq!(taken(long.as_bytes(), 4096).0, LIMITS.bytes_max);
    check(&"\r\n".repeat(2000), Some(Fault::HeadTooLong));
}

#[test]
fn a_head_that_has_begun_is_told_from_none() {
    let mut wire = Wire::new(LIMITS);
    assert!(!wire.is_in_head());
    wire.take(b"\r\n\r");
    assert!(!wire.is_in_head());
    wire.take(b"\nG");
    assert!(wire.is_in_head());
    wire.take(b"ET / HTTP/1.1\r\n\r");
    assert!(wire.is_in_head());
    wire.take(b"\n");
    assert!(!wire.is_in_head());
}

// The fuzzer has it, too.
#[path = "../../../fuzz/fuzz_targets/reference.rs"]
mod reference;

/// What random requests are made of.
const PIECES: [&[u8]; 24] = [
    b"GET / HTTP/1.1\r\n",
    b"POST /a HTTP/1.1\r\n",
    b"Host: a\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"transfer-encoding : chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 0\r\n",
    b"content-length:12\r\n",
    b"\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"abc",
    b"3\r\nabc\r\n",
    b"0\r\n\r\n",
    b"0\r\nX: y\r\n\r\n",
    b"A;b=c\r\n0123456789\r\n",
    b"0\r\n",
    b";",
    b" ",
    b"ffffffffffffffff\r\n",
    b"\x00",
    b":",
];

#[test]
fn random_requests_are_read_as_another_reader_does() {
    let mut random = fastrand::Rng::with_seed(0x5eed);
    for _ in 0..20_000 {
        let mut bytes = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        bytes.truncate(if random.bool() { bytes.len() } else { 0 });
        for _ in 0..random.usize(0..12) {
            bytes.extend_from_slice(PIECES[random.usize(0..PIECES.len())]);
        }
        reference::check(&bytes);
    }
}
