//! The worker that is asked: one of its own, or a worker or balancer that runs.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::PhotoError;
use crate::client::{Client, Told};

/// Where the models are that a worker of its own uses.
#[derive(Debug, Clone, clap::Args)]
pub struct Models {
    /// The folder that `deploy/models.sh FOLDER` has filled.
    #[arg(long, value_name = "FOLDER", default_value = "target/tools/models")]
    pub models: PathBuf,
}

/// A worker of its own, gone when dropped.
#[derive(Debug)]
pub(crate) struct OwnWorker {
    child: Child,
    pub(crate) url: String,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) answer: Value,
    /// Seconds in a slot, where the worker said so.
    pub(crate) run: Option<f64>,
    /// What the balancer said, where there is one.
    pub(crate) told: Option<Told>,
}

/// It listens within this.
const START_MAX: Duration = Duration::from_mins(1);

impl OwnWorker {
    /// Starts the program beside this one, with `arguments`; returns once it listens.
    pub(crate) async fn start(folder: &Path, arguments: &[&str]) -> Result<OwnWorker, PhotoError> {
        let program = std::env::current_exe()?.with_file_name("weighbridge");
        if !program.exists() {
            return Err(PhotoError::Worker(format!(
                "there is no `{}`: build it with `cargo build --release --workspace --features \
                 weighbridge/models`, or name one that runs with --url",
                program.display()
            )));
        }
        let mut child = Command::new(&program)
            .args(["worker", "--listen", "127.0.0.1:0", "--models"])
            .arg(folder)
            .args(arguments)
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let none = || PhotoError::Worker(format!("`{}` did not start", program.display()));
        let mut lines = BufReader::new(child.stdout.take().ok_or_else(none)?).lines();
        let line =
            tokio::time::timeout(START_MAX, lines.next_line()).await.map_err(|_| none())??;
        let line = line.ok_or_else(none)?;
        let address = line.strip_prefix("listening on ").ok_or_else(none)?;
        Ok(OwnWorker { child, url: format!("http://{address}") })
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) {
        // It is killed when dropped, too.
        let _ = self.child.kill().await;
    }
}

// === impl Client ===

impl Client {
    /// Sends the file `photo` to `target`, and reads the answer.
    pub(crate) async fn show(
        &self,
        method: Method,
        target: &str,
        photo: &Path,
    ) -> Result<Asked, PhotoError> {
        let body = tokio::fs::read(photo).await;
        let body = Bytes::from(body.map_err(|error| PhotoError::Read(photo.to_owned(), error))?);
        let asked = self.exchange(method, target, "image/*", body).await;
        let (headers, body) = asked.map_err(|error| PhotoError::Photo(photo.to_owned(), error))?;
        let answer = serde_json::from_slice(&body);
        let answer =
            answer.map_err(|_| PhotoError::Answer(String::from_utf8_lossy(&body).into_owned()))?;
        Ok(Asked { answer, run: run_seconds(&headers), told: crate::client::told(&headers) })
    }
}

/// `run;dur=12.5` of `Server-Timing`, in seconds.
fn run_seconds(headers: &HeaderMap) -> Option<f64> {
    let values = headers.get_all("server-timing").iter().filter_map(|value| value.to_str().ok());
    let mut metrics = values.flat_map(|value| value.split(','));
    let millis = metrics.find_map(|metric| metric.trim().strip_prefix("run;dur="))?;
    Some(millis.parse::<f64>().ok()? / 1e3)
}
