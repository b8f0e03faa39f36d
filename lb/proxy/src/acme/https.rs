//! Asks an authority by HTTPS.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::tls::hosts::{HostTls, TlsClient};
use crate::tls::unbracketed;

/// For one request with its answer.
const REQUEST_MAX: Duration = Duration::from_secs(30);

/// No answer is longer: the longest is a chain of certificates.
const BYTES_MAX: usize = 1 << 20;

/// The port of a URL that names none.
const PORT: u16 = 443;

type Asked = Request<BodyWrapper<Bytes>>;
type Boxed = Box<dyn std::error::Error + Send + Sync>;

/// See the module. Each request has a connection of its own: there are few.
pub(super) struct Https(pub(super) Arc<TlsClient>);

impl HttpClient for Https {
    fn request(
        &self,
        request: Asked,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let client = Arc::clone(&self.0);
        Box::pin(async move {
            let answer = timeout(REQUEST_MAX, send(client, request)).await;
            answer.unwrap_or_else(|late| Err(late.into())).map_err(Error::Other)
        })
    }
}

async fn send(client: Arc<TlsClient>, mut request: Asked) -> Result<BytesResponse, Boxed> {
    let authority = request.uri().authority().ok_or("a URL names no host")?.clone();
    let host = unbracketed(authority.host());
    let name = ServerName::try_from(host.to_owned())?;
    let connection = TcpStream::connect((host, authority.port_u16().unwrap_or(PORT))).await?;
    let stream = HostTls::new(Some(name), client).connect(connection).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // What breaks it is told to who waits for the answer.
    let _task = tokio::spawn(connection);
    request.headers_mut().insert(HOST, HeaderValue::from_str(authority.as_str())?);
    let target = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(target.ok_or("a URL has no path")?);
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, BYTES_MAX).collect().await.map_err(io::Error::other)?;
    Ok(BytesResponse::from(Response::from_parts(head, Full::new(body.to_bytes()))))
}
