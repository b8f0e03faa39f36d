//! Asks hosts how they are: whether they are ready, and for their load report while no response
//! carries one.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};

use weighbridge_instrument::LoadReport;

use super::{Place, Target};
use crate::config::{HostAddress, Protocol};
use crate::forward::Dial;

/// The longest load report that is read, in bytes.
const REPORT_BYTES_MAX: usize = 64 * 1024;

/// With this header of its load report a worker says that it takes nothing more: it was told to
/// end, or its machine is taken back.
const LEAVES: &str = "weighbridge-draining";

/// What a host says of itself.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) report: LoadReport,
    /// It takes nothing more.
    pub(crate) leaves: bool,
}

/// Asks hosts how they are.
#[derive(Debug, Clone)]
pub(crate) struct Probe {
    http1: Client<HttpConnector, Empty<Bytes>>,
    h2c: Client<HttpConnector, Empty<Bytes>>,
    timeout: Duration,
}

/// Why a host gave no load report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    /// It cannot be reached.
    #[error("the host cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It takes the connection, and then breaks off, says what is no HTTP, or too much.
    #[error("the host's answer cannot be read")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It takes too long.
    #[error("no answer within `{0:?}`")]
    Timeout(Duration),
    /// It answers, but not with a load report.
    #[error("the host answered `{0}`, expected a load report")]
    Status(StatusCode),
    /// Its report must be rejected.
    #[error("the load report is not usable")]
    Report(#[source] weighbridge_instrument::ReportError),
}

impl Probe {
    /// Probes that wait at most `timeout`.
    pub(crate) fn new(timeout: Duration) -> Probe {
        // Each ask has a connection of its own: a host may close an idle one when it is used again,
        // and would seem to be gone.
        let client = |is_h2c| {
            let mut builder = Client::builder(TokioExecutor::new());
            builder.pool_max_idle_per_host(0).http2_only(is_h2c).build_http()
        };
        Probe { http1: client(false), h2c: client(true), timeout }
    }

    /// Whether the host that `target` is is ready for requests: it answers with a status below 500.
    /// A host without `/readyz` is any other HTTP service, and ready.
    pub(crate) async fn is_ready(&self, target: &Target) -> bool {
        let status = self.within(self.status(target)).await;
        status.is_ok_and(|status| !status.is_server_error())
    }

    /// Whether the host at `address` itself says that it is ready. An address that a machine was
    /// just given may still be answered by another one.
    pub(crate) async fn says_ready(&self, address: SocketAddr) -> bool {
        let target = Place::plain(String::new(), address, None).target();
        let status = self.within(self.status(&target)).await;
        status.is_ok_and(|status| status.is_success())
    }

    /// What status the host that `target` is answers to `GET` of `path`, within `timeout`.
    pub(crate) async fn ask(
        &self,
        target: &Target,
        path: &str,
        timeout: Duration,
    ) -> Result<StatusCode, ProbeError> {
        let answer = self.get(target, path.trim_start_matches('/'));
        let answer = tokio::time::timeout(timeout, answer).await;
        Ok(answer.map_err(|_| ProbeError::Timeout(timeout))??.status())
    }

    /// The load report of the host that `target` is.
    pub(crate) async fn load(&self, target: &Target) -> Result<Asked, ProbeError> {
        self.within(self.report(target)).await
    }

    /// What `/readyz` answers. The page itself says nothing more, however long it is.
    async fn status(&self, target: &Target) -> Result<StatusCode, ProbeError> {
        Ok(self.get(target, "readyz").await?.status())
    }

    async fn report(&self, target: &Target) -> Result<Asked, ProbeError> {
        let response = self.get(target, "load").await?;
        if !response.status().is_success() {
            return Err(ProbeError::Status(response.status()));
        }
        let leaves = response.headers().contains_key(LEAVES);
        let body = Limited::new(response.into_body(), REPORT_BYTES_MAX);
        let body = body.collect().await.map_err(ProbeError::Body)?.to_bytes();
        let report = LoadReport::decode_json(&String::from_utf8_lossy(&body));
        Ok(Asked { report: report.map_err(ProbeError::Report)?, leaves })
    }

    async fn get(&self, target: &Target, what: &str) -> Result<Response<Incoming>, ProbeError> {
        let dial = Dial::of(target, None);
        let address = match &target.address {
            HostAddress::Tcp(address) if dial.is_plain() => address,
            HostAddress::Tcp(_) | HostAddress::Unix(_) => {
                return dialled(&dial, target, what).await;
            }
        };
        let client = match target.protocol {
            Protocol::Http1 => &self.http1,
            Protocol::H2c => &self.h2c,
        };
        let uri = format!("http://{address}/{what}")
            .parse()
            .map_err(|error| ProbeError::Unreachable(Box::new(error)))?;
        client.get(uri).await.map_err(|error| {
            if error.is_connect() {
                ProbeError::Unreachable(Box::new(error))
            } else {
                ProbeError::Body(Box::new(error))
            }
        })
    }

    async fn within<T>(
        &self,
        asked: impl Future<Output = Result<T, ProbeError>>,
    ) -> Result<T, ProbeError> {
        tokio::time::timeout(self.timeout, asked)
            .await
            .map_err(|_| ProbeError::Timeout(self.timeout))?
    }
}

/// Asks a host on a connection that is more than TCP, or none.
async fn dialled(
    dial: &Dial,
    target: &Target,
    what: &str,
) -> Result<Response<Incoming>, ProbeError> {
    let stream = dial.open(&target.address).await;
    let stream = TokioIo::new(stream.map_err(|error| ProbeError::Unreachable(Box::new(error)))?);
    let broken = |error| ProbeError::Body(Box::new(error));
    let unwritable = |error: http::Error| ProbeError::Unreachable(Box::new(error));
    let (authority, body) = (target.address.authority(), Empty::<Bytes>::new());
    // A connection ends with the answer, or with the asker's patience, which drops both its ends.
    match target.protocol {
        Protocol::Http1 => {
            let (mut sender, connection) = http1::handshake(stream).await.map_err(broken)?;
            tokio::spawn(connection);
            let request = Request::get(format!("/{what}")).header(HOST, authority);
            let request = request.header(CONNECTION, "close").body(body).map_err(unwritable)?;
            sender.send_request(request).await.map_err(broken)
        }
        Protocol::H2c => {
            let shaken = http2::handshake(TokioExecutor::new(), stream).await;
            let (mut sender, connection) = shaken.map_err(broken)?;
            tokio::spawn(connection);
            let request = Request::get(format!("http://{authority}/{what}")).body(body);
            sender.send_request(request.map_err(unwritable)?).await.map_err(broken)
        }
    }
}
