//! The little of Kubernetes' API that is needed: pods are listed, and one is annotated.

use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use http::uri::Scheme;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::config::{HostTls, PodsConfig};
use crate::tls::hosts::TlsClient;
use crate::tls::{Io, unbracketed};

/// What a `ReplicaSet` looks at.
const ANNOTATION: &str = "controller.kubernetes.io/pod-deletion-cost";

/// For one answer, and for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pods of one answer, answers of one list, and the longest answer.
const PODS_PER_PAGE: usize = 250;
const PAGES_MAX: usize = 20;
const BYTES_MAX: usize = 16 << 20;

/// A pod, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pod {
    /// Its name.
    pub(super) name: String,
    /// Where it is, once that is known.
    pub(super) address: Option<IpAddr>,
    /// The cost that it has been told.
    pub(super) told: Option<i32>,
}

/// A connection to the API server, for one turn.
pub(super) struct Api {
    sender: SendRequest<Full<Bytes>>,
    connection: JoinHandle<()>,
    authority: String,
    /// What shows who asks; `None` where nothing does.
    token: Option<String>,
    namespace: String,
    selector: String,
}

/// Why the API server did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// The environment does not say where it is.
    #[error("KUBERNETES_SERVICE_HOST is not set: expected a pod, or `kubernetes.api`")]
    NoServer,
    /// A file of the service account cannot be read.
    #[error("cannot read `{0}`")]
    Account(PathBuf, #[source] io::Error),
    /// Whose certificates are believed cannot be read.
    #[error("cannot read `{0}`: {1}")]
    Authority(PathBuf, String),
    /// It cannot be reached, or breaks off.
    #[error("the API server cannot be asked")]
    Away(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It takes too long.
    #[error("the API server does not answer within `{PATIENCE:?}`")]
    Silent,
    /// It refuses.
    #[error("the API server answers `{status}` to `{asked}`: {said}")]
    Refused {
        /// How.
        status: StatusCode,
        /// What was asked.
        asked: String,
        /// What it says of it.
        said: String,
    },
    /// Its answer is none that is known.
    #[error("the API server's answer is no list of pods")]
    Format(#[source] serde_json::Error),
}

#[derive(Deserialize)]
struct PodList {
    #[serde(default)]
    metadata: ListMeta,
    items: Vec<Item>,
}

#[derive(Default, Deserialize)]
struct ListMeta {
    #[serde(default, rename = "continue")]
    next: String,
}

#[derive(Deserialize)]
struct Item {
    metadata: ObjectMeta,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Deserialize)]
struct ObjectMeta {
    name: String,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStatus {
    #[serde(rename = "podIP")]
    pod_ip: Option<String>,
}

/// What is said of a failure.
#[derive(Default, Deserialize)]
struct Failure {
    #[serde(default)]
    message: String,
}

// === impl Api ===

impl Api {
    /// Connects as `config` says. The files of the service account are read each time: tokens are
    /// replaced every hour.
    pub(super) async fn connect(config: &PodsConfig) -> Result<Api, ApiError> {
        let url = config.api.clone().map_or_else(of_environment, Ok)?;
        let file = |name: &str| config.service_account.join(name);
        let namespace = match &config.namespace {
            Some(namespace) => namespace.clone(),
            None => read(file("namespace")).await?,
        };
        let is_tls = url.scheme() == Some(&Scheme::HTTPS);
        // What is not encrypted has no secret in it: a proxy of this machine shows its own.
        let token = if is_tls { Some(read(file("token")).await?) } else { None };
        let (host, port) = (url.host().unwrap_or_default(), url.port_u16());
        let port = port.unwrap_or(if is_tls { 443 } else { 80 });
        let host = unbracketed(host).to_owned();
        let tls = if is_tls { Some(believed(&host, file("ca.crt"))?) } else { None };
        let dialled = tokio::time::timeout(PATIENCE, dial((&host, port), tls));
        let stream = dialled.await.map_err(|_| ApiError::Silent)?.map_err(away)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(away)?;
        let connection = tokio::spawn(async move {
            // Whoever waits for an answer is told.
            let _broken = connection.await;
        });
        let authority = url.authority().map(ToString::to_string).unwrap_or_default();
        let selector = config.selector.clone();
        Ok(Api { sender, connection, authority, token, namespace, selector })
    }

    /// All pods that the selector selects.
    pub(super) async fn pods(&mut self) -> Result<Vec<Pod>, ApiError> {
        let (mut pods, mut next) = (Vec::new(), String::new());
        for _ in 0..PAGES_MAX {
            let path = self.page(&next);
            let answer = self.ask(Method::GET, &path, None).await?;
            let list: PodList = serde_json::from_slice(&answer).map_err(ApiError::Format)?;
            pods.extend(list.items.into_iter().map(Pod::from));
            next = list.metadata.next;
            if next.is_empty() {
                break;
            }
        }
        Ok(pods)
    }

    /// Where the page of the list is that follows `next`.
    fn page(&self, next: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("limit", &PODS_PER_PAGE.to_string());
        if !self.selector.is_empty() {
            query.append_pair("labelSelector", &self.selector);
        }
        if !next.is_empty() {
            query.append_pair("continue", next);
        }
        format!("/api/v1/namespaces/{}/pods?{}", self.namespace, query.finish())
    }

    /// Tells `pod` what it costs to end it. One that has gone meanwhile is told nothing.
    pub(super) async fn tell(&mut self, pod: &Pod, cost: i32) -> Result<(), ApiError> {
        let path = format!("/api/v1/namespaces/{}/pods/{}", self.namespace, pod.name);
        let patch = json!({ "metadata": { "annotations": { ANNOTATION: cost.to_string() } } });
        match self.ask(Method::PATCH, &path, Some(patch.to_string())).await {
            Err(ApiError::Refused { status: StatusCode::NOT_FOUND, .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        patch: Option<String>,
    ) -> Result<Bytes, ApiError> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header(HOST, &self.authority)
            .header(USER_AGENT, concat!("weighbridge/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if patch.is_some() {
            request = request.header(CONTENT_TYPE, "application/merge-patch+json");
        }
        let request = request.body(Full::from(patch.unwrap_or_default())).map_err(away)?;
        let answered = tokio::time::timeout(PATIENCE, answer(&mut self.sender, request)).await;
        let (status, body) = answered.map_err(|_| ApiError::Silent)??;
        if status.is_success() {
            return Ok(body);
        }
        let failure: Failure = serde_json::from_slice(&body).unwrap_or_default();
        let asked = format!("{method} {path}");
        Err(ApiError::Refused { status, asked, said: failure.message })
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl From<Item> for Pod {
    fn from(item: Item) -> Pod {
        let told = item.metadata.annotations.get(ANNOTATION).and_then(|cost| cost.parse().ok());
        let address: Option<IpAddr> = item.status.pod_ip.and_then(|ip| ip.parse().ok());
        Pod { name: item.metadata.name, address: address.map(|ip| ip.to_canonical()), told }
    }
}

async fn answer(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), ApiError> {
    sender.ready().await.map_err(away)?;
    let (head, body) = sender.send_request(request).await.map_err(away)?.into_parts();
    let body = Limited::new(body, BYTES_MAX).collect().await.map_err(ApiError::Away)?;
    Ok((head.status, body.to_bytes()))
}

/// The connection to the API server, once it is believed.
async fn dial((host, port): (&str, u16), tls: Option<HostTls>) -> io::Result<Box<dyn Io>> {
    let connection = TcpStream::connect((host, port)).await?;
    match tls {
        Some(tls) => Ok(Box::new(tls.connect(connection).await?)),
        None => Ok(Box::new(connection)),
    }
}

/// How the API server called `host` is believed: by the authority in the file `ca`.
fn believed(host: &str, ca: PathBuf) -> Result<HostTls, ApiError> {
    let name = ServerName::try_from(host.to_owned()).map_err(away)?;
    match TlsClient::new(Some(&ca), true) {
        Ok(client) => Ok(HostTls::new(Some(name), Arc::new(client))),
        Err(error) => Err(ApiError::Authority(ca, error.in_full())),
    }
}

/// Where the API server is, as every container of a pod is told.
fn of_environment() -> Result<Uri, ApiError> {
    let variable = |name| std::env::var(name).map_err(|_| ApiError::NoServer);
    let host = variable("KUBERNETES_SERVICE_HOST")?;
    let port = variable("KUBERNETES_SERVICE_PORT")?;
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    format!("https://{host}:{port}").parse().map_err(away)
}

async fn read(file: PathBuf) -> Result<String, ApiError> {
    match tokio::fs::read_to_string(&file).await {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) => Err(ApiError::Account(file, error)),
    }
}

fn away(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ApiError {
    ApiError::Away(error.into())
}
