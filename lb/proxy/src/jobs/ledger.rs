//! The ledger: where every job is kept, with its place in the line.
//!
//! What becomes of a job is said by [`weighbridge_core::jobs::step`]. Whoever wants a step reads
//! the job here, takes the step, and writes the job back: the write stands only where nobody has
//! written since the read. A ledger knows nothing of what the states mean beyond what it needs to
//! find jobs again.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use weighbridge_core::jobs::{Age, Job, JobId, Limits, LineWork, OwnerId, Phase, State};
use weighbridge_core::units::{Time, Work};

use crate::config::JobsConfig;

/// Who ends a job tells whoever is to hear of it. After this, others look whether it was done.
pub(crate) const TOLD_WITHIN: Duration = Duration::from_secs(10);

/// Keeps jobs.
///
/// Every call is durable when it returns. Calls may be dropped; whether they have had an effect is
/// then not known.
#[async_trait]
pub trait JobLedger: Send + Sync {
    /// Keeps a new job, unless there is one of its key, or no room.
    async fn create(&self, new: NewJob) -> Result<Created, LedgerError>;

    /// The job `id`.
    async fn get(&self, id: JobId) -> Result<Found, LedgerError>;

    /// The request of the job `id`; `None` where there is no such job.
    async fn request(&self, id: JobId) -> Result<Option<Message>, LedgerError>;

    /// The answer of the job `id` that was committed; `None` where there is none.
    async fn answer(&self, id: JobId) -> Result<Option<Message>, LedgerError>;

    /// Writes a job, where its version is the one that is kept. Returns it with its next version,
    /// or `None` where somebody else has written it since, or it is gone.
    async fn write(&self, write: JobWrite) -> Result<Option<Kept>, LedgerError>;

    /// Forgets the job `kept`, where its version is the one that is kept. Its id is remembered as
    /// that of a forgotten job. Returns whether it was so.
    async fn forget(&self, kept: &Kept) -> Result<bool, LedgerError>;

    /// The first jobs in the line of `fleet` that may go at `now`, `most` at most: every second one
    /// of those that are overdue, by age; the others by rank.
    async fn line(&self, fleet: &str, now: Time, most: usize) -> Result<Vec<InLine>, LedgerError>;

    /// What stands before `kept` in its line, by rank.
    async fn before(&self, kept: &Kept) -> Result<Ahead, LedgerError>;

    /// What waits at `now` in the line of each fleet that has one.
    async fn waiting(&self, now: Time) -> Result<Vec<(String, LineWork)>, LedgerError>;

    /// The jobs that are to be looked at: their `tick_at` has come, or the balancer that holds them
    /// is known to be gone. `most` at most.
    async fn due(&self, now: Time, most: usize) -> Result<Vec<Due>, LedgerError>;

    /// The jobs that `filter` lets through, the newest first, and where to go on.
    async fn list(&self, filter: &Filter) -> Result<Page, LedgerError>;

    /// How much is kept.
    async fn totals(&self) -> Result<Totals, LedgerError>;

    /// The first callbacks that are to be tried at `now`, `most` at most. None of them is given to
    /// anybody else for the time `hold`.
    async fn callbacks(
        &self,
        now: Time,
        hold: Duration,
        most: usize,
    ) -> Result<Vec<Callback>, LedgerError>;

    /// What came of a try of the callback `n`.
    async fn called(&self, n: i64, result: Called) -> Result<(), LedgerError>;

    /// The callbacks that were given up, the newest first, `most` at most.
    async fn dead_callbacks(&self, most: usize) -> Result<Vec<Callback>, LedgerError>;

    /// This balancer, as the holder of leases. Others see that it is gone when its process is.
    fn owner(&self) -> OwnerId;
}

/// How much may be kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// The most jobs that have not ended.
    pub open_max: u64,
    /// The most bytes of requests and answers. An answer is kept nevertheless.
    pub bytes_max: u64,
    /// The most callbacks that have not been delivered.
    pub callbacks_max: u64,
    /// The most ids of forgotten jobs.
    pub forgotten_max: u64,
}

/// A job as it is kept, without its request and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// What becomes of it.
    pub job: Job,
    /// Its route.
    pub route: String,
    /// The fleet in whose line it waits.
    pub fleet: String,
    /// The method of its request.
    pub method: String,
    /// The path of its request, without the query, which may carry secrets.
    pub path: String,
    /// Bytes of its request's body.
    pub request_bytes: u64,
    /// Bytes of its answer's body; 0 before there is one.
    pub answer_bytes: u64,
    /// Whether the body of its request is an object.
    pub request_is_object: bool,
    /// Whether the body of its answer is an object.
    pub answer_is_object: bool,
    /// Whom to tell of its end.
    pub callback: Option<String>,
    /// Whose it is, as its route tells clients apart; `None`: it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// When it goes before others, however large it is.
    pub overdue_at: Time,
    /// When it is to be looked at again.
    pub tick_at: Time,
}

/// A request or an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its head, as HTTP/1.1 writes it.
    pub head: Vec<u8>,
    /// Its body; `None` where that is an object.
    pub body: Option<Bytes>,
}

/// A job to be kept.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// The job: Queued, or Running where it is claimed as it comes.
    pub kept: Kept,
    /// Its request.
    pub request: Message,
    /// What tells its repeats.
    pub key: Option<RepeatKey>,
}

/// What tells the repeats of a request that became a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepeatKey {
    /// A hash of the client's key, and of where it counts.
    pub key: [u8; 32],
    /// A hash of what was asked.
    pub payload: [u8; 32],
}

/// What came of a job that was to be kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Created {
    /// It is kept.
    Kept(Kept),
    /// There is one of the same key and payload.
    Same(Kept),
    /// There is one of the same key and another payload.
    Conflict,
    /// There is no room for it.
    Full(Limit),
}

/// Of what there is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Jobs that have not ended.
    Jobs,
    /// Bytes of requests and answers.
    Bytes,
    /// Callbacks that have not been delivered.
    Callbacks,
}

/// What is known of an id.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// The job.
    Kept(Box<Kept>),
    /// There was such a job.
    Forgotten,
    /// There is no such job.
    Unknown,
}

/// A job to be written.
#[derive(Debug, Clone)]
pub struct JobWrite {
    /// The job, with the version that was read.
    pub kept: Kept,
    /// The answer that it commits.
    pub answer: Option<Message>,
    /// The event that tells of its end, as JSON, where somebody is to hear of it.
    pub event: Option<String>,
}

/// A job in the line.
#[derive(Debug, Clone, PartialEq)]
pub struct InLine {
    /// The job.
    pub kept: Kept,
    /// Its request.
    pub request: Message,
}

/// What stands before a job.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ahead {
    /// How many jobs.
    pub jobs: u64,
    /// Their predicted work.
    pub work: Work,
}

/// A job that is to be looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct Due {
    /// The job.
    pub kept: Kept,
    /// Whether the balancer that holds it is known to be gone.
    pub owner_is_gone: bool,
}

/// Which jobs are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those in this phase.
    pub phase: Option<Phase>,
    /// Those of this route.
    pub route: Option<String>,
    /// Those before this place in the list; from [`Page::next`].
    pub before: Option<i64>,
    /// At most so many.
    pub most: usize,
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The jobs, the newest first.
    pub jobs: Vec<Kept>,
    /// Where to go on; `None` at the end.
    pub next: Option<i64>,
}

/// How much is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Jobs by phase, in the order of [`Phase::ALL`].
    pub by_phase: Vec<(Phase, u64)>,
    /// Bytes of requests and answers.
    pub bytes: u64,
    /// Callbacks that have not been delivered and not been given up.
    pub callbacks: u64,
    /// Callbacks that were given up.
    pub dead_callbacks: u64,
}

/// A callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// Its number.
    pub n: i64,
    /// Of which job.
    pub job: JobId,
    /// Where it goes.
    pub url: String,
    /// What it says, as JSON.
    pub event: String,
    /// How often it has been tried.
    pub tries: u32,
    /// When the job ended.
    pub since: Time,
    /// What went wrong last.
    pub reason: Option<String>,
}

/// What came of a try of a callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// It was delivered.
    Delivered,
    /// It is to be tried again at that time, because of that.
    Again(Time, String),
    /// It is given up, because of that.
    Dead(String),
}

/// Why the ledger could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    /// The disk is full. A later try may work.
    #[error("the ledger of jobs has no room: {0}")]
    Full(String),
    /// It cannot be used now. A later try may work.
    #[error("the ledger of jobs cannot be used: {0}")]
    Away(String),
    /// It denies access. The operator has to change permissions or credentials.
    #[error("the ledger of jobs denies access: {0}")]
    Denied(String),
    /// What it has cannot be read. The operator has to look at it.
    #[error("the ledger of jobs is damaged: {0}")]
    Damaged(String),
}

// === impl Bounds ===

impl Bounds {
    /// Those that `settings` set.
    pub fn of(settings: &JobsConfig) -> Bounds {
        Bounds {
            open_max: settings.waiting_max,
            bytes_max: settings.bytes_max,
            callbacks_max: settings.callbacks.pending_max,
            forgotten_max: settings.forgotten_max,
        }
    }
}

// === impl Limit ===

impl Limit {
    /// The key that bounds it.
    pub fn key(self) -> &'static str {
        match self {
            Limit::Jobs => "jobs.waiting_max",
            Limit::Bytes => "jobs.bytes_max",
            Limit::Callbacks => "jobs.callbacks.pending_max",
        }
    }
}

// === impl Bounds ===

impl Bounds {
    /// What there would be too much of with `kept`, where there are so many open jobs, bytes and
    /// callbacks without it.
    pub fn exceeded(
        &self,
        (open, bytes, callbacks): (u64, u64, u64),
        kept: &Kept,
    ) -> Option<Limit> {
        if self.open_max <= open {
            Some(Limit::Jobs)
        } else if self.bytes_max < bytes.saturating_add(kept.bytes()) {
            Some(Limit::Bytes)
        } else if kept.callback.is_some() && self.callbacks_max <= callbacks {
            Some(Limit::Callbacks)
        } else {
            None
        }
    }
}

// === impl Kept ===

impl Kept {
    /// Bytes that are kept of it beside its row.
    pub fn bytes(&self) -> u64 {
        self.request_bytes + self.answer_bytes
    }

    /// Notes when it is overdue, and when it is to be looked at again: as its state says.
    pub fn set_times(&mut self, limits: &Limits, age: Age) {
        let job = &self.job;
        self.overdue_at = job.overdue_at(age);
        self.tick_at = match job.state {
            State::Receiving => job.received + limits.receive_max,
            State::Queued { .. } => job.expires,
            State::Leased(lease) | State::Running(lease) => {
                lease.until.min(lease.since + limits.run_max)
            }
            State::Committing { lease, .. } => lease.until,
            State::Succeeded | State::Failed | State::Cancelled | State::Expired | State::Dead => {
                let finished = job.finished.unwrap_or(job.received);
                finished + if job.told { limits.retention } else { TOLD_WITHIN }
            }
        };
    }
}
