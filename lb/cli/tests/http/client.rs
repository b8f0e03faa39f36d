//! An HTTP/1.1 client that shows what is on the wire.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// No read or write takes so long, unless something is wrong.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

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
        let stream = TcpStream::connect(address).expect("the balancer listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        stream.set_write_timeout(Some(DEADLINE)).expect("not zero");
        stream.set_nodelay(true).expect("it is a socket");
        Connection { stream, pending: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes.as_ref()).expect("the balancer reads");
    }

    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends no more.
    pub(crate) fn close_half(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("it is open");
    }

    /// Sends a whole request with a `Content-Length`, and reads its response.
    pub(crate) fn ask(&mut self, method: &str, target: &str, body: &[u8]) -> Response {
        self.send(request(method, target, &[], body));
        self.response(method)
    }

    /// Reads the next response to `method`.
    pub(crate) fn response(&mut self, method: &str) -> Response {
        let mut response = self.head();
        let length = response.header("content-length").map(|n| n.parse().expect("a number"));
        if method == "HEAD" || response.status < 200 || matches!(response.status, 204 | 304) {
            return response;
        }
        if response.header("transfer-encoding") == Some("chunked") {
            while let Some(piece) = self.chunk().expect("the connection ended within a chunk") {
                response.body.extend_from_slice(&piece);
            }
            return response;
        }
        let length = length.expect("a length");
        assert!(self.fill(length), "the connection ended within a body");
        response.body = self.pending.drain(..length).collect();
        response
    }

    /// Reads the head of the next response.
    pub(crate) fn head(&mut self) -> Response {
        let head = self.until(b"\r\n\r\n").expect("the connection ended within a head");
        let head = String::from_utf8(head).expect("a head is ASCII");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
        Response {
            status: status.parse().expect("a number"),
            headers: headers.collect(),
            body: Vec::new(),
        }
    }

    /// The next chunk of a body, `None` after the last one. `Err` where the connection ends first.
    pub(crate) fn chunk(&mut self) -> Result<Option<Vec<u8>>, ()> {
        let line = self.until(b"\r\n").ok_or(())?;
        let size = std::str::from_utf8(&line).expect("ASCII").trim_end();
        let size = usize::from_str_radix(size, 16).expect("a chunk's size");
        if !self.fill(size + 2) {
            return Err(());
        }
        let mut chunk: Vec<u8> = self.pending.drain(..size + 2).collect();
        chunk.truncate(size);
        Ok((0 < size).then_some(chunk))
    }

    /// So many bytes.
    pub(crate) fn exactly(&mut self, length: usize) -> Vec<u8> {
        assert!(self.fill(length), "the connection ended early");
        self.pending.drain(..length).collect()
    }

    /// Everything that comes before the balancer ends the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while 0 < self.read_some() {}
        std::mem::take(&mut self.pending)
    }

    /// Whether the balancer ends the connection, having sent nothing more.
    pub(crate) fn ends(&mut self) -> bool {
        self.pending.is_empty() && self.read_some() == 0
    }

    /// Everything up to `end`, which is part of it; `None` where the connection ends first.
    fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            let at = self.pending.windows(end.len()).position(|window| window == end);
            if let Some(at) = at {
                return Some(self.pending.drain(..at + end.len()).collect());
            }
            if self.read_some() == 0 {
                return None;
            }
        }
    }

    fn fill(&mut self, length: usize) -> bool {
        while self.pending.len() < length {
            if self.read_some() == 0 {
                return false;
            }
        }
        true
    }

    fn read_some(&mut self) -> usize {
        let mut buffer = vec![0; 1 << 16];
        let length = match self.stream.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            read => read.expect("the balancer answers in time"),
        };
        self.pending.extend_from_slice(&buffer[..length]);
        length
    }
}

impl Response {
    /// The first value of the header `name`, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// All values of the header `name`, which is in lower case.
    pub(crate) fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.headers.iter().filter(move |(other, _)| other == name);
        named.map(|(_, value)| value.as_str())
    }

    /// Asserts that it is a problem as RFC 9457 has it, readable by every origin.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, field: Option<&str>) {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("access-control-allow-origin"), Some("*"));
        let problem: serde_json::Value = serde_json::from_slice(&self.body).expect("JSON");
        assert_eq!(problem["status"], status);
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        assert_eq!(problem.get("field").and_then(|field| field.as_str()), field, "{problem}");
    }
}

/// A request as it is on the wire, with a `Content-Length`.
pub(crate) fn request(method: &str, target: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let length = format!("Content-Length: {}", body.len());
    let headers = [headers, &[length.as_str()]].concat();
    [head(method, target, &headers).as_bytes(), body].concat()
}

/// The head of a request.
pub(crate) fn head(method: &str, target: &str, headers: &[&str]) -> String {
    let headers: String = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
    format!("{method} {target} HTTP/1.1\r\nHost: weighbridge\r\n{headers}\r\n")
}

/// `body` in chunks of `size`.
pub(crate) fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let chunk = |piece: &[u8]| {
        [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n".as_slice()].concat()
    };
    let mut chunks: Vec<u8> = body.chunks(size).flat_map(chunk).collect();
    chunks.extend_from_slice(b"0\r\n\r\n");
    chunks
}

/// One request on a connection of its own.
pub(crate) fn ask(address: SocketAddr, method: &str, target: &str, body: &[u8]) -> Response {
    Connection::open(address).ask(method, target, body)
}

/// Bytes in which a piece that is lost, repeated or moved is noticed.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}
