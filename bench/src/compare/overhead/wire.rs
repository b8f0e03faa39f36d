//! HTTP/1.1 with as little work as there can be: messages with a `Content-Length`, whose bodies are
//! dropped as they come. What measures must not cost more than what is measured.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that messages are read from and written to.
#[derive(Debug)]
pub(crate) struct Wire<S = TcpStream> {
    stream: S,
    buffer: Box<[u8]>,
    /// What of the buffer was read from the stream and not used yet.
    filled: std::ops::Range<usize>,
}

/// The head of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RequestHead {
    pub(crate) path: String,
    pub(crate) body_bytes: usize,
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AnswerHead {
    pub(crate) status: u16,
    pub(crate) body_bytes: usize,
}

const BUFFER_BYTES: usize = 64 << 10;
const HEADERS_MAX: usize = 64;

impl Wire {
    /// Of a connected stream.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Wire> {
        stream.set_nodelay(true)?;
        Ok(Wire::over(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Over `stream`, as it is.
    pub(crate) fn over(stream: S) -> Wire<S> {
        Wire { stream, buffer: vec![0; BUFFER_BYTES].into_boxed_slice(), filled: 0..0 }
    }

    /// The next request's head; `None` where the connection has ended.
    pub(crate) async fn request(&mut self) -> io::Result<Option<RequestHead>> {
        self.head(|bytes| {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut request = httparse::Request::new(&mut headers);
            let httparse::Status::Complete(length) = request.parse(bytes).map_err(malformed)?
            else {
                return Ok(None);
            };
            let path = request.path.unwrap_or_default().to_owned();
            let body_bytes = content_length(request.headers)?.unwrap_or(0);
            Ok(Some((length, RequestHead { path, body_bytes })))
        })
        .await
    }

    /// The next answer's head.
    pub(crate) async fn answer(&mut self) -> io::Result<AnswerHead> {
        let head = self.head(|bytes| {
            let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut answer = httparse::Response::new(&mut headers);
            let httparse::Status::Complete(length) = answer.parse(bytes).map_err(malformed)? else {
                return Ok(None);
            };
            let body_bytes = content_length(answer.headers)?
                .ok_or_else(|| malformed("an answer without a content-length"))?;
            Ok(Some((length, AnswerHead { status: answer.code.unwrap_or(0), body_bytes })))
        });
        head.await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Reads on until `parse` returns a head and its length; `None` at the end of the stream.
    async fn head<T>(
        &mut self,
        parse: impl Fn(&[u8]) -> io::Result<Option<(usize, T)>>,
    ) -> io::Result<Option<T>> {
        loop {
            if !self.filled.is_empty()
                && let Some((length, head)) = parse(&self.buffer[self.filled.clone()])?
            {
                self.filled.start += length;
                return Ok(Some(head));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Reads more behind what is there; `false` at the end of the stream.
    async fn fill(&mut self) -> io::Result<bool> {
        if self.filled.is_empty() {
            self.filled = 0..0;
        } else if self.filled.end == self.buffer.len() {
            self.buffer.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        if self.filled.end == self.buffer.len() {
            return Err(malformed("a head that is too long"));
        }
        let n = self.stream.read(&mut self.buffer[self.filled.end..]).await?;
        self.filled.end += n;
        Ok(0 < n)
    }

    /// Reads and drops `n` bytes.
    pub(crate) async fn skip(&mut self, n: usize) -> io::Result<()> {
        let here = n.min(self.filled.len());
        self.filled.start += here;
        let mut left = n - here;
        while 0 < left {
            let room = left.min(self.buffer.len());
            self.filled = 0..0;
            let read = self.stream.read(&mut self.buffer[..room]).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= read;
        }
        Ok(())
    }

    /// Writes a head and a body, together where that is possible.
    pub(crate) async fn write(&mut self, head: &[u8], body: &[u8]) -> io::Result<()> {
        let both = [io::IoSlice::new(head), io::IoSlice::new(body)];
        let written = self.stream.write_vectored(&both).await?;
        if written < head.len() {
            self.stream.write_all(&head[written..]).await?;
        }
        self.stream.write_all(&body[written.saturating_sub(head.len())..]).await
    }
}

/// The `Content-Length`, if there is one.
fn content_length(headers: &[httparse::Header<'_>]) -> io::Result<Option<usize>> {
    let mut length = None;
    for header in headers {
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(malformed("a body in chunks"));
        }
        if header.name.eq_ignore_ascii_case("content-length") {
            let text = std::str::from_utf8(header.value).map_err(malformed)?;
            length = Some(text.trim().parse().map_err(malformed)?);
        }
    }
    Ok(length)
}

fn malformed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
