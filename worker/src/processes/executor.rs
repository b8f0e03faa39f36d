//! The queue of requests for processes: the second executor of the schedule.
//!
//! As in the queue of operations, a request that has ended leaves its slot before its answer, and
//! what runs next is decided once the answer is on its way.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use weighbridge_schedule::{Order, Owner, Schedule};

use super::config::{RunConfig, RunMistake, RunMistakes};
use super::park::{self, Way};
use super::process::{Lease, Up};
use super::room::{Measured, Room, Usage};
use super::ticket::Ticket;
use super::{alarm, settle, start};
use crate::attempt::{Attempt, Spent};
use crate::estimates::Estimates;
use crate::queue::{Occupancy, QueueConfig};

/// How a server of processes that share their cores says that it orders its requests.
const SHARING: &str = "ps";

/// The processes and the requests for them. When it is dropped, the processes end.
#[derive(Debug)]
pub(crate) struct Processes {
    shared: Arc<Shared>,
    /// Its tasks listen to it until they end.
    stop: watch::Sender<bool>,
}

/// The same, as its tasks see it.
#[derive(Debug)]
pub(super) struct Shared {
    room: Mutex<Room>,
    pub(super) config: RunConfig,
    pub(super) way: Option<Arc<dyn Way>>,
    /// Ports that were given to processes.
    pub(super) ports: Mutex<BTreeSet<u16>>,
    /// Where their sockets are, where they have such; nobody else may open it.
    pub(super) sockets: Option<TempDir>,
    /// Why no process is ready, once one could not be started.
    failure: Mutex<Option<String>>,
    order: &'static dyn Order,
    slots: usize,
    waiting_max: usize,
    estimates: Arc<Estimates>,
    pub(super) alarm: Notify,
    began: Instant,
    starts: prometheus::IntCounter,
}

/// Why a request gets no process: a 503.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoProcess {
    /// There is no room.
    #[error("the run queue is full: `{0}` requests wait")]
    Full(usize),
    /// None could be started.
    #[error("no process is ready: {0}")]
    NotReady(String),
}

/// A folder that only this user may open, until the worker ends.
fn sockets() -> Result<TempDir, RunMistake> {
    let own = fs::Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().prefix("weighbridge-").permissions(own).tempdir();
    folder.map_err(|error| RunMistake::NoSockets(error.to_string()))
}

// === impl Processes ===

impl Processes {
    /// Starts them. Fails with all that is wrong with `config`.
    pub(crate) fn start(
        config: RunConfig,
        queue: QueueConfig,
        estimates: Arc<Estimates>,
        starts: prometheus::IntCounter,
    ) -> Result<Processes, RunMistakes> {
        let QueueConfig { order, mut bounds, waiting_max, .. } = queue;
        let mut mistakes = config.mistakes(bounds.slots);
        let way = (config.parks() && order.preempts()).then(|| park::choose(config.park));
        let way = match way.transpose() {
            Ok(way) => way.map(Arc::from),
            Err(mistake) => {
                mistakes.push(mistake);
                None
            }
        };
        if !mistakes.is_empty() {
            return Err(RunMistakes(mistakes));
        }
        let sockets = config.has_socket().then(sockets).transpose();
        let sockets = sockets.map_err(|error| RunMistakes(vec![error]))?;
        let slots = bounds.slots;
        if !config.parks() {
            bounds.slots = config.concurrency;
        }
        bounds.started_max = bounds.slots.max(config.processes * config.concurrency);
        bounds.started_bytes_max = u64::MAX;
        bounds.yields_after = None;
        let schedule = Schedule::new(order, bounds);
        let room = Room::new(schedule, config.processes, config.concurrency, way.clone());
        let shared = Arc::new(Shared {
            room: Mutex::new(room),
            config,
            way,
            ports: Mutex::default(),
            sockets,
            failure: Mutex::default(),
            order,
            slots,
            waiting_max,
            estimates,
            alarm: Notify::new(),
            began: Instant::now(),
            starts,
        });
        let stop = watch::Sender::new(false);
        for index in 0..shared.config.processes {
            tokio::spawn(start::live(Arc::clone(&shared), index, stop.subscribe()));
        }
        tokio::spawn(alarm::ring(Arc::clone(&shared), stop.subscribe()));
        Ok(Processes { shared, stop })
    }

    /// Queues a request of so much work, in CPU-seconds of the reference core, which may be an
    /// attempt of a job.
    pub(super) fn enter(
        &self,
        (work_secs, owner): (f64, Owner),
        attempt: Option<Attempt>,
    ) -> Result<Ticket, NoProcess> {
        let shared = &self.shared;
        let mut room = shared.room.lock();
        shared.check_room(&room)?;
        let (number, start) = room.arrive((work_secs, owner, attempt), shared.now());
        shared.settled(room);
        Ok(Ticket::new(Arc::clone(shared), number, start))
    }

    /// Whether [`Processes::enter`] would fail now.
    pub(super) fn check_room(&self) -> Result<(), NoProcess> {
        self.shared.check_room(&self.shared.room.lock())
    }

    /// Whether a process takes requests; why not.
    pub(crate) fn check_ready(&self) -> Result<(), String> {
        if 0 < self.shared.room.lock().n_up() {
            return Ok(());
        }
        let failure = self.shared.failure();
        Err(failure.unwrap_or_else(|| "none has started yet".to_owned()))
    }

    /// How full the queue is.
    pub(crate) fn occupancy(&self) -> Occupancy {
        let mut room = self.shared.room.lock();
        room.schedule.set_speed(self.shared.estimates.speed());
        room.refresh();
        let (schedule, census) = (&room.schedule, room.schedule.census());
        Occupancy {
            slots: self.shared.slots,
            running: census.in_slots,
            parked: census.parked,
            waiting: census.waiting,
            work_left_secs: schedule.work_left_secs(),
            speed: schedule.speed(),
        }
    }

    /// What the attempts of jobs that have a process have used by now.
    pub(crate) fn spent(&self) -> Vec<Spent> {
        let mut room = self.shared.room.lock();
        room.refresh();
        room.spent()
    }

    /// The name of its order, as a balancer is to take it: more requests than cores in one process
    /// share them.
    pub(crate) fn discipline(&self) -> &'static str {
        let shared = &self.shared;
        if shared.slots < shared.config.concurrency { SHARING } else { shared.order.name() }
    }

    /// What all processes use. One that has more memory than it may is replaced.
    pub(crate) fn usage(&self) -> Usage {
        let (usage, too_large) = self.shared.room.lock().usage(self.shared.config.memory_bytes_max);
        for (lease, bytes) in too_large {
            tracing::warn!(process = lease.process, bytes, "has too much memory: is replaced");
            lease.replace.notify_one();
        }
        usage
    }

    /// How many take requests.
    pub(crate) fn n_ready(&self) -> usize {
        self.shared.room.lock().n_up()
    }

    /// Ends all processes, and waits until they have.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        self.stop.closed().await;
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        // Its tasks hold the pipes of the guards.
        self.stop.send_replace(true);
    }
}

// === impl Shared ===

impl Shared {
    /// A process is ready.
    pub(super) fn up(self: &Arc<Self>, up: Up) {
        *self.failure.lock() = None;
        let mut room = self.room.lock();
        room.up(up, self.now());
        self.settled(room);
    }

    /// A process that was ready has ended.
    pub(super) fn down(self: &Arc<Self>, index: usize) {
        let mut room = self.room.lock();
        room.down(index, self.now());
        self.settled(room);
    }

    /// A process could not be started. Where there is no other one, what waits is refused.
    pub(super) fn failed(self: &Arc<Self>, why: &str) {
        let mut room = self.room.lock();
        if room.n_up() == 0 {
            *self.failure.lock() = Some(why.to_owned());
            room.forget_waiting(self.now());
        }
        self.settled(room);
    }

    /// Counts a start.
    pub(super) fn starts(&self) {
        self.starts.inc();
    }

    /// A request has ended, and has an answer: what it has cost.
    pub(super) fn finish(self: &Arc<Self>, number: u64) -> Option<Measured> {
        let measured = self.room.lock().finish(number, self.now());
        let shared = Arc::clone(self);
        // The answer leaves first: what goes on next might take this core.
        tokio::spawn(async move { shared.decide_now() });
        measured
    }

    /// Why no process is ready, once one could not be started.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    /// A request that went on without a client has ended.
    pub(super) fn freed(self: &Arc<Self>, number: u64) {
        let mut room = self.room.lock();
        room.finish(number, self.now());
        self.decide(room);
    }

    /// Time since the queue began.
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// What has room to run does not count as waiting.
    fn check_room(&self, room: &Room) -> Result<(), NoProcess> {
        if room.n_up() == 0
            && let Some(failure) = self.failure()
        {
            return Err(NoProcess::NotReady(failure));
        }
        let most = room.schedule.at_once().saturating_add(self.waiting_max);
        if room.n_requests() < most { Ok(()) } else { Err(NoProcess::Full(self.waiting_max)) }
    }

    /// How long nothing is to be decided, unless something happens.
    pub(super) fn until_alarm(&self) -> Option<Duration> {
        let at = self.room.lock().alarm;
        at.map(|at| at.saturating_sub(self.now()))
    }

    /// Decides though nothing has happened.
    pub(super) fn decide_now(self: &Arc<Self>) {
        self.decide(self.room.lock());
    }

    /// See [`Room::breathe`].
    pub(super) fn breathe(&self, stopped: (usize, u64), runs: bool) -> bool {
        self.room.lock().breathe(stopped, runs)
    }

    fn decide(self: &Arc<Self>, mut room: MutexGuard<'_, Room>) {
        let now = self.now();
        room.schedule.set_speed(self.estimates.speed());
        room.event(now, |schedule| schedule.decide(now));
        self.settled(room);
    }

    /// After an event: sets the alarm, and sees to what was stopped.
    fn settled(self: &Arc<Self>, mut room: MutexGuard<'_, Room>) {
        let stopped = std::mem::take(&mut room.stopped);
        drop(room);
        self.alarm.notify_one();
        let longest = self.way.as_ref().and_then(|way| way.longest());
        for stopped in stopped {
            if let Some(longest) = longest {
                tokio::spawn(alarm::breathe(Arc::downgrade(self), stopped, longest));
            }
        }
    }

    /// The client of `number` is gone.
    pub(super) fn leave(self: &Arc<Self>, number: u64, seen_by: Option<Lease>) {
        let mut room = self.room.lock();
        if !room.has(number) {
            return;
        }
        let now = self.now();
        if !room.is_started(number) {
            room.event(now, |schedule| schedule.abandon(number, now));
            self.settled(room);
            return;
        }
        match seen_by {
            Some(lease) if self.config.parks() => {
                room.event(now, |schedule| schedule.linger(number, now));
                self.settled(room);
                tokio::spawn(settle::settle(Arc::clone(self), number, lease));
            }
            Some(_) | None => {
                room.finish(number, now);
                self.decide(room);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_may_open_the_folder_of_sockets() {
        let folder = sockets().expect("a folder");
        let mode = fs::metadata(folder.path()).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
