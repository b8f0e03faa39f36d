//! A tiny static server: `/N` is answered with N bytes, anything else with 404. It reads and drops
//! whatever is sent to it, and does nothing else.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};

use super::super::process;
use super::wire::Wire;

/// The longest answer.
pub(crate) const BYTES_MAX: usize = 16 << 20;

/// Serves until the runtime ends, on the first core, where this thread stays. Returns where it
/// serves, that core, and the one for proxies.
pub(crate) async fn start() -> io::Result<(SocketAddr, (usize, usize))> {
    let cores = process::cores()?;
    let (own, proxies) = (cores[0], cores[cores.len() - 1]);
    process::stay_on(own)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    tokio::spawn(serve(listener));
    Ok((server, (own, proxies)))
}

/// Serves on `listener` until the runtime ends.
pub(crate) async fn serve(listener: TcpListener) {
    let body = Bytes::from(vec![b'.'; BYTES_MAX]);
    loop {
        // A connection that is gone before it was accepted is no loss.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let body = body.clone();
        tokio::spawn(async move {
            // Ends with the connection, in whatever way.
            let _ = answer_all(stream, &body).await;
        });
    }
}

async fn answer_all(stream: TcpStream, body: &[u8]) -> io::Result<()> {
    let mut wire = Wire::new(stream)?;
    while let Some(request) = wire.request().await? {
        wire.skip(request.body_bytes).await?;
        match request.path.strip_prefix('/').and_then(|n| n.parse::<usize>().ok()) {
            Some(n) if n <= body.len() => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {n}\r\n\r\n");
                wire.write(head.as_bytes(), &body[..n]).await?;
            }
            _ => wire.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", b"").await?,
        }
    }
    Ok(())
}
