//! An HTTP/1.1 client that keeps its connection and fails where something is wrong with an answer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::DEADLINE;
use super::requests::Request;

/// Longer after a request than a client that closes only its sending half waits with that
/// (`HALF_CLOSE` in `lb/proxy/src/front/client.rs`).
const STAYS: Duration = Duration::from_millis(100);

/// A client.
pub(crate) struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

// === impl Client ===

impl Client {
    /// Connects with the first request.
    pub(crate) fn new(address: SocketAddr) -> Client {
        Client { address, stream: None }
    }

    /// Sends `request` and reads its answer.
    pub(crate) fn ask(&mut self, request: &Request) -> io::Result<Answer> {
        self.send(request)?;
        self.answer()
    }

    /// Sends `request`.
    pub(crate) fn send(&mut self, request: &Request) -> io::Result<()> {
        let bytes = request.bytes();
        self.stream()?.write_all(&bytes)
    }

    /// Reads the next answer. The connection is given up where it or the host wants that.
    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let mut stream = self.stream.take().ok_or_else(|| io::Error::other("nothing was sent"))?;
        let answer = read_answer(&mut stream)?;
        let closes = answer.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
        if !closes {
            self.stream = Some(stream);
        }
        Ok(answer)
    }

    /// Leaves without its answer, after the balancer has been seen to have its request.
    pub(crate) fn hang_up(self) {
        std::thread::park_timeout(STAYS);
        drop(self);
    }

    fn stream(&mut self) -> io::Result<&mut TcpStream> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address)?,
        };
        Ok(self.stream.insert(stream))
    }
}

// === impl Answer ===

impl Answer {
    /// The value of the header `name`, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The values of all headers `name`, joined.
    pub(crate) fn headers(&self, name: &str) -> String {
        let values = self.headers.iter().filter(|(other, _)| other == name);
        values.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("it is JSON")
    }

    /// Fails unless it is a refusal that says when to come back.
    #[track_caller]
    pub(crate) fn assert_refused_for_now(&self) {
        assert_eq!(self.status, 503, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let after: u64 = self.header("retry-after").and_then(|s| s.parse().ok()).expect("seconds");
        assert!((1..=60).contains(&after), "Retry-After: {after}");
        assert_eq!(self.json()["status"], 503);
    }
}

/// A connection on which nothing takes for ever.
pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The answer of `address` to a `GET` of `path`.
#[track_caller]
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    Client::new(address).ask(&Request::get(path)).expect("it answers")
}

fn read_answer(stream: &mut TcpStream) -> io::Result<Answer> {
    let (head, mut body) = read_head(stream)?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("no status line"))?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: Vec::new() };
    let length = answer.header("content-length").map_or(Ok(0), str::parse);
    let length: usize = length.map_err(io::Error::other)?;
    let read = body.len();
    body.resize(length.max(read), 0);
    stream.read_exact(&mut body[read..])?;
    answer.body = body;
    Ok(answer)
}

/// The head of a message, and what came with it of its body.
pub(crate) fn read_head(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut read = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = read.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&read).into_owned(), body));
        }
        let n_read = stream.read(&mut buffer)?;
        if n_read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        read.extend_from_slice(&buffer[..n_read]);
    }
}
