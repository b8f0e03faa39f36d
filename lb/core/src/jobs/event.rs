//! What happens to a job, and what is to be done about it.

use std::time::Duration;

use smallvec::SmallVec;

use super::{Fence, OwnerId};
use crate::units::{Time, Work};

/// What has happened to a job. An event may come twice, late or never: one that does not fit the
/// state, or is of an older fence, changes nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event {
    /// Its request is durable.
    Stored,
    /// A balancer takes it, for there is room on a host.
    Claimed {
        /// Which balancer.
        owner: OwnerId,
    },
    /// A host has it.
    Started {
        /// By which claim.
        fence: Fence,
    },
    /// The holder is alive and goes on: the lease is renewed.
    Renewed {
        /// By which claim.
        fence: Fence,
    },
    /// The host has done so much of it.
    Progress {
        /// By which claim.
        fence: Fence,
        /// In all of this attempt.
        done: Work,
    },
    /// A host has answered.
    Answered {
        /// By which claim.
        fence: Fence,
        /// The status of the answer.
        status: u16,
        /// Its `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The answer is durable under the key of the claim.
    Kept {
        /// By which claim.
        fence: Fence,
    },
    /// The host died under it, or broke the connection.
    HostLost {
        /// By which claim.
        fence: Fence,
    },
    /// The attempt was given up, for it took too long.
    TimedOut {
        /// By which claim.
        fence: Fence,
    },
    /// The holder drains, and gives it back with nothing held against it.
    Returned {
        /// By which claim.
        fence: Fence,
    },
    /// Nothing of it ran: the host that had room for it could not be reached, and no other had.
    Unplaced {
        /// By which claim.
        fence: Fence,
    },
    /// The holder is known to be gone, although its lease has not ended.
    LeaseLost {
        /// By which claim.
        fence: Fence,
    },
    /// Somebody does not want it any more.
    Cancel,
    /// An operator has a dead job run anew.
    Retry,
    /// Everybody who is to hear of its end has been told.
    Told {
        /// Of the end of this generation.
        generation: u32,
    },
    /// Time has passed.
    Tick,
}

/// What is to be done, after the write of the job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Give it a place in the line. Belongs to the write: one transaction, or an outbox.
    Send {
        /// It does not go before this.
        not_before: Time,
    },
    /// Run it on a host.
    Forward {
        /// By which claim.
        fence: Fence,
        /// On a host that has nothing else to do, and gets nothing else.
        alone: bool,
    },
    /// Close the connection of that attempt, where this balancer has it. What it brought is
    /// dropped.
    HangUp {
        /// By which claim.
        fence: Fence,
    },
    /// Keep the answer under the key of the claim; then [`Event::Kept`].
    Put {
        /// By which claim.
        fence: Fence,
    },
    /// Tell everybody who is to hear of its end; then [`Event::Told`].
    Notify,
    /// Delete what is not needed any more. It may be gone already.
    Delete(Object),
}

/// What is kept of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// Its place in the line. Belongs to the write, as [`Action::Send`].
    Place,
    /// An answer.
    Answer {
        /// By which claim.
        fence: Fence,
    },
    /// All of it: objects first, then its row, where nobody has written it since it was read.
    All,
}

/// What one step asks for, in order.
pub type Actions = SmallVec<[Action; 4]>;

// === impl Event ===

impl Event {
    /// The claim that it is about; `None` where it is about the job.
    pub fn fence(self) -> Option<Fence> {
        match self {
            Event::Started { fence }
            | Event::Renewed { fence }
            | Event::Progress { fence, .. }
            | Event::Answered { fence, .. }
            | Event::Kept { fence }
            | Event::HostLost { fence }
            | Event::TimedOut { fence }
            | Event::Returned { fence }
            | Event::Unplaced { fence }
            | Event::LeaseLost { fence } => Some(fence),
            Event::Stored
            | Event::Claimed { .. }
            | Event::Cancel
            | Event::Retry
            | Event::Told { .. }
            | Event::Tick => None,
        }
    }
}
