//! HTTP/2 by hand: only so can its windows stay closed.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::client::DEADLINE;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: u8 = 4;
const HEADERS: u8 = 1;
const DATA: u8 = 0;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A connection.
pub(crate) struct Http2 {
    stream: TcpStream,
    next: u32,
}

impl Http2 {
    /// A connection whose streams may get `window` bytes each.
    pub(crate) fn open(address: SocketAddr, window: u32) -> Http2 {
        let mut stream = TcpStream::connect(address).expect("the balancer listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        stream.set_nodelay(true).expect("it is a socket");
        let initial_window_size = [&[0, 4], &window.to_be_bytes()[..]].concat();
        let settings = frame(SETTINGS, 0, 0, &initial_window_size);
        stream.write_all(&[PREFACE, &settings].concat()).expect("it reads");
        Http2 { stream, next: 1 }
    }

    /// The same, whose first bytes come one by one, with a `pause` after each.
    pub(crate) fn in_pieces(address: SocketAddr, pause: Duration) -> Http2 {
        let mut stream = TcpStream::connect(address).expect("the balancer listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        stream.set_nodelay(true).expect("it is a socket");
        for byte in PREFACE {
            stream.write_all(&[*byte]).expect("it reads");
            std::thread::sleep(pause);
        }
        stream.write_all(&frame(SETTINGS, 0, 0, &[])).expect("it reads");
        Http2 { stream, next: 1 }
    }

    /// Begins a request with further headers; its stream.
    pub(crate) fn begin(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> u32 {
        self.head(method, path, headers, END_HEADERS)
    }

    /// A request without a body; its stream.
    pub(crate) fn ask(&mut self, path: &str, headers: &[(&str, &str)]) -> u32 {
        self.head("GET", path, headers, END_HEADERS | END_STREAM)
    }

    /// Sends some of a body.
    pub(crate) fn data(&mut self, stream: u32, bytes: &[u8]) {
        self.stream.write_all(&frame(DATA, 0, stream, bytes)).expect("it reads");
    }

    /// The type and stream of the next frame; `None` at the end of the connection.
    pub(crate) fn frame(&mut self) -> Option<(u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.stream.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some((head[3], stream, payload))
    }

    /// Waits for the head of the answer on `stream`; whether one came.
    pub(crate) fn is_answered(&mut self, stream: u32) -> bool {
        std::iter::from_fn(|| self.frame()).any(|(kind, of, _)| kind == HEADERS && of == stream)
    }

    fn head(&mut self, method: &str, path: &str, headers: &[(&str, &str)], flags: u8) -> u32 {
        let stream = self.next;
        self.next += 2;
        let pseudo =
            [(":method", method), (":path", path), (":scheme", "http"), (":authority", "a")];
        let block: Vec<u8> = pseudo.iter().chain(headers).flat_map(field).collect();
        self.stream.write_all(&frame(HEADERS, flags, stream, &block)).expect("it reads");
        stream
    }
}

/// A literal without indexing, without Huffman's code (RFC 7541, section 6.2.2).
fn field((name, value): &(&str, &str)) -> Vec<u8> {
    let text = |text: &str| {
        let length = u8::try_from(text.len()).expect("short texts only");
        assert!(length < 127, "short texts only");
        [&[length], text.as_bytes()].concat()
    };
    [vec![0], text(name), text(value)].concat()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short frames only").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}
