//! What a job is about.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Fence, OwnerId};
use crate::units::Time;

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its request is being stored. It has not been acknowledged.
    Receiving,
    /// It waits in the line. Acknowledged from here on.
    Queued {
        /// It does not go before this.
        not_before: Time,
    },
    /// A balancer has it and looks for a host.
    Leased(Lease),
    /// A host has it.
    Running(Lease),
    /// A host has answered, and the answer is being kept.
    Committing {
        /// Who has it.
        lease: Lease,
        /// The status of the answer.
        status: u16,
    },
    /// Final: answered with a status below 400.
    Succeeded,
    /// Final: answered with a status of 400 to 499.
    Failed,
    /// Final: somebody did not want it any more.
    Cancelled,
    /// Final: it was not received whole, or not begun, in time.
    Expired,
    /// Final, until an operator has it run anew: its attempts are spent, or hosts died under it.
    Dead,
}

/// Who may work on a job, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Which attempt of this generation, from 1.
    pub attempt: u32,
    /// The number of the claim.
    pub fence: Fence,
    /// Which balancer.
    pub owner: OwnerId,
    /// Since when.
    pub since: Time,
    /// The holder has lost it then, unless it is renewed.
    pub until: Time,
}

/// The state without what belongs to it: what lists are filtered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "as in State")]
pub enum Phase {
    Receiving,
    Queued,
    Leased,
    Running,
    Committing,
    Succeeded,
    Failed,
    Cancelled,
    Expired,
    Dead,
}

// === impl State ===

impl State {
    /// The state without what belongs to it.
    pub fn phase(self) -> Phase {
        match self {
            State::Receiving => Phase::Receiving,
            State::Queued { .. } => Phase::Queued,
            State::Leased(_) => Phase::Leased,
            State::Running(_) => Phase::Running,
            State::Committing { .. } => Phase::Committing,
            State::Succeeded => Phase::Succeeded,
            State::Failed => Phase::Failed,
            State::Cancelled => Phase::Cancelled,
            State::Expired => Phase::Expired,
            State::Dead => Phase::Dead,
        }
    }

    /// From when on the job may go; `None` where it does not wait.
    pub fn not_before(self) -> Option<Time> {
        if let State::Queued { not_before } = self { Some(not_before) } else { None }
    }

    /// Who has the job; `None` where nobody has.
    pub fn lease(self) -> Option<Lease> {
        match self {
            State::Leased(lease) | State::Running(lease) | State::Committing { lease, .. } => {
                Some(lease)
            }
            State::Receiving
            | State::Queued { .. }
            | State::Succeeded
            | State::Failed
            | State::Cancelled
            | State::Expired
            | State::Dead => None,
        }
    }

    /// Whether nothing becomes of the job any more by itself.
    pub fn is_final(self) -> bool {
        self.phase().is_final()
    }

    /// The same state with another lease.
    pub(super) fn with_lease(self, lease: Lease) -> State {
        match self {
            State::Leased(_) => State::Leased(lease),
            State::Running(_) => State::Running(lease),
            State::Committing { status, .. } => State::Committing { lease, status },
            State::Receiving
            | State::Queued { .. }
            | State::Succeeded
            | State::Failed
            | State::Cancelled
            | State::Expired
            | State::Dead => self,
        }
    }
}

// === impl Phase ===

impl Phase {
    /// Every phase, in the order in which a job meets them.
    pub const ALL: [Phase; 10] = [
        Phase::Receiving,
        Phase::Queued,
        Phase::Leased,
        Phase::Running,
        Phase::Committing,
        Phase::Succeeded,
        Phase::Failed,
        Phase::Cancelled,
        Phase::Expired,
        Phase::Dead,
    ];

    /// Its name, as on the wire and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Receiving => "receiving",
            Phase::Queued => "queued",
            Phase::Leased => "leased",
            Phase::Running => "running",
            Phase::Committing => "committing",
            Phase::Succeeded => "succeeded",
            Phase::Failed => "failed",
            Phase::Cancelled => "cancelled",
            Phase::Expired => "expired",
            Phase::Dead => "dead",
        }
    }

    /// The phase of that name.
    pub fn by_name(name: &str) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.name() == name)
    }

    /// Whether nothing becomes of a job in it any more by itself.
    pub fn is_final(self) -> bool {
        match self {
            Phase::Succeeded | Phase::Failed | Phase::Cancelled | Phase::Expired | Phase::Dead => {
                true
            }
            Phase::Receiving
            | Phase::Queued
            | Phase::Leased
            | Phase::Running
            | Phase::Committing => false,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
