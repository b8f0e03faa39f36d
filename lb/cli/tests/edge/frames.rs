//! HTTP/2, frame by frame: a client that sends in an order of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::client::DEADLINE;

/// Kinds of frames (RFC 9113, section 6).
pub(crate) const HEADERS: u8 = 1;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;

pub(crate) const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What `:status: 200` is at the beginning of a head (RFC 7541, appendix A).
const STATUS_200: u8 = 0x88;

/// A connection.
pub(crate) struct Frames(TcpStream);

/// A frame.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frames {
    /// Connects without TLS, and says that it knows how.
    pub(crate) fn open(address: SocketAddr) -> Frames {
        let stream = TcpStream::connect(address).expect("the balancer listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        let mut frames = Frames(stream);
        frames.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("it is there");
        frames.send(&[Frame { kind: SETTINGS, flags: 0, stream: 0, payload: Vec::new() }]);
        frames
    }

    /// Sends `frames` all at once.
    pub(crate) fn send(&mut self, frames: &[Frame]) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        self.0.write_all(&bytes).expect("it is there");
    }

    /// The next frame; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).ok()?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.0.read_exact(&mut payload).expect("a whole frame");
        Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload })
    }

    /// The next frame of this kind. Others are passed over.
    #[track_caller]
    pub(crate) fn next_of(&mut self, kind: u8) -> Frame {
        let mut passed = Vec::new();
        while let Some(frame) = self.next() {
            if frame.kind == kind {
                return frame;
            }
            passed.push(frame);
        }
        unreachable!("no frame of kind {kind}, but {passed:?}")
    }
}

impl Frame {
    /// A request for `/held`.
    pub(crate) fn get(stream: u32) -> Frame {
        // `:method: GET` and `:scheme: http` by their numbers, `:path` and `:authority` as text.
        let payload = [b"\x82\x86\x04\x05/held".as_slice(), b"\x01\x01a"].concat();
        Frame { kind: HEADERS, flags: END_STREAM | END_HEADERS, stream, payload }
    }

    /// The last request that is taken, as a GOAWAY has it.
    pub(crate) fn last_stream(&self) -> u32 {
        let last: [u8; 4] = self.payload[..4].try_into().expect("four bytes");
        u32::from_be_bytes(last)
    }

    /// Whether it is the head of a 200.
    pub(crate) fn is_ok(&self) -> bool {
        self.kind == HEADERS && self.payload.first() == Some(&STATUS_200)
    }

    fn bytes(&self) -> Vec<u8> {
        let length = (self.payload.len() as u32).to_be_bytes();
        let head = [&length[1..], &[self.kind, self.flags], &self.stream.to_be_bytes()];
        [head.concat(), self.payload.clone()].concat()
    }
}
