//! Jobs: requests that are accepted now, kept, and answered later.
//!
//! What becomes of a job is decided by [`weighbridge_core::jobs`]. Here it is carried out:
//!
//! ```text
//! contract.rs  jobs that look to clients, queues and buckets as a contract says
//! wishes.rs    what a client wishes: Prefer, Idempotency-Key, a callback
//! intake.rs    a request becomes a job, durable before it is acknowledged
//! runner.rs    takes jobs from the line as long as hosts have room
//! at_once.rs   a job that a host has room for as it comes: kept and claimed in one write
//! attempt.rs   one run of a job: the exchange's caller, the lease, the commit
//! tend.rs      what is due: leases that ran out, jobs that expire, what is forgotten
//! progress.rs  what hosts say of how far jobs are
//! status.rs    what is told of a job, and when it is predicted to end
//! page.rs      the same for people
//! films.rs     pages where films are made, and jobs that make them
//! callbacks.rs tells clients of the end of their jobs
//! ledger.rs    keeps jobs and their line: sqlite.rs, or at AWS
//! objects.rs   keeps what is too long for that: folder.rs, or at AWS
//! ```
//!
//! A job is another caller of the exchange (`exchange.rs`): it is estimated, placed, tried
//! and learned from as any request.

mod at_once;
mod attempt;
pub mod callbacks;
pub mod contract;
pub mod films;
pub mod folder;
pub(crate) mod intake;
pub mod ledger;
mod metrics;
pub mod objects;
pub(crate) mod page;
mod progress;
mod runner;
pub mod sqlite;
pub(crate) mod status;
mod tend;
mod waiters;
pub(crate) mod wire;
pub(crate) mod wishes;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, watch};

use weighbridge_core::balancer::Ask;
use weighbridge_core::jobs::{
    Action, Actions, Age, Event, Fence, Job, JobId, Limits, Object, State, step,
};
use weighbridge_core::request::RouteId;
use weighbridge_core::units::{Time, Work};

use crate::config::{Config, JobsConfig};
use crate::dispatch::Dispatch;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use callbacks::Callbacks;
use contract::{Contracts, Outside};
use ledger::{Found, JobLedger, JobWrite, Kept, LedgerError, Message};
pub(crate) use metrics::JobMetrics;
use objects::Objects;
use waiters::Waiters;

pub(crate) use runner::run;
pub(crate) use tend::tend;

/// A write that somebody else was first with is tried again so often.
const RACES_MAX: usize = 16;

/// What jobs share.
pub(crate) struct JobRoom {
    /// By the configuration that is in use.
    rooms: ArcSwap<Rooms>,
    settings: JobsConfig,
    metrics: Arc<Metrics>,
    pub(crate) ledger: Arc<dyn JobLedger>,
    pub(crate) objects: Arc<dyn Objects>,
    pub(crate) callbacks: Option<Callbacks>,
    /// What contracts reach, and who waits there.
    pub(crate) contracts: Contracts,
    limits: Limits,
    /// Those that this balancer runs.
    running: Mutex<HashMap<JobId, Running>>,
    pub(crate) waiters: Waiters,
    /// Places for requests that wait for jobs.
    pub(crate) polls: Arc<Semaphore>,
    /// Those of `running` that are still being claimed.
    n_claiming: AtomicUsize,
    /// What was asked for jobs whose bodies are objects, and that found no room.
    asks: Mutex<HashMap<JobId, Ask>>,
    /// Keys whose first request is still being received.
    receiving: Mutex<HashSet<[u8; 32]>>,
    /// The line may be worth a look, where `may_wait` says so.
    wake: Notify,
    /// Whether there may be something in the line.
    may_wait: AtomicBool,
    /// When the first of those that may not go yet may, in nanoseconds of the ledger's time.
    next_at: AtomicU64,
    draining: AtomicBool,
}

/// The rooms that jobs share with all requests.
pub(crate) struct Rooms {
    pub(crate) config: Arc<Config>,
    pub(crate) dispatch: Arc<Dispatch>,
    /// What is kept of the requests to hosts.
    pub(crate) requests: Arc<Ledger>,
}

/// One job that this balancer runs.
struct Running {
    fence: Fence,
    /// Whether the ledger has the claim.
    is_claimed: bool,
    stop: watch::Sender<Option<Stop>>,
    /// How long it is predicted to take.
    predicted: Duration,
    since: Time,
    /// What its host's load report calls it.
    token: u64,
    /// Work that its host says it has done of it.
    done: Work,
}

/// Why an attempt is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// Another has the job, or nobody wants it any more: the ledger says so.
    Lost,
    /// The balancer stops.
    Drain,
    /// Its host does not answer any more.
    HostDown,
    /// It has taken longer than it may.
    TimedOut,
}

/// An answer to be committed; an object where its message has no body.
#[derive(Debug, Clone)]
struct Answer {
    message: Message,
    /// How long its body is.
    bytes: u64,
}

/// What came of a step.
#[derive(Debug)]
pub(crate) enum Stepped {
    /// The job is so now.
    Kept(Box<Kept>, Actions),
    /// There is no such job any more.
    Gone,
}

/// Now, by the clock that the ledger's times are of.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Time::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// `time` by the wall clock.
pub(crate) fn wall_clock(time: Time) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(time.as_nanos())
}

/// The limits that `config` sets; `receive_max` is how long a body may take.
pub(crate) fn limits(config: &JobsConfig, receive_max: Duration) -> Limits {
    Limits {
        receive_max,
        wait_max: config.expire_after,
        run_max: config.run_max,
        attempts_max: config.attempts_max,
        host_deaths_max: config.host_deaths_max,
        alone_after: config.host_deaths_max.saturating_sub(1),
        backoff_min: config.backoff_min,
        backoff_max: config.backoff_max,
        lease_min: config.lease_min,
        lease_max: config.lease_max,
        retention: config.retention,
    }
}

// === impl JobRoom ===

impl JobRoom {
    /// The jobs of `ledger` and `objects`.
    pub(crate) fn new(
        (config, dispatch, requests): (Arc<Config>, Arc<Dispatch>, Arc<Ledger>),
        (ledger, objects): (Arc<dyn JobLedger>, Arc<dyn Objects>),
        (callbacks, outside): (Option<Callbacks>, Outside),
    ) -> JobRoom {
        let polls = config.jobs.polls_max.min(Semaphore::MAX_PERMITS);
        JobRoom {
            limits: limits(&config.jobs, config.timeouts.body_total),
            polls: Arc::new(Semaphore::new(polls)),
            settings: config.jobs.clone(),
            metrics: requests.metrics.clone(),
            rooms: ArcSwap::from_pointee(Rooms { config, dispatch, requests }),
            ledger,
            objects,
            callbacks,
            contracts: Contracts::new(outside),
            running: Mutex::default(),
            n_claiming: AtomicUsize::new(0),
            asks: Mutex::default(),
            waiters: Waiters::default(),
            receiving: Mutex::default(),
            wake: Notify::new(),
            may_wait: AtomicBool::new(true),
            next_at: AtomicU64::new(u64::MAX),
            draining: AtomicBool::new(false),
        }
    }

    /// The keys of `[jobs]`.
    pub(crate) fn settings(&self) -> &JobsConfig {
        &self.settings
    }

    /// The rooms that jobs share with all requests, by the configuration that is in use.
    pub(crate) fn rooms(&self) -> Arc<Rooms> {
        self.rooms.load_full()
    }

    /// Goes on by another configuration. Its `[jobs]` are as they were.
    pub(crate) fn follow(
        &self,
        config: Arc<Config>,
        dispatch: Arc<Dispatch>,
        requests: Arc<Ledger>,
    ) {
        self.rooms.store(Arc::new(Rooms { config, dispatch, requests }));
        self.wake_runner();
    }

    fn metrics(&self) -> &JobMetrics {
        &self.metrics.jobs
    }

    fn age(&self) -> Age {
        Age { floor: self.settings().age_floor, factor: self.settings().age_factor }
    }

    /// Jobs that this balancer runs.
    pub(crate) fn n_running(&self) -> usize {
        self.running.lock().len()
    }

    /// Takes the steps that `events` are, and writes what becomes of the job; where somebody else
    /// has written it since it was read, anew. `answer` is written where the steps commit it.
    async fn step(
        &self,
        mut kept: Kept,
        events: &[Event],
        answer: Option<&Answer>,
    ) -> Result<Stepped, LedgerError> {
        for _ in 0..RACES_MAX {
            let (before, now) = (kept.job.clone(), now());
            let mut actions = Actions::new();
            for event in events {
                actions.extend(step(&mut kept.job, *event, now, &self.limits));
            }
            if kept.job == before {
                self.act(&kept, &actions).await;
                return Ok(Stepped::Kept(Box::new(kept), actions));
            }
            let id = kept.job.id;
            let write = self.to_be_written(kept, &before, answer, now);
            let (state, route) = (write.kept.job.state, write.kept.route.clone());
            if let Some(kept) = self.ledger.write(write).await? {
                if !before.state.is_final() && state.is_final() {
                    self.metrics().ended(&route, state.phase());
                    if state == State::Dead {
                        tracing::warn!(job = %id, route, "a job is dead");
                    }
                }
                self.act(&kept, &actions).await;
                self.waiters.tell(&kept);
                return Ok(Stepped::Kept(Box::new(kept), actions));
            }
            match self.ledger.get(id).await? {
                Found::Kept(found) => kept = *found,
                Found::Forgotten | Found::Unknown => return Ok(Stepped::Gone),
            }
        }
        Err(LedgerError::Away("too many write the same job".to_owned()))
    }

    /// The write that makes of the job `before` what it is now.
    fn to_be_written(
        &self,
        mut kept: Kept,
        before: &Job,
        answer: Option<&Answer>,
        now: Time,
    ) -> JobWrite {
        let ends = !before.state.is_final() && kept.job.state.is_final();
        let commits = before.outcome.is_none() && kept.job.outcome.is_some();
        let event = ends.then(|| callbacks::event(&kept)).filter(|_| kept.callback.is_some());
        if ends && !self.is_delivered(&kept) {
            // Whom it concerns is told by what is in the same write.
            let generation = kept.job.generation;
            step(&mut kept.job, Event::Told { generation }, now, &self.limits);
        }
        let answer = answer.filter(|_| commits);
        if let Some(answer) = answer {
            kept.answer_bytes = answer.bytes;
            kept.answer_is_object = answer.message.body.is_none();
        }
        kept.set_times(&self.limits, self.age());
        JobWrite { kept, answer: answer.map(|answer| answer.message.clone()), event }
    }

    /// Carries out what a step asks for.
    async fn act(&self, kept: &Kept, actions: &Actions) {
        for action in actions {
            match action {
                Action::Send { not_before } => {
                    if now() < *not_before {
                        self.next_at.fetch_min(not_before.as_nanos(), Ordering::AcqRel);
                    }
                    self.wake_runner();
                }
                Action::HangUp { fence } => self.hang_up(kept.job.id, *fence),
                Action::Delete(Object::Answer { fence }) => {
                    self.delete(&objects::answer_key(kept.job.id, *fence)).await;
                }
                Action::Notify if !kept.job.told && self.is_delivered(kept) => {
                    self.contracts.deliveries.add(kept.job.id);
                }
                // The place goes with the write, and all of a job by `forget`.
                Action::Delete(Object::Place | Object::All)
                | Action::Forward { .. }
                | Action::Put { .. }
                | Action::Notify => {}
            }
        }
    }

    /// Deletes an object. What stays is swept.
    async fn delete(&self, key: &str) {
        if let Err(error) = self.objects.delete(key).await {
            self.metrics.loop_failed("jobs_objects");
            tracing::warn!(key, %error, "an object cannot be deleted now");
        }
    }

    /// Ends the attempt `fence` of the job `id` at once, where it is here.
    fn hang_up(&self, id: JobId, fence: Fence) {
        if let Some(running) = self.running.lock().get(&id).filter(|one| one.fence == fence) {
            let _ended = running.stop.send(Some(Stop::Lost));
        }
    }

    /// There may be something in the line.
    pub(crate) fn wake_runner(&self) {
        self.may_wait.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Takes no more jobs, and hands back those that are predicted to take longer than `left`.
    pub(crate) fn drain(&self, left: Duration) {
        self.draining.store(true, Ordering::Release);
        self.hand_back(|running| {
            let ends = running.since + running.predicted;
            now() + left < ends
        });
    }

    /// Hands back all jobs.
    pub(crate) fn hand_back_all(&self) {
        self.hand_back(|_| true);
    }

    fn hand_back(&self, is_meant: impl Fn(&Running) -> bool) {
        for running in self.running.lock().values().filter(|running| is_meant(running)) {
            let _ended = running.stop.send(Some(Stop::Drain));
        }
    }

    /// Whether this balancer runs the job `id`.
    pub(crate) fn is_running(&self, id: JobId) -> bool {
        self.running.lock().contains_key(&id)
    }

    /// The route that is called `name`: the configuration may have changed.
    pub(crate) fn route_named(&self, name: &str) -> Option<RouteId> {
        let rooms = self.rooms();
        let config = &rooms.config;
        config.route_ids().find(|route| config.route(*route).name == name)
    }

    /// The longest body of a request of the route `name`.
    pub(crate) fn body_bytes_max(&self, name: &str) -> u64 {
        let most = self.route_named(name).map(|id| self.rooms().config.route(id).body_bytes);
        most.unwrap_or_default().min(self.settings().input_bytes_max)
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}
