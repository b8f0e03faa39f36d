//! The notice that a spot instance gets two minutes before it is taken back.
//!
//! The instance metadata service says it at `spot/instance-action`: 404 for as long as nothing is
//! planned. From the notice on the worker refuses new work and finishes what it has; the header
//! `weighbridge-draining` of its load report tells balancers, which launch another one.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::MissedTickBehavior;

use super::SpotNotices;
use crate::front::Drain;

/// The longest that one answer takes.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The longest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// How long a token is good for. Each look takes a new one.
const TOKEN_SECS: &str = "60";

const TOKEN_PATH: &str = "/latest/api/token";
const NOTICE_PATH: &str = "/latest/meta-data/spot/instance-action";

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why nothing is known of a notice.
#[derive(Debug, thiserror::Error)]
enum NoticeError {
    #[error("the metadata service did not answer within `{0:?}`")]
    Timeout(Duration),
    #[error("the metadata service cannot be asked")]
    Unreachable(#[source] Cause),
    #[error("the metadata service answered `{0}`")]
    Status(StatusCode),
}

/// Begins `drain` when the notice comes; never ends. Without `notices`, looks for none.
pub(super) async fn drain_on_notice(notices: Option<SpotNotices>, drain: &Drain) {
    if let Some(notices) = notices {
        let notice = wait_for_notice(notices).await;
        tracing::warn!(notice, "the machine is taken back: takes no new work");
        drain.begin();
    }
    std::future::pending::<()>().await;
}

/// Looks again and again, whatever goes wrong, until there is a notice.
async fn wait_for_notice(notices: SpotNotices) -> String {
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
    let mut ticks = tokio::time::interval(notices.interval.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_told = false;
    loop {
        ticks.tick().await;
        match look(&client, notices.address).await {
            Ok(Some(notice)) => return notice,
            Ok(None) => is_told = false,
            Err(error) => {
                // Once for each time that it is away.
                if !std::mem::replace(&mut is_told, true) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "whether this machine is taken back is not known");
                }
            }
        }
    }
}

/// The notice, if there is one.
async fn look(
    client: &Client<HttpConnector, Empty<Bytes>>,
    address: SocketAddr,
) -> Result<Option<String>, NoticeError> {
    let seconds = ("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECS);
    let token = match ask(client, address, (Method::PUT, TOKEN_PATH), seconds).await? {
        (StatusCode::OK, token) => token,
        (status, _) => return Err(NoticeError::Status(status)),
    };
    let token = ("x-aws-ec2-metadata-token", token.trim());
    match ask(client, address, (Method::GET, NOTICE_PATH), token).await? {
        (StatusCode::OK, notice) => Ok(Some(notice)),
        (StatusCode::NOT_FOUND, _) => Ok(None),
        (status, _) => Err(NoticeError::Status(status)),
    }
}

/// One request with one header; status and body of the answer.
async fn ask(
    client: &Client<HttpConnector, Empty<Bytes>>,
    address: SocketAddr,
    (method, path): (Method, &str),
    (name, value): (&str, &str),
) -> Result<(StatusCode, String), NoticeError> {
    let asked = async {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{address}{path}"))
            .header(name, value)
            .body(Empty::new())?;
        let answer = client.request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await?.to_bytes();
        Ok::<_, Cause>((status, String::from_utf8_lossy(&body).into_owned()))
    };
    let asked =
        tokio::time::timeout(TIMEOUT, asked).await.map_err(|_| NoticeError::Timeout(TIMEOUT))?;
    asked.map_err(NoticeError::Unreachable)
}
