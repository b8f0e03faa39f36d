//! Jobs: requests that are accepted now, kept, and answered later.
//!
//! A job is a stored HTTP request. The balancer replays it through the scheduler that it has, so a
//! job is estimated, placed, tried again and learned from as any request. What is here says what
//! becomes of a job, and nothing else does: the ledger keeps it, the proxy carries it.
//!
//! ```text
//! Receiving ──▶ Queued ──▶ Leased ──▶ Running ──▶ Committing ──▶ Succeeded, Failed
//!     │          │  ▲         │          │            │
//!     │          │  └─────────┴──────────┴────────────┤  tried again
//!     └──────────┴─▶ Expired, Cancelled               └▶ Dead, Cancelled
//! ```
//!
//! # How it is used
//!
//! A holder reads a job from the ledger, calls [`step`] with what has happened, and writes the job
//! back. The write compares and sets: it stands only where nobody else has written since the read
//! ([`Job::version`]). The actions are carried out after the write stands, and not at all where it
//! does not; then the job is read again. An event of a newer claim than the row's shows that the
//! row is old: it is read again first. Several steps may be taken before one write. So each
//! transition happens once, whoever races, and what was lost with a balancer that died is asked for
//! again by [`Event::Tick`].
//!
//! Times are the ledger's: nanoseconds since the UNIX epoch, for they outlive the process. A clock
//! that jumps costs a second execution at worst. The [`Fence`] decides whose result counts.
//!
//! # Decision: the whole row is compared, not only state and fence
//!
//! State and fence are the same before and after a lease is renewed. A sweeper that had read the
//! old end of the lease would take the job away from the holder that has just renewed it. Cost: a
//! number in each row. Look again where a ledger cannot compare it.

mod classes;
mod event;
mod lease;
mod limits;
mod line;
mod retry;
mod state;
mod step;
mod window;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::units::{Time, Work};

pub use classes::Classes;
pub use event::{Action, Actions, Event, Object};
pub use limits::Limits;
pub use line::{Age, Line, LineWork, Turns};
pub use state::{Lease, Phase, State};
pub use step::step;
pub use window::Window;

/// Which job: 128 random bits. Who knows it may see the job, so it is drawn by a generator that
/// cannot be guessed. As text: 32 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(u128);

/// The text is no [`JobId`]: it is not 32 hexadecimal digits in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a job id is 32 hexadecimal digits in lower case")]
pub struct NotAJobId;

/// The number of a claim on a job: each claim has a higher one than all before it. Events of an
/// older fence change nothing. 0: never claimed.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Fence(pub u64);

/// Which balancer holds a lease. Others may be able to tell that it is gone before the lease ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OwnerId(pub u64);

/// What a job came to, where a host has answered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The status of the answer.
    pub status: u16,
    /// The claim under whose key the answer is kept.
    pub fence: Fence,
}

/// What went wrong with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A host answered with this status.
    Status(u16),
    /// The host died, or broke the connection.
    HostLost,
    /// It took longer than it may.
    TimedOut,
    /// The balancer that held it died, or lost sight of it.
    LeaseLost,
}

/// What is known of a job, as the ledger keeps it. Its request and its answer are objects beside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Which job.
    pub id: JobId,
    /// How often it has been written. A ledger's write compares it and adds one; [`step`] leaves it
    /// alone.
    pub version: u64,
    /// What it is about.
    pub state: State,
    /// How often an operator had it run anew: a final state is final within its generation.
    pub generation: u32,
    /// The fence of the latest claim.
    pub fence: Fence,
    /// Claims in this generation. They are counted before work starts and never decrease.
    pub attempts: u32,
    /// Attempts that do not count against [`Limits::attempts_max`]: a host had no room for it, or
    /// the balancer gave it back.
    pub excused: u32,
    /// Hosts that died under it in this generation.
    pub host_deaths: u32,
    /// Its predicted work.
    pub work: Work,
    /// The 90th percentile of the prediction: what the lease is measured by.
    pub work_p90: Work,
    /// How much it counts beside an interactive request, which has 1. Finite and above zero.
    pub weight: f64,
    /// Work that the host reported as done in the present attempt.
    pub done: Work,
    /// When it came in.
    pub received: Time,
    /// It is not begun after this.
    pub expires: Time,
    /// When it became final.
    pub finished: Option<Time>,
    /// Whether everybody who is to hear of its end has been told.
    pub told: bool,
    /// What went wrong last in this generation.
    pub reason: Option<Reason>,
    /// The answer that was committed.
    pub outcome: Option<Outcome>,
}

// === impl JobId ===

impl JobId {
    /// The id of these bits.
    pub const fn from_bits(bits: u128) -> JobId {
        JobId(bits)
    }

    /// Its bits.
    pub const fn to_bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "JobId({self})")
    }
}

impl FromStr for JobId {
    type Err = NotAJobId;

    fn from_str(text: &str) -> Result<JobId, NotAJobId> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err(NotAJobId);
        }
        u128::from_str_radix(text, 16).map(JobId).map_err(|_| NotAJobId)
    }
}

impl Serialize for JobId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<JobId, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

// === impl Fence ===

impl Fence {
    /// The fence of the next claim.
    #[must_use]
    pub fn next(self) -> Fence {
        Fence(self.0.saturating_add(1))
    }
}

// === impl Reason ===

impl Reason {
    /// Its name, as in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Status(_) => "status",
            Reason::HostLost => "host_lost",
            Reason::TimedOut => "timed_out",
            Reason::LeaseLost => "lease_lost",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Status(status) => write!(formatter, "a host answered {status}"),
            Reason::HostLost => formatter.write_str("the host died under it"),
            Reason::TimedOut => formatter.write_str("it ran for longer than it may"),
            Reason::LeaseLost => formatter.write_str("the balancer that held it was lost"),
        }
    }
}

// === impl Job ===

impl Job {
    /// A job that is being received, from `now` on. It has no weight of its own, may wait as long
    /// as `limits` says, and is as large as `work`, at most `work_p90` nine times of ten.
    pub fn new(id: JobId, (work, work_p90): (Work, Work), now: Time, limits: &Limits) -> Job {
        Job {
            id,
            version: 0,
            state: State::Receiving,
            generation: 0,
            fence: Fence(0),
            attempts: 0,
            excused: 0,
            host_deaths: 0,
            work,
            work_p90,
            weight: 1.0,
            done: Work::ZERO,
            received: now,
            expires: now + limits.wait_max,
            finished: None,
            told: false,
            reason: None,
            outcome: None,
        }
    }

    /// Whether its next attempt has a host for itself: hosts have died under it.
    pub fn runs_alone(&self, limits: &Limits) -> bool {
        limits.alone_after <= self.host_deaths && limits.alone_after != 0
    }

    /// Whether a further attempt may be made.
    pub fn may_try(&self, limits: &Limits) -> bool {
        self.attempts.saturating_sub(self.excused) < limits.attempts_max
            && self.host_deaths < limits.host_deaths_max
    }
}

#[cfg(test)]
mod tests;
