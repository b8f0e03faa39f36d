//! Hosts in memory: they take connections without a socket and play a script.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use parking_lot::Mutex;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::{Error, ErrorType};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

/// Bytes on their way in one direction.
const BUFFER_BYTES: usize = 4096;

/// What happens to one request, whichever host it comes to.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// No connection is made.
    Refuse,
    /// It is read, and this is answered; the connection stays open.
    Answer(&'static str),
    /// It is read, this is answered, and the connection is closed.
    Break(&'static str),
    /// It is read, and nothing is answered.
    Hang,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Hosts(Arc<Mutex<Played>>);

#[derive(Debug, Default)]
struct Played {
    script: VecDeque<Act>,
    /// The requests, as they came.
    requests: Vec<String>,
    /// Connections that were closed by the proxy while a host hung.
    hung_up: usize,
}

impl Hosts {
    /// Hosts that play `script`, an act a request, and refuse what comes after it.
    pub(super) fn playing(script: &[Act]) -> Hosts {
        let hosts = Hosts::default();
        hosts.0.lock().script.extend(script.iter().cloned());
        hosts
    }

    /// The requests that have been read, as they came.
    pub(super) fn requests(&self) -> Vec<String> {
        self.0.lock().requests.clone()
    }

    /// How many connections were closed while a host hung.
    pub(super) fn hung_up(&self) -> usize {
        self.0.lock().hung_up
    }

    fn next(&self) -> Act {
        self.0.lock().script.pop_front().unwrap_or(Act::Refuse)
    }

    /// Plays acts on one connection, whose first has been taken from the script.
    async fn play(self, mut act: Act, mut stream: DuplexStream) {
        loop {
            let Some(request) = read_request(&mut stream).await else { return };
            self.0.lock().requests.push(request);
            match act {
                Act::Refuse => return,
                Act::Answer(text) => write(&mut stream, text).await,
                Act::Break(text) => return write(&mut stream, text).await,
                Act::Hang => {
                    while stream.read(&mut [0; 64]).await.is_ok_and(|read| 0 < read) {}
                    self.0.lock().hung_up += 1;
                    return;
                }
            }
            act = self.next();
        }
    }
}

#[async_trait]
impl L4Connect for Hosts {
    async fn connect(&self, _: &SocketAddr) -> pingora::Result<Stream> {
        let act = self.next();
        if matches!(act, Act::Refuse) {
            return Error::e_explain(ErrorType::ConnectRefused, "the script says so");
        }
        let (ours, theirs) = tokio::io::duplex(BUFFER_BYTES);
        tokio::spawn(self.clone().play(act, theirs));
        Ok(Stream::from(VirtualSocketStream::new(Box::new(Wire(ours)))))
    }
}

async fn write(stream: &mut DuplexStream, text: &str) {
    // The proxy may have hung up.
    let _ = stream.write_all(text.as_bytes()).await;
}

/// A request with a body of its announced length; `None` where the connection ends before one.
async fn read_request(stream: &mut DuplexStream) -> Option<String> {
    let mut text = String::new();
    loop {
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            if length.unwrap_or(0) <= body.len() {
                return Some(text);
            }
        }
        let mut bytes = [0; BUFFER_BYTES];
        let read = stream.read(&mut bytes).await.ok().filter(|read| 0 < *read)?;
        text.push_str(str::from_utf8(&bytes[..read]).ok()?);
    }
}

/// One end of a connection in memory, as pingora wants it.
#[derive(Debug)]
struct Wire(DuplexStream);

impl VirtualSocket for Wire {
    fn set_socket_option(&self, _: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(context)
    }
}
