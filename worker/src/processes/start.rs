//! The life of a process: started, ready, ended, started again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::address::Address;
use super::executor::Shared;
use super::guard::{Group, Orders, told_of};
use super::measure::Measure;
use super::output::{self, LastLines};
use super::park::NICER;
use super::process::{Lease, Up};
use super::ready;
use super::tree::{children, raw, with_variable};

/// Between an end and the next start: at first, and at most. It doubles each time.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// One that was ready for so long is started again without having to wait for longer.
const LIVED: Duration = Duration::from_secs(10);
/// How long a process that was told to end may take.
const TERMINATE: Duration = Duration::from_secs(2);
/// How long a guard may take to kill its process.
const KILL: Duration = Duration::from_secs(10);
/// Ports that are tried for one that no other process has been given.
const PORT_TRIES: usize = 64;

/// The variable by which what a process has forked is known where its guard was killed.
const MARK: &str = "WEIGHBRIDGE_PROCESS";
/// How often that is looked for: what is killed may have forked meanwhile.
const MARK_TRIES: usize = 10;

/// A process that was started: its guard.
struct Started {
    name: usize,
    child: Child,
    guard: Pid,
    /// When it closes, the guard kills the process.
    pipe: Option<ChildStdin>,
    address: Address,
    place: Option<Group>,
    /// The value of [`MARK`]: of this process alone.
    mark: String,
    last_lines: LastLines,
}

/// How a life has ended.
enum End {
    /// The worker ends.
    Stopped,
    /// The process has ended, or was ended, after it was ready for so long.
    Ended { ready: Duration, how: String },
    /// It was never ready.
    Failed(String),
}

/// Keeps the process `name` running until `stop`.
pub(super) async fn live(shared: Arc<Shared>, name: usize, mut stop: watch::Receiver<bool>) {
    let (mut pause, longest) = BACKOFF;
    loop {
        match live_once(&shared, name, &mut stop).await {
            End::Stopped => return,
            End::Ended { ready, how } => {
                tracing::warn!(process = name, again = ?pause, "{how}");
                if LIVED <= ready {
                    pause = BACKOFF.0;
                }
            }
            End::Failed(why) => {
                tracing::error!(process = name, again = ?pause, "cannot be started: it {why}");
                shared.failed(&format!("process {name} {why}"));
            }
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = is_told(&mut stop) => return,
        }
        pause = (pause * 2).min(longest);
    }
}

async fn live_once(shared: &Arc<Shared>, name: usize, stop: &mut watch::Receiver<bool>) -> End {
    shared.starts();
    let mut started = match Started::start(shared, name).await {
        Ok(started) => started,
        Err(error) => return End::Failed(format!("cannot be started ({error})")),
    };
    let end = started.live(shared, stop).await;
    if let Address::Port(address) = started.address {
        shared.ports.lock().remove(&address.port());
    }
    end
}

// === impl Started ===

impl Started {
    async fn start(shared: &Shared, name: usize) -> io::Result<Started> {
        let place = match &shared.way {
            Some(way) => way.place(&name.to_string())?,
            None => None,
        };
        let address = free_address(shared, name)?;
        let config = &shared.config;
        let mut child = Command::new(&config.guard.program)
            .args(&config.guard.arguments)
            // What systemd wants to hear, it wants from the worker.
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for the worker, which drains.
            .process_group(0)
            .spawn()?;
        let last_lines = LastLines::default();
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(output::log(stdout, name, last_lines.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(output::log(stderr, name, last_lines.clone()));
        }
        let guard = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let guard = guard.ok_or(io::ErrorKind::NotFound)?;
        let mark = format!("{}-{}", std::process::id(), raw(guard));
        let mut pipe = child.stdin.take();
        if let Some(pipe) = &mut pipe {
            let orders = Orders {
                command: address.told_in(&config.command),
                environment: BTreeMap::from([address.variable(), (MARK.to_owned(), mark.clone())]),
                nicer: NICER,
                files_max: config.files_max,
                group: place.clone(),
            };
            let line = serde_json::to_string(&orders)? + "\n";
            // A guard that has ended already is noticed when it is waited for.
            let _ = pipe.write_all(line.as_bytes()).await;
        }
        Ok(Started { name, child, guard, pipe, address, place, mark, last_lines })
    }

    async fn live(&mut self, shared: &Arc<Shared>, stop: &mut watch::Receiver<bool>) -> End {
        let begun = Instant::now();
        let config = &shared.config;
        let is_ready =
            timeout(config.start_timeout, ready::wait(&self.address, config.ready.as_deref()));
        let failed = tokio::select! {
            ready = is_ready => match ready {
                Ok(()) => None,
                Err(_) => Some(format!("was not ready within {:?}", config.start_timeout)),
            },
            status = self.child.wait() => Some(told(status)),
            () = is_told(stop) => {
                self.end(Duration::ZERO).await;
                return End::Stopped;
            }
        };
        if let Some(why) = failed {
            self.end(Duration::ZERO).await;
            return End::Failed(self.with_last_lines(&why));
        }
        tracing::info!(process = self.name, address = %self.address, time = ?begun.elapsed(), "is ready");
        self.serve(shared, stop).await
    }

    /// Takes requests until it ends.
    async fn serve(&mut self, shared: &Arc<Shared>, stop: &mut watch::Receiver<bool>) -> End {
        let (ended, told_of_end) = watch::channel(None);
        let replace = Arc::new(Notify::new());
        let lease = Lease {
            process: self.name,
            address: self.address.clone(),
            guard: self.guard,
            ended: told_of_end,
            replace: Arc::clone(&replace),
        };
        let since = Instant::now();
        shared.up(Up::new(lease, Measure::of(self.guard), self.place.clone()));
        let how = tokio::select! {
            status = self.child.wait() => Some(told(status)),
            () = replace.notified() => Some("was replaced".to_owned()),
            () = is_told(stop) => None,
        };
        // First of all, so that a request that fails says why.
        ended.send_replace(Some(how.clone().unwrap_or_else(|| "was ended".to_owned())));
        shared.down(self.name);
        let grace = if how.is_none() { TERMINATE } else { Duration::ZERO };
        self.end(grace).await;
        match how {
            None => End::Stopped,
            Some(how) => End::Ended { ready: since.elapsed(), how: self.with_last_lines(&how) },
        }
    }

    /// Ends the process, after it was told to where there is any `grace`, and waits for its guard.
    async fn end(&mut self, grace: Duration) {
        self.end_guard(grace).await;
        let status = self.child.try_wait().ok().flatten();
        if status.is_none_or(|status| status.code().is_none()) {
            self.end_orphans();
        }
    }

    /// Does what a guard would have done that was killed itself.
    fn end_orphans(&self) {
        for _ in 0..MARK_TRIES {
            let orphans = with_variable(MARK, &self.mark);
            if orphans.is_empty() {
                break;
            }
            for orphan in orphans {
                // It may have ended by itself.
                let _ = kill_process(orphan, Signal::KILL);
            }
        }
        if let Some(place) = &self.place {
            // Fails while one of them still ends: then the next process is put there.
            let _ = fs::remove_dir(&place.folder);
        }
    }

    async fn end_guard(&mut self, grace: Duration) {
        if !grace.is_zero() {
            for command in children(self.guard) {
                // What is gone needs no signal; what is parked has to hear it.
                let _ = kill_process_group(command, Signal::TERM);
                let _ = kill_process_group(command, Signal::CONT);
            }
            if timeout(grace, self.child.wait()).await.is_ok() {
                return;
            }
        }
        drop(self.pipe.take());
        if timeout(KILL, self.child.wait()).await.is_err() {
            tracing::error!(process = self.name, "its guard does not end");
            let _ = self.child.kill().await;
        }
    }

    fn with_last_lines(&self, how: &str) -> String {
        match self.last_lines.joined() {
            lines if lines.is_empty() => how.to_owned(),
            lines => format!("{how}; it said: {lines}"),
        }
    }
}

/// Waits until the worker ends.
pub(super) async fn is_told(stop: &mut watch::Receiver<bool>) {
    // Fails only without a sender: then the worker has ended.
    drop(stop.wait_for(|stop| *stop).await);
}

fn told(status: io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), told_of)
}

/// Where the process `name` is to listen: at a socket that nobody has, or a free port.
fn free_address(shared: &Shared, name: usize) -> io::Result<Address> {
    let Some(sockets) = &shared.sockets else {
        return Ok(Address::Port(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port(shared)?))));
    };
    let path = sockets.path().join(format!("{name}.sock"));
    match fs::remove_file(&path) {
        // The one before it has left it.
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(Address::Socket(path)),
    }
}

/// A port that nobody listens on now. Another program may take it before the process does: then
/// that ends, and is started with another one.
fn free_port(shared: &Shared) -> io::Result<u16> {
    for _ in 0..PORT_TRIES {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        if shared.ports.lock().insert(port) {
            return Ok(port);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}
