//! A host that writes down what it is asked, and answers what it was told to.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use super::client::read_head;

/// See the module. Its threads end with the test.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Backend {
    /// Answers all but `/load` and `/readyz` with `headers`, each a line, and `body`.
    pub(crate) fn start(headers: &[&str], body: &str) -> Backend {
        let headers = [headers, &[""]].concat().join("\r\n");
        let body = body.to_owned();
        Backend::answering(move |_| (headers.clone(), body.clone()))
    }

    /// The same, with what `answer` says to a request's head in lower case: lines of headers and a
    /// body. A first line `X-Status: NNN` says the status, which is 200 else.
    pub(crate) fn answering(
        answer: impl Fn(&str) -> (String, String) + Send + Sync + 'static,
    ) -> Backend {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        Backend::on(listener, answer)
    }

    /// The same, on `listener`.
    pub(crate) fn on(
        listener: TcpListener,
        answer: impl Fn(&str) -> (String, String) + Send + Sync + 'static,
    ) -> Backend {
        let address = listener.local_addr().expect("it listens");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
                thread::spawn(move || {
                    // Ends with the connection.
                    let _ended = serve(stream, &noted, &*answer);
                });
            }
        });
        Backend { address, asked }
    }

    /// The heads of the requests that it got, in order, in lower case.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().clone()
    }
}

fn serve(
    mut stream: TcpStream,
    noted: &Mutex<Vec<String>>,
    answer: &dyn Fn(&str) -> (String, String),
) -> io::Result<()> {
    loop {
        let (head, body) = read_head(&mut stream)?;
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut rest = vec![0; length.saturating_sub(body.len())];
        stream.read_exact(&mut rest)?;
        let target = head.split(' ').nth(1).unwrap_or_default();
        if matches!(target, "/load" | "/readyz") {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        }
        noted.lock().push(head.clone());
        let (headers, body) = answer(&head);
        let length = body.len();
        let status = headers.strip_prefix("X-Status: ").and_then(|rest| rest.get(..3));
        let status = status.unwrap_or("200");
        let answer =
            format!("HTTP/1.1 {status} OK\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        stream.write_all(answer.as_bytes())?;
    }
}
