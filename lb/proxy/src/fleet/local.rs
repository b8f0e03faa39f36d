//! Hosts that are processes on this machine: each its own `weighbridge worker`.
//!
//! A worker holds the read end of a pipe from here, and ends when the pipe closes. So no worker is
//! left behind, even when this process is killed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::{Fleet, FleetError, Launched, Place};

/// What every worker prints before its address, once it listens.
const LISTENING: &str = "listening on ";

/// Worker processes of one program.
pub struct LocalProcesses {
    program: PathBuf,
    arguments: Vec<String>,
    running: Mutex<HashMap<String, Running>>,
}

struct Running {
    /// Tells it to end, within that time.
    end: oneshot::Sender<Duration>,
    ended: oneshot::Receiver<()>,
}

impl LocalProcesses {
    /// Workers that run `program` with `arguments`.
    pub fn new(program: PathBuf, arguments: Vec<String>) -> Arc<LocalProcesses> {
        Arc::new(LocalProcesses { program, arguments, running: Mutex::default() })
    }

    fn spawn(&self) -> Result<Child, FleetError> {
        Command::new(&self.program)
            .args(&self.arguments)
            // What systemd wants to hear, it wants from the balancer.
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            // Ctrl-C reaches the whole foreground group. The workers must not get it: the balancer
            // ends them after their requests.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| FleetError::Spawn {
                program: self.program.display().to_string(),
                source,
            })
    }
}

#[async_trait]
impl Fleet for LocalProcesses {
    async fn launch(&self, name: &str) -> Result<Launched, FleetError> {
        let mut child = self.spawn()?;
        let pid = child.id();
        let stdout = child.stdout.take().ok_or_else(|| FleetError::EndedEarly(name.to_owned()))?;
        let mut lines = BufReader::new(stdout).lines();
        let said = lines
            .next_line()
            .await
            .ok()
            .flatten()
            .ok_or_else(|| FleetError::EndedEarly(name.to_owned()))?;
        let address = said
            .strip_prefix(LISTENING)
            .and_then(|address| address.trim().parse::<SocketAddr>().ok())
            .ok_or_else(|| FleetError::NoAddress { name: name.to_owned(), said: said.clone() })?;
        let (end, end_asked) = oneshot::channel();
        let (gone_sender, gone) = oneshot::channel();
        let (ended_sender, ended) = oneshot::channel();
        // Kept open, so that a worker that prints does not die of a closed pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        tokio::spawn(async move {
            let why = watch(child, end_asked).await;
            // Fails only where the host was ended on purpose: then the reason is not awaited.
            let _ = gone_sender.send(why);
            let _ = ended_sender.send(());
        });
        let running = Running { end, ended };
        self.running.lock().insert(name.to_owned(), running);
        Ok(Launched {
            place: Place::plain(name.to_owned(), address, pid),
            gone: Box::pin(async move { gone.await.unwrap_or_default() }),
        })
    }

    async fn terminate(&self, place: &Place, grace: Duration) -> Result<(), FleetError> {
        let running = self.running.lock().remove(&place.name);
        let Some(running) = running else { return Err(FleetError::Unknown(place.name.clone())) };
        // It may have ended by itself a moment ago.
        let _ = running.end.send(grace);
        let _ = running.ended.await;
        Ok(())
    }
}

/// Waits until `child` ends, by itself or because `end_asked`. Returns the reason.
async fn watch(mut child: Child, end_asked: oneshot::Receiver<Duration>) -> String {
    // Held until the end: when it closes, the worker ends.
    let stdin = child.stdin.take();
    let asked = tokio::select! {
        status = child.wait() => {
            return status.map_or_else(|error| error.to_string(), |status| status.to_string());
        }
        asked = end_asked => asked,
    };
    if let Ok(grace) = asked
        && !grace.is_zero()
    {
        terminate(&child);
        if tokio::time::timeout(grace, child.wait()).await.is_ok() {
            return "terminated".to_owned();
        }
    }
    drop(stdin);
    match child.kill().await {
        Ok(()) => "killed".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Sends SIGTERM to `child`. It has not been waited for, so its process id is still its own.
fn terminate(child: &Child) {
    let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) else { return };
    let Some(process) = rustix::process::Pid::from_raw(pid) else { return };
    if let Err(error) = rustix::process::kill_process(process, rustix::process::Signal::TERM) {
        tracing::warn!(pid, %error, "a worker could not be told to end");
    }
}
