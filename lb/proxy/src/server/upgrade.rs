//! Hands the listening sockets to another process, which may be a newer program.
//!
//! ```text
//! starts the heir with the sockets -> the heir takes requests and says so
//!   -> takes no more connections -> finishes what is there -> ends
//! ```
//!
//! No socket is closed in between, so no client is refused. A connection that is there stays until
//! its next answer, which says that it is the last, or until `timeouts.drain`. An heir that ends,
//! or takes no requests within `timeouts.upgrade`, is given up, and nothing has changed.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use command_fds::{CommandFdExt as _, FdMapping};
use tokio::net::UnixDatagram;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::Server;
use super::sockets::{ADMIN, PREDECESSOR, READY};
use super::stop::DRAIN_LOOK_INTERVAL;
use crate::front::{Current, Front};
use crate::order::{Order, Upgraded};

/// The first descriptor that is handed over (`sd_listen_fds(3)`).
const FIRST: i32 = 3;

/// Between two looks at whether this balancer takes requests.
const READY_INTERVAL: Duration = Duration::from_millis(20);

/// For the answer to who has ordered an upgrade.
const TELL_MAX: Duration = Duration::from_secs(2);

/// What starts this program once more.
#[derive(Debug, Clone)]
pub struct Program {
    /// The file, by the path that it had at the start: by now there may be a newer one.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// A socket that is handed over, by its name.
pub(super) type Handed = (String, OwnedFd);

/// The process that is to follow. Killed when it is dropped, until it takes requests.
struct Heir {
    process: Child,
    word: UnixDatagram,
    /// It lives without this process.
    is_free: bool,
}

impl Server {
    /// Starts the heir, and lets `told` know what becomes of it. Once it takes requests, an order
    /// to hand over comes.
    pub(super) fn upgrade(&mut self, told: oneshot::Sender<Result<Upgraded, String>>) {
        if self.upgrading.as_ref().is_some_and(|upgrading| !upgrading.is_finished()) {
            let _left = told.send(Err("another upgrade is going on".to_owned()));
            return;
        }
        let heir = self.program.as_ref().map(|program| Heir::start(program, &self.sockets));
        let heir = match heir {
            Some(Ok(heir)) => heir,
            Some(Err(error)) => {
                let why = format!("the new process cannot be started: {error}");
                tracing::error!("{why}");
                let _left = told.send(Err(why));
                return;
            }
            None => {
                let _left = told.send(Err("nothing was given that starts a process".to_owned()));
                return;
            }
        };
        let front = self.front();
        let within = front.config.timeouts.upgrade;
        self.upgrading = Some(tokio::spawn(async move {
            match heir.take_requests(within).await {
                Ok(pid) => {
                    tracing::info!(pid, "the new process takes requests");
                    // Fails only where this balancer stops by itself.
                    let _stopped = front.orders().send(Order::HandOver { pid, told }).await;
                }
                Err(why) => {
                    tracing::error!("the upgrade was given up, and nothing has changed: {why}");
                    let _left = told.send(Err(why));
                }
            }
        }));
    }

    /// Leaves the sockets to the heir, finishes what is there, and ends. Returns how many requests
    /// were cut off because `timeouts.drain` was not enough.
    pub(super) async fn hand_over(mut self) -> usize {
        let front = self.front();
        self.close_listeners();
        let _ = self.ends.handing_over.send(true);
        front.drain();
        // HTTP/2 is told to go away; of HTTP/1.1 the next answer says so.
        let _ = self.ends.shutdown.send(true);
        let connections = &front.ledger.metrics.connections;
        let within = front.config.timeouts.drain;
        // The heir takes those that wait. What is short ends here.
        if let Some(jobs) = &front.jobs {
            jobs.drain(within);
        }
        let has_any = || {
            let n_jobs = front.jobs.as_ref().map_or(0, |jobs| jobs.n_running());
            0 < connections.get() || 0 < front.in_flight() || 0 < n_jobs
        };
        let emptied = async {
            while has_any() {
                sleep(DRAIN_LOOK_INTERVAL).await;
            }
        };
        if timeout(within, emptied).await.is_err() {
            let idle = connections.get();
            tracing::info!(connections = idle, "connections are closed that had no more requests");
        }
        let admin = self.vital.iter().find(|(name, _)| *name == ADMIN);
        let admin = admin.map(|(_, task)| task.clone());
        // Who has ordered the upgrade is to hear of it. Other operators may be idle.
        let told = async move {
            while admin.as_ref().is_some_and(|task| !task.is_finished()) {
                sleep(DRAIN_LOOK_INTERVAL).await;
            }
        };
        let _late = timeout(TELL_MAX, told).await;
        self.end().await
    }

    /// Says to the balancer that this one follows, if it follows any, that requests are taken, as
    /// soon as they are.
    pub(super) fn say_when_ready(&mut self) {
        let Some(predecessor) = self.inherited.predecessor() else { return };
        let current = self.current.clone();
        self.loops.spawn(async move {
            may_accept(&current, true).await;
            if let Err(error) = predecessor.send(READY) {
                tracing::warn!(%error, "the balancer that hands over could not be told");
            }
        });
    }
}

/// Waits until connections may be taken: an heir leaves them to the balancer that it follows until
/// it has a host for requests. Were it given up before, they would break.
pub(super) async fn may_accept(current: &Current, is_heir: bool) {
    while is_heir && !current.load().takes_requests() {
        sleep(READY_INTERVAL).await;
    }
}

// === impl Heir ===

impl Heir {
    /// Starts `program` with `sockets`.
    fn start(program: &Program, sockets: &[Handed]) -> io::Result<Heir> {
        let (word, says) = std::os::unix::net::UnixDatagram::pair()?;
        word.set_nonblocking(true)?;
        let mut handed = Vec::new();
        for (name, socket) in sockets {
            handed.push((name.clone(), socket.try_clone()?));
        }
        handed.push((PREDECESSOR.to_owned(), says.into()));
        let names: Vec<&str> = handed.iter().map(|(name, _)| name.as_str()).collect();
        let mut command = Command::new(&program.path);
        command
            .args(&program.arguments)
            .env("LISTEN_FDS", handed.len().to_string())
            .env("LISTEN_FDNAMES", names.join(":"))
            .env_remove("LISTEN_PID")
            // It is for the process that systemd has started.
            .env_remove("WATCHDOG_PID");
        let mappings = (FIRST..).zip(handed);
        let mappings = mappings.map(|(child_fd, (_, parent_fd))| FdMapping { parent_fd, child_fd });
        command.fd_mappings(mappings.collect()).map_err(io::Error::other)?;
        let word = UnixDatagram::from_std(word)?;
        Ok(Heir { process: command.spawn()?, word, is_free: false })
    }

    /// Waits until it takes requests, and lets go of it. Returns its process id, or why it is given
    /// up.
    async fn take_requests(mut self, within: Duration) -> Result<u32, String> {
        let mut said = [0; READY.len()];
        tokio::select! {
            ended = self.process.wait() => {
                let how = ended.map_or_else(|error| error.to_string(), |how| how.to_string());
                Err(format!("the new process ended before it took requests: {how}; see its log"))
            }
            heard = timeout(within, self.word.recv(&mut said)) => match heard {
                Ok(Ok(length)) if said.get(..length) == Some(READY) => self.let_go(),
                Ok(Ok(_)) => Err("the new process said something else than that it is ready".into()),
                Ok(Err(error)) => Err(format!("the new process cannot be heard: {error}")),
                Err(_) => Err(format!(
                    "the new process took no requests within {within:?} (timeouts.upgrade): does \
                     a host answer?"
                )),
            }
        }
    }

    /// From now on it lives without this process.
    fn let_go(&mut self) -> Result<u32, String> {
        let pid = self.process.id().ok_or("the new process has ended")?;
        self.is_free = true;
        Ok(pid)
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        if self.is_free {
            return;
        }
        // It may have ended by itself.
        let _ended = self.process.start_kill();
    }
}

impl Front {
    /// Whether a host takes requests and answers.
    pub(crate) fn takes_requests(&self) -> bool {
        use weighbridge_core::host::{HostState, Phase};

        let is_active = |host: &HostState| match host.phase {
            Phase::Active => !host.is_down(),
            Phase::Starting | Phase::Draining | Phase::Gone => false,
        };
        let fleets = self.dispatch.fleets.all();
        fleets.iter().any(|fleet| fleet.look(|balancer, _| balancer.hosts().any(is_active)))
    }
}
