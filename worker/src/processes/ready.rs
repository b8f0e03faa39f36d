//! Whether a process takes requests: it answers one.
//!
//! That it accepts a connection says little: the system accepts for a server that has just bound
//! its port, or is busy. So it is sent a request. Where no path is known, that is `OPTIONS *`,
//! which asks for nothing (RFC 9110, section 9.3.7); any answer to it will do, and a connection
//! that is closed too.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::address::Address;

/// Between two questions: at first, and at most.
const EVERY: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(100));
/// As much of an answer as its status needs: `HTTP/1.1 200`.
const STATUS_BYTES: usize = 12;

/// Asks until the process at `address` is ready: it answers `path` with a status from 200 to 499.
pub(super) async fn wait(address: &Address, path: Option<&str>) {
    let (mut pause, longest) = EVERY;
    loop {
        let answer = ask(address, path).await;
        let is_ready = match (answer, path) {
            (Ok(Some(status)), Some(_)) => (200..500).contains(&status),
            (Ok(_), None) => true,
            (Ok(None), Some(_)) | (Err(_), _) => false,
        };
        if is_ready {
            return;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

/// Sends one request; the status of its answer, if that has one. Fails where nobody listens.
async fn ask(address: &Address, path: Option<&str>) -> io::Result<Option<u16>> {
    let mut stream = address.connect().await?;
    let (method, target) = path.map_or(("OPTIONS", "*"), |path| ("GET", path));
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: weighbridge\r\n\
         Connection: close\r\n\r\n"
    );
    let mut answer = [0; STATUS_BYTES];
    let asked = async {
        stream.write_all(head.as_bytes()).await?;
        stream.read_exact(&mut answer).await
    };
    if asked.await.is_err() {
        return Ok(None);
    }
    let status = answer.get(9..).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    // The rest is read, so that the server is not told of a connection that was cut.
    let mut nowhere = tokio::io::sink();
    let rest = tokio::io::copy(&mut stream, &mut nowhere);
    drop(tokio::time::timeout(Duration::from_secs(1), rest).await);
    Ok(status)
}
