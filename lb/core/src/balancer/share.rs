//! Whose requests are, what they are charged, and until when they are of use.

use crate::admit::{ShedReason, Verdict, WaitReason, is_ordered};
use crate::host::{Claim, Discipline, HostId};
use crate::observe::Failure;
use crate::queue::Waiting;
use crate::request::RequestId;
use crate::schedule::{Delay, Ranking};
use crate::share::{Charge, HostOrder, QuotaReached, Shares, Standing, Terms, slots_left_to};
use crate::units::{Speed, Time, Work};

use super::place::{Decision, Start, demand};
use super::{Balancer, Grant, Request};

/// What the balancer keeps of a request for its client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    standing: Standing,
    /// What it was taken as.
    entered: Work,
    /// What tries that are over have used.
    used: Work,
    charge: Option<Charge>,
    /// When it is expected to end, since its last start.
    ends: Time,
    /// When its answer has to be there to be of use.
    answer_by: Option<Time>,
    /// When it has to have started for that.
    start_by: Option<Time>,
}

// === impl Share ===

impl Share {
    /// Of a request that has not been entered.
    pub(super) fn new(standing: Standing, entered: Work) -> Share {
        Share {
            standing,
            entered,
            used: Work::ZERO,
            charge: None,
            ends: Time::ZERO,
            answer_by: None,
            start_by: None,
        }
    }

    /// Where its client stood when it came in.
    pub(super) fn standing(&self) -> Standing {
        self.standing
    }
}

// === impl Balancer ===

impl Balancer {
    /// Where a job of so much work stands in its line, the lower first; see [`Shares::turn`].
    pub fn turn_in_line(
        &mut self,
        now: Time,
        terms: &Terms,
        work: Work,
    ) -> Option<(u8, (u64, u64))> {
        self.set_now(now);
        self.shares.turn(self.now, terms, work)
    }

    /// The clients, and what each has had.
    pub fn shares(&self) -> &Shares {
        &self.shares
    }

    /// Whether a request gave way to another one: [`Balancer::dispatch`] tells which.
    pub fn has_displaced(&self) -> bool {
        !self.displaced.is_empty()
    }

    /// What the waiting room is told of a request.
    pub(super) fn waiting_of(&self, id: RequestId, request: &Request) -> Waiting {
        let weight = request.ask.job.map_or(1.0, |job| job.weight());
        let (arrived, work) = (request.arrived, request.estimate.mean * (1.0 / weight));
        let account = request.share.standing.account;
        let excess = self.shares.excess(account);
        let standing = Standing { excess, ..request.share.standing };
        Waiting {
            id,
            arrived,
            work,
            bytes: request.ask.body_bytes,
            standing,
            excess_secs: self.shares.excess_secs(self.now, account),
            size: self.shares.size(standing, arrived, work),
            start_by: request.share.start_by,
        }
    }

    /// Whether the quotas of its client and class leave room for a request.
    pub(super) fn check_quota(&self, terms: &Terms, work: Work) -> Result<(), ShedReason> {
        let checked = self.shares.check(self.now, terms, work);
        checked.map_err(|QuotaReached { retry_after }| {
            let secs = retry_after.as_secs_f64().ceil().clamp(1.0, f64::from(u32::MAX));
            ShedReason::Quota { retry_secs: secs as u32 }
        })
    }

    /// Notes until when the request of `ask` is of use.
    pub(super) fn set_deadline(&self, request: &mut Request) {
        // A job that comes too late for one start has others.
        let left = request.ask.terms.time_left.filter(|_| request.ask.job.is_none());
        let Some(left) = left else { return };
        let answer_by = request.arrived + left;
        let service = service_p90(request, self.fastest());
        let start_by = Time::from_nanos(answer_by.as_nanos().saturating_sub(service));
        request.share.answer_by = Some(answer_by);
        request.share.start_by = Some(start_by.max(request.arrived));
    }

    /// The speed of the fastest host there is.
    fn fastest(&self) -> Speed {
        let speeds = self.hosts().map(|host| host.speed);
        let faster = |a: Speed, b: Speed| {
            if a.as_reference_cores() < b.as_reference_cores() { b } else { a }
        };
        speeds.reduce(faster).unwrap_or(Speed::ONE)
    }

    /// The decision, unless the answer would come too late by it.
    pub(super) fn unless_late(&self, request: &Request, decision: Decision) -> Decision {
        let Some(answer_by) = request.share.answer_by else { return decision };
        let comes = match decision {
            Decision::Start(Start::Host(host)) => self.end_p90(request, host),
            Decision::Start(Start::Lambda(offer)) => self.now + offer.response.to_duration(),
            Decision::Wait(_) => match request.share.start_by {
                Some(start_by) if start_by <= self.now => answer_by,
                Some(_) | None => self.now,
            },
            Decision::Shed(_) | Decision::Later => self.now,
        };
        if comes < answer_by { decision } else { Decision::Shed(ShedReason::Deadline) }
    }

    /// When the request would have its answer from that host, at the 90th percentile.
    fn end_p90(&self, request: &Request, id: HostId) -> Time {
        let Some(host) = self.fleet.get(id) else { return self.now };
        let wait = self.wait_at(request, id).as_nanos() as u64;
        let service = service_p90(request, host.speed);
        Time::from_nanos(self.now.as_nanos().saturating_add(wait).saturating_add(service))
    }

    /// How long the request would wait at that host.
    fn wait_at(&self, request: &Request, id: HostId) -> std::time::Duration {
        let Some(host) = self.fleet.get(id) else { return std::time::Duration::ZERO };
        let demand = demand(&self.policy.hosts, self.now, request, None);
        let wait = match (host.discipline, self.host_order(request)) {
            (Discipline::Srpt, Some(order)) if is_ordered(&request.estimate) => {
                Delay::wait_in_order(&demand, host, order)
            }
            (Discipline::Srpt | Discipline::Ps | Discipline::Fcfs, _) => {
                Delay::of(&demand, host).wait
            }
        };
        wait.to_duration()
    }

    /// Where the request would stand on a host; `None` where there is one client.
    pub(super) fn host_order(&self, request: &Request) -> Option<HostOrder> {
        self.shares.host_order(self.now, request.share.standing)
    }

    /// The ranking with the wait that the request has at the best host, which orders its requests
    /// by client as it is told.
    pub(super) fn in_order_of_clients(&self, request: &Request, ranking: &Ranking) -> Ranking {
        let host = self.fleet.get(ranking.best);
        let (Some(order), Some(host)) = (self.host_order(request), host) else { return *ranking };
        if host.discipline != Discipline::Srpt || !is_ordered(&request.estimate) {
            return *ranking;
        }
        let demand = demand(&self.policy.hosts, self.now, request, None);
        ranking.with_wait(Delay::wait_in_order(&demand, host, order))
    }

    /// Whether its client may have one more slot of that host. Where a core is free anybody may.
    pub(super) fn check_slots(&self, request: &Request, id: HostId) -> Result<(), WaitReason> {
        let Some(host) = self.fleet.get(id).filter(|_| self.shares.is_on()) else { return Ok(()) };
        if host.n_requests() < host.cores {
            return Ok(());
        }
        let account = request.share.standing.account;
        let is_own = |claim: &&Claim| claim.owner.is_some_and(|(owner, _)| owner == account);
        let own = host.claims.iter().filter(is_own).count() as u32;
        let slots = self.policy.hosts.in_flight_max_per_core.saturating_mul(host.cores as usize);
        let slots = u32::try_from(slots).unwrap_or(u32::MAX);
        let free = slots.saturating_sub(host.n_requests());
        if slots_left_to(own, free) { Ok(()) } else { Err(WaitReason::Slots) }
    }

    /// Sees to it that the first clients in line stand where they belong: the excess of each
    /// depends on what others have had. Those that stand too far back come forward when they are
    /// next charged.
    pub(super) fn refresh_lines(&mut self) {
        /// Clients that change places at once, beyond which the order is as good as it was.
        const MOST: usize = 8;
        for _ in 0..MOST {
            let Some(first) = self.queue.first_client() else { return };
            if !self.queue.stand(first, self.shares.excess(first)) {
                return;
            }
        }
    }

    /// The request has come in: its client has it from now on.
    pub(super) fn enter_share(&mut self, request: &mut Request) {
        let work = request.estimate.mean;
        request.share.standing = self.shares.enter(self.now, &request.ask.terms, work);
        self.refresh_lines();
    }

    /// The request starts: its client is charged for it.
    pub(super) fn charge(&mut self, id: RequestId, request: &mut Request) {
        if !self.shares.is_on() {
            return;
        }
        let standing = request.share.standing;
        request.share.charge = self.shares.start(self.now, standing, request.estimate.mean);
        if let (Grant::Claim(host), Some(order)) = (request.grant, self.host_order(request)) {
            self.fleet.own(host, id, (standing.account, order));
        }
        let host = match request.grant {
            Grant::Claim(host) => self.fleet.get(host),
            Grant::Run(_) | Grant::Place { .. } | Grant::Nothing => None,
        };
        let service = service_p90(request, host.map_or(Speed::ONE, |host| host.speed));
        request.share.ends = Time::from_nanos(self.now.as_nanos().saturating_add(service));
        self.shares.expect_end(standing, id, request.share.ends);
        self.queue.stand(standing.account, self.shares.excess(standing.account));
    }

    /// A try is over that has used so much.
    pub(super) fn settle(&mut self, request: &mut Request, used: Work) {
        request.share.used += used;
        let standing = request.share.standing;
        if let Some(charge) = request.share.charge.take() {
            self.shares.settle(standing, charge, used);
            self.queue.stand(standing.account, self.shares.excess(standing.account));
        }
    }

    /// The request has left the balancer.
    pub(super) fn leave_share(&mut self, id: RequestId, share: &Share) {
        let (entered, used) = (share.entered, share.used);
        self.shares.leave(self.now, share.standing, (id, share.ends), (entered, used));
    }

    /// A request that has come in is refused.
    pub(super) fn note_refusal(&mut self, verdict: &Verdict, terms: &Terms) {
        match verdict {
            Verdict::Shed(_) => self.shares.refuse(self.now, terms),
            Verdict::Forward(_) | Verdict::Lambda(_) | Verdict::Queue { .. } | Verdict::Later => {}
        }
    }

    /// Takes a request that waits out of the balancer.
    pub(super) fn forget_waiting(&mut self, id: RequestId) {
        self.queue.remove(id);
        if let Some(request) = self.requests.remove(&id) {
            self.shares.refuse(self.now, &request.ask.terms);
            self.leave_share(id, &request.share);
        }
    }

    /// Makes room for a request, where others give way to it.
    pub(super) fn displace(&mut self, waiting: &Waiting) {
        if self.queue.has_room(waiting).is_ok() {
            return;
        }
        for id in self.queue.displaced_by(waiting) {
            self.forget_waiting(id);
            self.displaced.push(id);
        }
    }
}

/// The 90th percentile of its service time at that speed, in nanoseconds; 0 where its estimate is
/// not believed.
fn service_p90(request: &Request, speed: Speed) -> u64 {
    if !is_ordered(&request.estimate) {
        return 0;
    }
    (request.estimate.p90.as_cpu_secs() / speed.as_reference_cores() * 1e9) as u64
}

/// What a try has used that was given up: of a run on Lambda that is not known, and it counts as
/// estimated.
pub(super) fn used_by(request: &Request, claim: Option<Claim>) -> Work {
    match (request.grant, claim) {
        (Grant::Claim(_), Some(claim)) => claim.expected.saturating_sub(claim.remaining),
        (Grant::Run(_), _) => request.estimate.mean,
        (Grant::Claim(_) | Grant::Place { .. } | Grant::Nothing, _) => Work::ZERO,
    }
}

/// The same of a try that has failed.
pub(super) fn used_by_failed(request: &Request, claim: Option<Claim>, failure: Failure) -> Work {
    match failure {
        Failure::Connect | Failure::Refused | Failure::Stale => Work::ZERO,
        Failure::BeforeResponse | Failure::Timeout | Failure::AfterResponse | Failure::TooLong => {
            used_by(request, claim)
        }
    }
}
