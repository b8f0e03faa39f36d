//! Hold: a request is kept at the balancer where going now would only make a host share further, or
//! wait there in a line that nobody can order any more.
//!
//! Most services run on ordinary servers. What such a server has been given it runs all at once
//! (`ps`) or in order of arrival (`fcfs`). The only order that its requests can have is the one in
//! which they are sent. So a host is *closed* to a request of predicted work `x`
//!
//! - `ps`: while it has as many requests as cores whose predicted remaining work is at most `ratio
//!   · x`;
//! - `fcfs`: while the request would wait there for longer than a round trip. A host is never given
//!   more than it can run, but for what covers the time until the end of one is heard of here;
//! - `srpt`: never. Such hosts order their requests themselves.
//!
//! Of the hosts that are open to it the best one gets the request, by the weighers. Where none is,
//! it waits in the waiting room, shortest first, and is asked again at each end of a request. Small
//! requests pass giants freely. Giants are let in as many at a time as a host has cores, so that a
//! host never shares among many of them. No host with a free core is closed.
//!
//! # What it means for
//!
//! - *Unknown sizes and bad estimates*: a prior, a running mean, or what the drift gate holds back,
//!   says nothing of one request. Nor do estimates that have not put requests in order of late
//!   ([`concordance`](crate::admit::concordance)). Such a request goes to `ps` hosts at once, by
//!   least connections, and is not behind those that are held. One that is held when its estimate
//!   is believed no longer is held no longer. On `fcfs` hosts every request waits here, because it
//!   would wait there as well.
//! - *Small requests*: one of less than a millisecond of work is not held. Until a host that has
//!   answered gets the next request it has nothing to do, and that alone takes as long. It goes to
//!   `ps` hosts at once, as one whose size is not known.
//! - *Estimates that are off*: a claim that outlives its estimate doubles it. So a giant that was
//!   mistaken for a small request closes its host until it has outlived the estimate, no longer. A
//!   small request that was mistaken for a giant waits until it is its turn, or it is overdue.
//! - *The age guard*: a request that is overdue goes to a `ps` host as if it could not be ordered.
//!   What is held is overdue at the latest when three quarters of the longest wait have passed. The
//!   guard has half of the cores: what finds none of them free may be refused at the longest wait.
//! - *Several balancers*: requests of others count as they were last reported, all of one size, and
//!   age as our own do. A host may be given one too many by each balancer, and may stay closed for
//!   a little after it has room. Held requests are asked again at each report, and every 20 ms.
//! - *Streaming routes*: the balancer is asked before the body is read. So only the head is held;
//!   the body stays with the client.
//! - *Retries*: a request that a host has failed is held as any other, by the hosts that have not
//!   failed it. It keeps its age, and those that come later are not behind it.
//! - *Lambda*: whether a request spills over is decided before, and as if nothing were held: where
//!   the best host would keep it waiting for longer than the route's patience, and the function
//!   answers sooner.
//! - *Large fleets*: a host's glance says whether it may be open, so that closed hosts are not
//!   looked at.
//!
//! # Decision: hosts that share their time are spared from many large requests
//!
//! Ordinary servers are what nearly everybody runs, and to place requests by their cost gains
//! nothing there over least connections. Giants need not all be at the hosts at once. In the
//! simulator a ratio of 1 is the worst of those tried at high load, and 8 is the best there. From
//! there on larger ratios give a lower mean response and a higher slowdown, until it is that of
//! first come, first served. At half load a ratio of 8 keeps small requests waiting for what would
//! only have halved their speed: their slowdown is worse than by least connections. A ratio of 4
//! has nearly all of the gain at high load, and no loss at low load. Least connections with a limit
//! of one request per core and the shortest first (which is an infinite ratio) lets giants take
//! every core at times. Cost: what is held
//! takes memory here, and a held request is ranked twice. Look again when hosts say how they share
//! their cores.

use super::{Delay, Demand};
use crate::fleet::Glance;
use crate::host::{Discipline, HostState};
use crate::units::{Seconds, Work};

/// The least work that is worth holding, in CPU-seconds: a few times what passes between the end of
/// one request and the start of the next, two ways through a network and a decision.
const WORK_MIN_SECS: f64 = 1e-3;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hold {
    /// A claim on a `ps` host counts when its remaining work is at most this multiple of the
    /// request's. Finite and not negative; where it is 0, `ps` hosts are open.
    ratio: f64,
    /// Whose request it is.
    room: Room,
}

/// What a host must have room for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Room {
    /// A client's request: see the module.
    Client,
    /// A job.
    Job(Option<JobOrder>),
    /// A job that is to be alone.
    Alone,
}

/// How a job is let in where no core is free. Without it a job goes to free cores only: its size is
/// not known, or not believed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JobOrder {
    /// On `ps` hosts, as of a client's request: divided by the job's weight, so that a job is let
    /// in as a request would be that is as much larger. `None`: only to a free core.
    pub ratio: Option<f64>,
    /// On `srpt` hosts: while it would wait there for at most this.
    pub patience: Seconds,
}

/// Whether a client's request of so much work may be held for its size.
pub fn is_worth(work: Work) -> bool {
    WORK_MIN_SECS <= work.as_cpu_secs()
}

// === impl Hold ===

impl Hold {
    /// For a request that cannot be ordered, or may wait no longer: `ps` hosts are open to it.
    pub const NO_ORDER: Hold = Hold::at(0.0);

    /// For a job that is to be alone: hosts are open that have nothing to do.
    pub const ALONE: Hold = Hold { ratio: 0.0, room: Room::Alone };

    /// For a client's request, with that ratio.
    pub const fn at(ratio: f64) -> Hold {
        Hold { ratio, room: Room::Client }
    }

    /// For a job.
    pub const fn of_job(order: Option<JobOrder>) -> Hold {
        let ratio = match order {
            Some(JobOrder { ratio: Some(ratio), .. }) => ratio,
            Some(JobOrder { ratio: None, .. }) | None => 0.0,
        };
        Hold { ratio, room: Room::Job(order) }
    }

    /// Whether hosts of that discipline are ever closed to a client's request. Those that are not
    /// go by patience.
    pub fn concerns(self, discipline: Discipline) -> bool {
        match discipline {
            Discipline::Ps | Discipline::Fcfs => true,
            Discipline::Srpt => false,
        }
    }

    /// Whether `host` is open to the request of `demand`.
    pub fn is_open(self, demand: &Demand<'_>, host: &HostState) -> bool {
        let has_core = host.claims.len() < host.cores as usize;
        match (self.room, host.discipline) {
            (Room::Alone, Discipline::Srpt | Discipline::Ps | Discipline::Fcfs) => {
                host.claims.is_empty()
            }
            (Room::Job(order), Discipline::Srpt) => {
                has_core || order.is_some_and(|one| Delay::of(demand, host).wait <= one.patience)
            }
            (Room::Job(order), Discipline::Ps) => {
                has_core
                    || order.is_some_and(|one| one.ratio.is_some()) && self.passes(demand, host)
            }
            (Room::Client, Discipline::Srpt) => true,
            (Room::Client, Discipline::Ps) => self.passes(demand, host),
            (Room::Client | Room::Job(_), Discipline::Fcfs) => {
                has_core || Delay::of(demand, host).wait <= host.round_trip
            }
        }
    }

    /// Whether fewer claims on a `ps` host than it has cores are small beside the request.
    fn passes(self, demand: &Demand<'_>, host: &HostState) -> bool {
        let most = self.most(demand);
        let last = host.claims.get(host.cores as usize - 1);
        last.is_none_or(|claim| most < claim.remaining.as_cpu_secs())
    }

    /// Whether a host of that glance may be open to the request of `demand`. Only where that is
    /// certain it says that it is not.
    pub fn may_be_open(self, demand: &Demand<'_>, glance: &Glance) -> bool {
        match self.room {
            // Our own claims do not end by themselves.
            Room::Alone => return glance.crowd_own <= 0.0,
            // A host with a free core is open whatever the others are.
            Room::Job(_) if glance.rounds == 0 => return true,
            Room::Client | Room::Job(_) => {}
        }
        // Until a claim may have ended, what each has left only falls.
        let is_shared = demand.now < glance.busy_until && glance.sharer <= self.most(demand);
        let is_full = demand.estimate.trusted && demand.now < glance.opens_at;
        !is_shared && !is_full
    }

    /// What counts as small beside the request, in CPU-seconds.
    fn most(self, demand: &Demand<'_>) -> f64 {
        self.ratio * demand.estimate.mean.as_cpu_secs()
    }
}

#[cfg(test)]
mod tests;
