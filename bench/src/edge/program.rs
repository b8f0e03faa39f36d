//! A balancer that is reloaded and upgraded.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::EdgeError;
use super::certificate::{self, Believer};
use crate::balancer::BalancerError;

/// Of the host, which only says a word: none waits for another, as slow as the machine may be.
const CORES: u32 = 64;

/// It is up within this.
const START_MAX: Duration = Duration::from_mins(1);

/// See the module. Ended when it is dropped.
pub(super) struct Program {
    /// Where clients connect, and whom they believe where that is by TLS.
    pub(super) listen: SocketAddr,
    pub(super) believer: Option<Believer>,
    admin: SocketAddr,
    /// The one that was started, and the id of the one that runs now.
    _first: Child,
    pid: Option<Pid>,
    client: Client<HttpConnector, Full<Bytes>>,
    _folder: TempDir,
}

impl Program {
    /// Starts `program`, or the one beside this, before `host`; returns once it takes requests, by
    /// TLS where it is to have that.
    pub(super) async fn start(
        program: Option<&Path>,
        (host, has_tls): (SocketAddr, bool),
    ) -> Result<Program, EdgeError> {
        let beside = std::env::current_exe()?.with_file_name("weighbridge");
        let program = program.unwrap_or(&beside);
        if !program.exists() {
            return Err(BalancerError::Missing(program.to_owned()).into());
        }
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("weighbridge.toml");
        let pem = folder.path().join("tls.pem");
        certificate::write(&pem)?;
        let certificates = format!("certificates = [{{ chain = \"{}\" }}]\n", pem.display());
        let certificates = if has_tls { &*certificates } else { "" };
        let text = format!(
            "[listener_defaults]\n{certificates}[[routes]]\nname = \"all\"\npath = \"/\"\n[access_log]\nto = \"off\"\n\
             [fleet]\nkind = \"static\"\n[[fleet.static.hosts]]\naddress = \"{host}\"\ncores = {CORES}\n"
        );
        std::fs::write(&config, text)?;
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path().join("data"))
            .arg("--config")
            .arg(&config)
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(BalancerError::Start)?;
        let (listen, admin) = tokio::time::timeout(START_MAX, addresses(&mut child))
            .await
            .map_err(|_| BalancerError::NotUp("nothing".to_owned()))??;
        let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        let believer = if has_tls { Some(Believer::of(&pem)?) } else { None };
        let this = Program { listen, believer, admin, _first: child, pid, client, _folder: folder };
        this.is_ready().await?;
        Ok(this)
    }

    async fn is_ready(&self) -> Result<(), EdgeError> {
        let begun = std::time::Instant::now();
        loop {
            let uri = format!("http://{}/readyz", self.admin).parse();
            let uri = uri.map_err(|_| BalancerError::NotUp(self.admin.to_string()))?;
            if self.client.get(uri).await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if START_MAX < begun.elapsed() {
                return Err(BalancerError::NotUp("it is not ready".to_owned()).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Lets it read its configuration anew.
    pub(super) async fn reload(&mut self) -> Result<(), EdgeError> {
        self.post("/reload").await.map(drop)
    }

    /// Lets another process take over.
    pub(super) async fn upgrade(&mut self) -> Result<(), EdgeError> {
        let told = self.post("/upgrade").await?;
        let pid = told["pid"].as_i64().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        self.pid = pid;
        Ok(())
    }

    async fn post(&self, path: &'static str) -> Result<serde_json::Value, EdgeError> {
        let failed = |why: String| EdgeError::Refused(path, why);
        let request = http::Request::post(format!("http://{}{path}", self.admin));
        let request = request.body(Full::default()).map_err(|error| failed(error.to_string()))?;
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| failed(error.to_string()))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| failed(error.to_string()))?;
        let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        if !status.is_success() {
            return Err(failed(body));
        }
        serde_json::from_str(&body).map_err(|error| failed(error.to_string()))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(pid) = self.pid {
            // It may have ended by itself.
            let _ended = kill_process(pid, Signal::KILL);
        }
    }
}

/// Reads what it says until both addresses are told.
async fn addresses(child: &mut Child) -> Result<(SocketAddr, SocketAddr), EdgeError> {
    let output = child.stdout.take().ok_or_else(|| io::Error::other("no output"))?;
    let mut lines = BufReader::new(output).lines();
    let (mut listen, mut last) = (None, "nothing".to_owned());
    while let Some(line) = lines.next_line().await? {
        let mut words = line.split_whitespace();
        let address = |word: &str| word.split_once("://")?.1.parse().ok();
        match (words.next(), words.next().and_then(address)) {
            (Some("requests"), Some(address)) => listen = Some(address),
            (Some("admin"), Some(admin)) => {
                let listen = listen.ok_or_else(|| BalancerError::NotUp(line.clone()))?;
                // Those that follow write here, too; unread, it would fill up.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok((listen, admin));
            }
            _ => {}
        }
        last = line;
    }
    Err(BalancerError::NotUp(last).into())
}
