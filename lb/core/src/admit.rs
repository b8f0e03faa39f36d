//! From a ranking to a verdict: forward, Lambda, queue or shed; of a job forward, Lambda or later.

pub mod concordance;

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::estimate::Estimate;
use crate::host::{Discipline, HostId};
use crate::lambda::Offer;
use crate::policy::FunctionId;
use crate::schedule::Ranking;
use crate::share::HostOrder;
use crate::units::{Seconds, Time};

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Send it to this host: a claim has been taken.
    Forward(Placement),
    /// Run it on Lambda: a run has been started.
    Lambda(Invocation),
    /// It has a place in the waiting room, until that instant at most.
    Queue {
        /// When it is shed if no host has become free.
        until: Time,
    },
    /// Refuse it. The balancer has forgotten it.
    Shed(ShedReason),
    /// A job that no host has room for now. The balancer has forgotten it: it is to be asked again
    /// when something has ended.
    Later,
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// The host that the claim is on.
    pub host: HostId,
    /// What the request is predicted to cost.
    pub estimate: Estimate,
    /// Where it stands on the host, where there are several clients.
    pub order: Option<HostOrder>,
}

/// What runs on Lambda.
#[derive(Debug, Clone, PartialEq)]
pub struct Invocation {
    /// The function that runs it.
    pub function: FunctionId,
    /// What the request is predicted to cost.
    pub estimate: Estimate,
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ShedReason {
    /// As many requests wait as may.
    QueueFull,
    /// As many bytes of bodies wait as may.
    QueueBytes,
    /// It has waited as long as a request may.
    WaitedTooLong,
    /// It has been sent to as many hosts as a request may.
    TriesExhausted,
    /// Too many requests are being tried again already.
    RetryBudget,
    /// A host may have run a part of it, and it is not idempotent, or the response has begun.
    NotRetriable,
    /// Its answer would come too late to be of use.
    Deadline,
    /// Its client or its class has used what it may.
    Quota {
        /// After so many seconds there is room for it, if nothing else comes; at least 1.
        retry_secs: u32,
    },
    /// No route has that number. The caller's fault.
    UnknownRoute,
    /// The id is taken, or, after a failure, not known. The caller's fault.
    UnknownRequest,
}

/// Why a request waits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WaitReason {
    /// No host passes the filters.
    NoHost,
    /// Requests that wait already go before it.
    Behind,
    /// Every host that may have it is closed to it: see [`hold`](crate::schedule::hold).
    Held,
    /// Its client has as many slots of the best host as are left to it.
    Slots,
    /// The best host would keep it waiting for longer than its route's patience.
    Patience {
        /// How long it would wait there.
        wait: Seconds,
        /// The route's patience.
        patience: Duration,
    },
}

/// What admission knows of a request beyond its ranking.
#[derive(Debug, Clone, Copy)]
pub struct Admission {
    /// The route's patience.
    pub patience: Duration,
    /// Whether its estimate is of its own size and trusted: else there is no order worth waiting
    /// for.
    pub is_ordered: bool,
    /// Whether it has waited for longer than the age guard allows.
    pub overdue: bool,
}

// === impl ShedReason ===

impl ShedReason {
    /// Every reason, in order.
    pub const ALL: [ShedReason; 10] = [
        ShedReason::QueueFull,
        ShedReason::QueueBytes,
        ShedReason::WaitedTooLong,
        ShedReason::TriesExhausted,
        ShedReason::RetryBudget,
        ShedReason::NotRetriable,
        ShedReason::Deadline,
        ShedReason::Quota { retry_secs: 0 },
        ShedReason::UnknownRoute,
        ShedReason::UnknownRequest,
    ];

    /// The same without what is true of one request alone: as in [`ShedReason::ALL`].
    #[must_use]
    pub fn kind(self) -> ShedReason {
        match self {
            ShedReason::Quota { .. } => ShedReason::Quota { retry_secs: 0 },
            ShedReason::QueueFull
            | ShedReason::QueueBytes
            | ShedReason::WaitedTooLong
            | ShedReason::TriesExhausted
            | ShedReason::RetryBudget
            | ShedReason::NotRetriable
            | ShedReason::Deadline
            | ShedReason::UnknownRoute
            | ShedReason::UnknownRequest => self,
        }
    }

    /// Its name, as in metrics.
    pub fn name(self) -> &'static str {
        match self {
            ShedReason::QueueFull => "queue_full",
            ShedReason::QueueBytes => "queue_bytes",
            ShedReason::WaitedTooLong => "waited_too_long",
            ShedReason::TriesExhausted => "tries_exhausted",
            ShedReason::RetryBudget => "retry_budget",
            ShedReason::NotRetriable => "not_retriable",
            ShedReason::Deadline => "deadline",
            ShedReason::Quota { .. } => "quota",
            ShedReason::UnknownRoute => "unknown_route",
            ShedReason::UnknownRequest => "unknown_request",
        }
    }
}

impl Serialize for ShedReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for ShedReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WaitReason::NoHost => formatter.write_str("no host may be used"),
            WaitReason::Behind => formatter.write_str("requests that wait go before it"),
            WaitReason::Held => {
                formatter.write_str("held, for each host has as much of its size as it has cores")
            }
            WaitReason::Slots => {
                formatter.write_str("its client has as many slots of the best host as it may")
            }
            WaitReason::Patience { wait, patience } => {
                let (wait, patience) = (wait.0, patience.as_secs_f64());
                write!(
                    formatter,
                    "the best host would keep it waiting {wait:.6} s, patience {patience} s"
                )
            }
        }
    }
}

/// Whether a run on Lambda answers sooner than the fleet, which has work for `ahead` before it
/// turns to this request. Where no host may have the request, Lambda is sooner.
pub fn is_sooner(offer: &Offer, ranking: Option<&Ranking>, ahead: Seconds) -> bool {
    ranking.is_none_or(|ranking| {
        let delay = ranking.delay;
        offer.response < ahead + delay.wait + delay.service
    })
}

/// Whether an estimate is of one request and believed: else there is no order worth waiting for.
pub fn is_ordered(estimate: &Estimate) -> bool {
    estimate.trusted && estimate.is_individual()
}

// === impl Admission ===

impl Admission {
    /// What is known of a request with that estimate.
    pub fn new(patience: Duration, estimate: &Estimate, overdue: bool) -> Admission {
        Admission { patience, is_ordered: is_ordered(estimate), overdue }
    }

    /// Whether the request goes to the best host now, or why it waits here for a better moment.
    /// Hosts that hold requests are not asked this, unless the request may go to Lambda instead.
    ///
    /// Waiting here is never worse than waiting at a host that serves in order of arrival: shorter
    /// requests may still pass, and any host may become free. Other hosts order or share their work
    /// themselves. A request that cannot be ordered goes to those at once, as by least connections,
    /// and so does one that is overdue.
    pub fn admits(&self, ranking: &Ranking, discipline: Discipline) -> Result<(), WaitReason> {
        let (wait, patience) = (ranking.delay.wait, self.patience);
        let goes_anyhow = match discipline {
            Discipline::Fcfs => false,
            Discipline::Srpt | Discipline::Ps => !self.is_ordered || self.overdue,
        };
        if wait.0 <= patience.as_secs_f64() || goes_anyhow {
            return Ok(());
        }
        Err(WaitReason::Patience { wait, patience })
    }
}
