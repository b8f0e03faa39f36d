//! A balancer of one's own: `weighbridge up` from the program beside this one, gone when dropped.

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A running balancer with one worker and an empty store.
#[derive(Debug)]
pub struct OwnBalancer {
    child: Child,
    /// Where requests go: `http://127.0.0.1:40123`.
    pub url: String,
    /// Where its admin API is.
    pub admin: String,
    /// Its store; removed at the end.
    _data: TempDir,
}

/// Why a balancer cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum BalancerError {
    /// There is no such program.
    #[error("there is no `{}`: build it with `cargo build --release`, or name a running balancer with --url and --admin", .0.display())]
    Missing(PathBuf),
    /// The system refused.
    #[error("cannot start `weighbridge up`")]
    Start(#[source] io::Error),
    /// It ended, or did not say where it listens.
    #[error("`weighbridge up` did not come up; it last said: {0}")]
    NotUp(String),
}

/// It is up, or has drained, within this.
const START_MAX: Duration = Duration::from_mins(1);
const STOP_MAX: Duration = Duration::from_secs(35);

impl OwnBalancer {
    /// Starts one; returns once it takes requests.
    pub async fn start() -> Result<OwnBalancer, BalancerError> {
        let program = std::env::current_exe().map_err(BalancerError::Start)?;
        let program = program.with_file_name("weighbridge");
        if !program.exists() {
            return Err(BalancerError::Missing(program));
        }
        let data = tempfile::tempdir().map_err(BalancerError::Start)?;
        let mut child = Command::new(program)
            .args(["up", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(["--workers", "1..1", "--data-dir"])
            .arg(data.path())
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(BalancerError::Start)?;
        let Some(output) = child.stdout.take() else {
            return Err(BalancerError::NotUp("nothing".to_owned()));
        };
        let mut lines = BufReader::new(output).lines();
        let up = tokio::time::timeout(START_MAX, addresses(&mut lines)).await;
        let (url, admin) = up.unwrap_or_else(|_| Err(BalancerError::NotUp("too little".into())))?;
        // The access log follows on the same pipe; unread, it would fill up.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(OwnBalancer { child, url, admin, _data: data })
    }

    /// Drains it and waits for its end; kills it where that takes too long.
    pub async fn stop(mut self) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok()) {
            // What is left of it is killed when dropped.
            let _ = tokio::time::timeout(STOP_MAX, self.child.wait()).await;
        }
    }
}

/// Reads what `weighbridge up` says until both addresses were told.
async fn addresses(
    lines: &mut Lines<BufReader<ChildStdout>>,
) -> Result<(String, String), BalancerError> {
    let (mut url, mut last) = (None, "nothing".to_owned());
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(found) = address(&line, "requests") {
            url = Some(found);
        }
        if let (Some(url), Some(admin)) = (&url, address(&line, "admin")) {
            return Ok((url.clone(), admin));
        }
        last = line;
    }
    Err(BalancerError::NotUp(last))
}

/// The address in a line such as `  requests  http://127.0.0.1:8000`.
fn address(line: &str, label: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let is_labelled = words.next() == Some(label);
    words.next().filter(|word| is_labelled && word.starts_with("http://")).map(str::to_owned)
}
