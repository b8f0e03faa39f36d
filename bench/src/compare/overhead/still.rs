//! A tiny static server: `/N` is answered with N bytes, anything else with 404. It reads and drops
//! whatever is sent to it, and does nothing else.

use std::io;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};

use super::wire::Wire;

/// The longest answer.
pub(crate) const BYTES_MAX: usize = 16 << 20;

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
