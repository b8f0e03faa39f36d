//! A host that does what a test wants, byte by byte.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A host; it is there until the test ends.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// A request as it came to a host.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// The request line.
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What becomes of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    Close,
}

/// What a host reads before it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reads {
    Heads,
    Bodies,
    /// Bodies, and it answers itself how it is.
    Everything,
}

type Answer = dyn Fn(&Heard, &mut TcpStream) -> Then + Send + Sync;

impl Host {
    /// Answers whole requests by `answer`.
    pub(crate) fn start(
        answer: impl Fn(&Heard, &mut TcpStream) -> Then + Send + Sync + 'static,
    ) -> Host {
        Host::listen(Reads::Bodies, Arc::new(answer))
    }

    /// The same, where it is also asked for its load and readiness.
    #[allow(dead_code, reason = "only one of the suites wants it")]
    pub(crate) fn everywhere(
        answer: impl Fn(&Heard, &mut TcpStream) -> Then + Send + Sync + 'static,
    ) -> Host {
        Host::listen(Reads::Everything, Arc::new(answer))
    }

    /// Answers before any of the body has been read.
    pub(crate) fn hasty(
        answer: impl Fn(&Heard, &mut TcpStream) -> Then + Send + Sync + 'static,
    ) -> Host {
        Host::listen(Reads::Heads, Arc::new(answer))
    }

    /// Sends the body of every request back.
    pub(crate) fn mirror() -> Host {
        Host::start(|heard, client| {
            answer(client, "200 OK", &[], &heard.body);
            Then::Keep
        })
    }

    fn listen(reads: Reads, answer: Arc<Answer>) -> Host {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, reads, &log, &*answer));
            }
        });
        Host { address, heard }
    }

    /// The requests so far, but for those about its load and readiness.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("no test panics here").clone()
    }

    /// The last request.
    pub(crate) fn last(&self) -> Heard {
        self.heard().pop().expect("there was a request")
    }
}

impl Heard {
    /// All values of the header `name`, which is in lower case.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(other, _)| other == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// Every header, as it came; names in lower case.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether it is for `path`.
    pub(crate) fn is_for(&self, path: &str) -> bool {
        self.line.split(' ').nth(1) == Some(path)
    }
}

/// Sends an answer with a `Content-Length`.
pub(crate) fn answer(client: &mut TcpStream, status: &str, headers: &[&str], body: &[u8]) {
    let headers: String = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
    // Fails where the balancer has left; the test notices.
    let _ = client.write_all(&[head.as_bytes(), body].concat());
}

/// Sends `bytes` as they are.
pub(crate) fn raw(client: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    // Fails where the balancer has left; the test notices.
    let _ = client.write_all(bytes.as_ref());
}

fn serve(mut stream: TcpStream, reads: Reads, log: &Mutex<Vec<Heard>>, answer_by: &Answer) {
    let mut reader = BufReader::new(stream.try_clone().expect("it is a socket"));
    while let Some(mut heard) = read_head(&mut reader) {
        let is_ours = heard.is_for("/readyz") || heard.is_for("/load");
        if is_ours && reads != Reads::Everything {
            let status = if heard.is_for("/readyz") { "200 OK" } else { "404 Not Found" };
            answer(&mut stream, status, &[], b"");
            continue;
        }
        if reads != Reads::Heads {
            if !heard.headers("expect").is_empty() {
                raw(&mut stream, "HTTP/1.1 100 Continue\r\n\r\n");
            }
            let Some(body) = read_body(&mut reader, &heard) else { return };
            heard.body = body;
        }
        log.lock().expect("no test panics here").push(heard.clone());
        if answer_by(&heard, &mut stream) == Then::Close {
            return;
        }
    }
}

fn read_head(reader: &mut impl BufRead) -> Option<Heard> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| 0 < *length)?;
    let mut heard =
        Heard { line: line.trim_end().to_owned(), headers: Vec::new(), body: Vec::new() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| 0 < *length)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Some(heard) };
        heard.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
}

fn read_body(reader: &mut impl BufRead, heard: &Heard) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    if heard.headers("transfer-encoding").is_empty() {
        let length = heard.headers("content-length").first().map_or(0, |n| n.parse().unwrap_or(0));
        reader.take(length).read_to_end(&mut body).ok()?;
        return (body.len() as u64 == length).then_some(body);
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
