//! An HTTP/1.1 client that shows what is on the wire.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No read or write takes so long, unless something is wrong.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Read, but not part of a response yet.
    pending: Vec<u8>,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Connection {
        let stream = TcpStream::connect(address).expect("the worker listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        stream.set_write_timeout(Some(DEADLINE)).expect("not zero");
        stream.set_nodelay(true).expect("it is a socket");
        Connection { stream, pending: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("the worker reads");
    }

    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a whole request with a `Content-Length`.
    pub(crate) fn request(&mut self, method: &str, target: &str, headers: &[&str], body: &[u8]) {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: worker\r\n");
        for header in headers {
            head += header;
            head += "\r\n";
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        self.send(&[head.as_bytes(), body].concat());
    }

    /// Reads the next response, whose body has a `Content-Length` or is empty.
    pub(crate) fn response(&mut self) -> Response {
        let head = loop {
            if let Some(end) = find(&self.pending, b"\r\n\r\n") {
                break self.pending.drain(..end + 4).collect::<Vec<_>>();
            }
            assert!(0 < self.read_some(), "the connection ended within a head");
        };
        let head = String::from_utf8(head).expect("a head is ASCII");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let (status, headers) = (status.parse().expect("a number"), headers.collect());
        let mut response = Response { status, headers, body: Vec::new() };
        let length = response.header("content-length").map_or(0, |n| n.parse().expect("a number"));
        while self.pending.len() < length {
            assert!(0 < self.read_some(), "the connection ended within a body");
        }
        response.body = self.pending.drain(..length).collect();
        response
    }

    /// Whether the worker ends the connection, having sent nothing more.
    pub(crate) fn ends(&mut self) -> bool {
        self.pending.is_empty() && self.read_some() == 0
    }

    fn read_some(&mut self) -> usize {
        let mut buffer = [0; 1 << 16];
        let length = self.stream.read(&mut buffer).expect("the worker answers in time");
        self.pending.extend_from_slice(&buffer[..length]);
        length
    }
}

impl Response {
    /// The value of the header `name`, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("it is text")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("it is JSON")
    }

    /// Asserts that it is a problem as RFC 9457 has it, and returns its detail.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, field: Option<&str>) -> String {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("access-control-allow-origin"), Some("*"));
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], "about:blank");
        assert!(problem["title"].is_string(), "{problem}");
        assert_eq!(problem.get("field").and_then(|field| field.as_str()), field, "{problem}");
        problem["detail"].as_str().expect("it has one").to_owned()
    }
}

/// One request on a connection of its own.
pub(crate) fn request(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[&str],
    body: &[u8],
) -> Response {
    let mut connection = Connection::open(address);
    connection.request(method, target, headers, body);
    connection.response()
}

pub(crate) fn get(address: SocketAddr, target: &str) -> Response {
    request(address, "GET", target, &[], b"")
}

pub(crate) fn post(address: SocketAddr, target: &str, body: &[u8]) -> Response {
    request(address, "POST", target, &[], body)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
