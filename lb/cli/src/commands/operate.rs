//! Asks a running balancer something, or to do something, by its admin API: the one place that
//! knows how it is reached, and how it is shown who asks.

mod address;

use std::error::Error;
use std::path::PathBuf;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::CommandError;
use address::Address;

/// Has the token, where no file of it is named.
const TOKEN: &str = "WEIGHBRIDGE_TOKEN";

/// How a running balancer is reached. Part of every command that asks one.
#[derive(Debug, clap::Args)]
pub(crate) struct Admin {
    /// The balancer's admin address (`admin` in its configuration): HOST:PORT, https://HOST:PORT
    /// where it has `admin_certificates`, or unix:PATH for its `admin_socket`.
    #[arg(
        id = "admin",
        long = "admin",
        value_name = "ADDRESS",
        default_value = "127.0.0.1:9090",
        global = true
    )]
    address: Address,
    /// A file with the token that changes need (`admin_token_file`) [default: the token itself in
    /// the environment, as `WEIGHBRIDGE_TOKEN`].
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// The certificates of who signs the balancer's, in PEM [default: whom the system trusts].
    #[arg(id = "admin-ca", long = "admin-ca", value_name = "FILE", global = true)]
    ca: Option<PathBuf>,
}

type Boxed = Box<dyn Error + Send + Sync>;

impl Admin {
    /// Sends `body` to `path`, and returns what the balancer says of it.
    ///
    /// # Errors
    ///
    /// It cannot be asked, or refuses.
    pub(crate) fn post(&self, path: &str, body: String) -> Result<Value, CommandError> {
        let request = Request::post(path).body(Full::new(body.into()));
        let text = self.ask(request.map_err(|error| self.failed(&error))?)?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::from(text)))
    }

    /// Sends `request`, whose target is a path and a query, and returns the text of the answer.
    ///
    /// # Errors
    ///
    /// It cannot be asked, or refuses.
    pub(crate) fn ask(&self, request: Request<Full<Bytes>>) -> Result<String, CommandError> {
        let (status, text) = self.send(request).map_err(|error| self.failed(&*error))?;
        if status.is_success() {
            return Ok(text);
        }
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let detail = problem["detail"].as_str().unwrap_or(text.trim_end());
        Err(self.refused(format!("{status}: {detail}")))
    }

    /// `error` kept the balancer from being asked.
    pub(crate) fn failed(&self, error: &(dyn Error + 'static)) -> CommandError {
        self.refused(with_causes(error))
    }

    fn refused(&self, why: String) -> CommandError {
        CommandError::Ask { admin: self.address.to_string(), why }
    }

    fn send(&self, mut request: Request<Full<Bytes>>) -> Result<(StatusCode, String), Boxed> {
        let headers = request.headers_mut();
        headers.insert(HOST, self.address.host().parse()?);
        if let Some(token) = self.token()? {
            let bearer = format!("Bearer {token}").parse();
            headers.insert(AUTHORIZATION, bearer.map_err(|_| "the token cannot be sent")?);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let stream = self.address.connect(self.ca.as_deref()).await?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            // What breaks it is told to who waits for the answer.
            let _task = tokio::spawn(connection);
            let response = sender.send_request(request).await?;
            let status = response.status();
            let text = response.into_body().collect().await?.to_bytes();
            Ok((status, String::from_utf8_lossy(&text).into_owned()))
        })
    }

    /// What shows that one may change something, if there is such a thing.
    fn token(&self) -> Result<Option<String>, Boxed> {
        let text = match &self.token_file {
            Some(file) => Some(std::fs::read_to_string(file).map_err(|error| {
                format!("the token in `{}` cannot be read: {error}", file.display())
            })?),
            None => std::env::var(TOKEN).ok(),
        };
        Ok(text.map(|text| text.trim().to_owned()).filter(|token| !token.is_empty()))
    }
}

/// What `error` says, and what it says of its causes.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut why = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        why = format!("{why}: {error}");
        cause = error.source();
    }
    why
}
