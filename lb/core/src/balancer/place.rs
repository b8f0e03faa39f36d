//! Where a request goes: to a host, to Lambda, into the waiting room, or away.
//!
//! [`Balancer::decide`] says where, and why; nothing is taken for the request by that.
//! [`Balancer::commit`] takes the claim, the run or the place. An explanation only decides, so it
//! cannot disagree with what an arrival would get.

use std::time::Duration;

use super::{Balancer, Grant, JobAsk, Request};
use crate::admit::{self, Admission, Invocation, Placement, ShedReason, Verdict, WaitReason};
use crate::estimate::{Estimate, Source};
use crate::host::HostId;
use crate::lambda::Offer;
use crate::policy::HostPolicy;
use crate::request::{RequestId, RouteId};
use crate::schedule::hold::{self, Hold, JobOrder};
use crate::schedule::{Demand, Ranking};
use crate::units::{Seconds, Time, Work};

/// What is to become of a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Decision {
    /// It starts now.
    Start(Start),
    /// It waits.
    Wait(WaitReason),
    /// It is refused.
    Shed(ShedReason),
    /// It is a job, and comes again.
    Later,
}

/// Where a request starts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start {
    /// On this host.
    Host(HostId),
    /// On Lambda.
    Lambda(Offer),
}

// === impl Balancer ===

impl Balancer {
    /// What is to become of a request that has come in. It belongs to no map.
    ///
    /// Where the pick is random this draws the number, and the hosts that are looked at are brought
    /// to now; beyond that nothing changes.
    pub(super) fn decide(&mut self, id: RequestId, request: &Request) -> Decision {
        let start = if self.is_behind(id, request) {
            self.start_behind(request)
        } else {
            self.start_anew(request)
        };
        let decision = self.or_wait(id, request, start);
        self.unless_late(request, decision)
    }

    /// The same for a request that a host has failed: those that wait do not go before it.
    pub(super) fn decide_again(&mut self, id: RequestId, request: &Request) -> Decision {
        let start = self.start_anew(request);
        let decision = self.or_wait(id, request, start);
        self.unless_late(request, decision)
    }

    /// Where a request may start that has not waited, or why it has to wait.
    fn start_anew(&mut self, request: &Request) -> Result<Start, WaitReason> {
        match request.ask.job {
            None => self.start(request, false),
            Some(job) => self.start_job(request, job),
        }
    }

    /// Where a job may start now, or why it has to come later.
    fn start_job(&mut self, request: &Request, job: JobAsk) -> Result<Start, WaitReason> {
        let ranking = self.rank(request);
        let hold = self.hold_job(request.ask.route, &request.estimate, job);
        if let Some(ranking) = &ranking {
            let demand = demand(&self.policy.hosts, self.now, request, Some(hold));
            let best = self.fleet.get(ranking.best);
            if best.is_some_and(|host| hold.is_open(&demand, host)) {
                return Ok(Start::Host(ranking.best));
            }
            let open = self.schedule.rank_open(&demand, &mut self.fleet, &mut self.random, ranking);
            if let Some(open) = open {
                return Ok(Start::Host(open.best));
            }
        }
        let is_sooner = |offer: &Offer| admit::is_sooner(offer, ranking.as_ref(), Seconds::ZERO);
        let offer = self.spill_over(request).filter(is_sooner);
        offer.map(Start::Lambda).ok_or(WaitReason::Held)
    }

    /// Which hosts are open to a job.
    pub(super) fn hold_job(&self, route: RouteId, estimate: &Estimate, job: JobAsk) -> Hold {
        if job.alone {
            return Hold::ALONE;
        }
        let route = self.policy.routes.get(usize::from(route.0));
        let patience = route.map_or(Duration::ZERO, |route| route.patience);
        let order = self.orders(estimate).then_some(JobOrder {
            ratio: self.policy.schedule.hold.map(|ratio| ratio / job.weight()),
            patience: Seconds::from(patience),
        });
        Hold::of_job(order)
    }

    /// Where a request may start now, or why it has to wait.
    pub(super) fn start(&mut self, request: &Request, overdue: bool) -> Result<Start, WaitReason> {
        let ranking = self.rank(request);
        let refusal = match &ranking {
            None => Some(WaitReason::NoHost),
            Some(ranking) => self.admits(request, ranking, overdue).err(),
        };
        if refusal.is_some() {
            let offer = self.spill_over(request);
            let is_sooner =
                |offer: &Offer| admit::is_sooner(offer, ranking.as_ref(), Seconds::ZERO);
            if let Some(offer) = offer.filter(is_sooner) {
                return Ok(Start::Lambda(offer));
            }
        }
        let ranking = ranking.ok_or(WaitReason::NoHost)?;
        let host = match self.hold(&request.estimate, overdue) {
            None => refusal.map_or(Ok(ranking.best), Err),
            Some(hold) => self.open_host(request, &ranking, (hold, overdue), refusal),
        };
        let host = host?;
        self.check_slots(request, host)?;
        Ok(Start::Host(host))
    }

    /// How a request of that estimate is held; `None` where none is.
    pub(super) fn hold(&self, estimate: &Estimate, overdue: bool) -> Option<Hold> {
        let ratio = self.policy.schedule.hold?;
        Some(if !overdue && self.waits_for_size(estimate) {
            Hold::at(ratio)
        } else {
            Hold::NO_ORDER
        })
    }

    /// Whether a client's request is held for its size: that is known, and large enough.
    fn waits_for_size(&self, estimate: &Estimate) -> bool {
        hold::is_worth(estimate.mean) && self.orders(estimate)
    }

    /// Whether the size of a request is known: its estimate is its own and believed, and such
    /// estimates have put requests in order.
    fn orders(&self, estimate: &Estimate) -> bool {
        let is_right = match estimate.source {
            Source::Repeat => true,
            Source::Prior | Source::Declared | Source::RunningMean | Source::Model => {
                self.concordance.orders()
            }
        };
        is_right && admit::is_ordered(estimate)
    }

    /// The best host that is open to the request, or why it waits. `refusal`: why its patience
    /// would keep it from the best of all hosts.
    fn open_host(
        &mut self,
        request: &Request,
        ranking: &Ranking,
        (hold, overdue): (Hold, bool),
        refusal: Option<WaitReason>,
    ) -> Result<HostId, WaitReason> {
        let Some(best) = self.fleet.get(ranking.best) else { return Err(WaitReason::NoHost) };
        if !hold.concerns(best.discipline) {
            return refusal.map_or(Ok(ranking.best), Err);
        }
        let demand = demand(&self.policy.hosts, self.now, request, Some(hold));
        if hold.is_open(&demand, best) {
            return Ok(ranking.best);
        }
        let open = self.schedule.rank_open(&demand, &mut self.fleet, &mut self.random, ranking);
        let open = open.ok_or(WaitReason::Held)?;
        let host = self.fleet.get(open.best);
        if host.is_some_and(|host| hold.concerns(host.discipline)) {
            return Ok(open.best);
        }
        self.admits(request, &open, overdue).map(|()| open.best)
    }

    /// Carries a decision out. The request belongs to no map when this is called, and to the map of
    /// requests afterwards unless it is refused.
    pub(super) fn commit(
        &mut self,
        id: RequestId,
        mut request: Request,
        decision: Decision,
    ) -> Verdict {
        let verdict = match decision {
            Decision::Start(start) => self.begin(id, &mut request, start),
            Decision::Wait(_) => self.enqueue(id, &mut request),
            Decision::Shed(reason) => Verdict::Shed(reason),
            Decision::Later => Verdict::Later,
        };
        match verdict {
            Verdict::Forward(_) | Verdict::Lambda(_) | Verdict::Queue { .. } => {
                self.requests.insert(id, request);
            }
            Verdict::Shed(_) | Verdict::Later => {}
        }
        self.counters.count(&verdict);
        verdict
    }

    /// Takes a claim on the host, or starts the run on Lambda.
    pub(super) fn begin(&mut self, id: RequestId, request: &mut Request, start: Start) -> Verdict {
        request.tries += 1;
        let estimate = request.estimate;
        match start {
            Start::Host(host) => {
                let claimed = self.fleet.claim(self.now, host, id, estimate.mean);
                debug_assert!(claimed, "a ranked host is in the fleet");
                if request.ask.job.is_some_and(|job| job.alone) {
                    self.fleet.reserve(host, id);
                }
                request.grant = Grant::Claim(host);
                let order = self.host_order(request);
                self.charge(id, request);
                Verdict::Forward(Placement { host, estimate, order })
            }
            Start::Lambda(offer) => {
                if let Some(lambda) = &mut self.lambda {
                    request.grant = Grant::Run(lambda.start(self.now, &offer));
                }
                self.charge(id, request);
                Verdict::Lambda(Invocation { function: offer.function, estimate })
            }
        }
    }

    /// Whether a request that waits goes before this one. One that has been tried does not: it may
    /// be waiting for a host that it has not seen. Nor does one that is held for its size go before
    /// one that is not.
    fn is_behind(&self, id: RequestId, request: &Request) -> bool {
        let guard = self.is_turn_of_guard();
        let first = self.queue.first(self.now, 1, guard);
        let first = first.first().and_then(|id| self.requests.get(id));
        let is_free =
            self.policy.schedule.hold.is_some() && !self.waits_for_size(&request.estimate);
        let goes_before = |first: &Request| {
            first.tried.is_empty() && !(is_free && self.waits_for_size(&first.estimate))
        };
        first.is_some_and(goes_before)
            && self.queue.precedes(self.now, &self.waiting_of(id, request), guard)
    }

    /// Where a request may start although others that wait go before it: on Lambda, where that
    /// answers sooner than a fleet that turns to those first.
    fn start_behind(&mut self, request: &Request) -> Result<Start, WaitReason> {
        let offer = self.spill_over(request).ok_or(WaitReason::Behind)?;
        let ranking = self.rank(request);
        let ahead = self.time_of_waiting();
        // What is held would not have waited by its patience: its line is no reason for Lambda.
        let patience = self.admission(request, false).map_or(Duration::ZERO, |one| one.patience);
        let is_soon = self.policy.schedule.hold.is_some()
            && ranking
                .is_some_and(|ranking| (ahead + ranking.delay.wait).0 <= patience.as_secs_f64());
        let is_sooner = !is_soon && admit::is_sooner(&offer, ranking.as_ref(), ahead);
        if is_sooner { Ok(Start::Lambda(offer)) } else { Err(WaitReason::Behind) }
    }

    /// Where it cannot start it waits, as long as there is room.
    fn or_wait(
        &self,
        id: RequestId,
        request: &Request,
        start: Result<Start, WaitReason>,
    ) -> Decision {
        match start {
            Ok(start) => Decision::Start(start),
            Err(_) if request.ask.job.is_some() => Decision::Later,
            Err(reason) => {
                let waiting = self.waiting_of(id, request);
                match self.queue.has_room(&waiting) {
                    Err(reason) if self.queue.displaced_by(&waiting).is_empty() => {
                        Decision::Shed(reason)
                    }
                    Ok(()) | Err(_) => Decision::Wait(reason),
                }
            }
        }
    }

    fn rank(&mut self, request: &Request) -> Option<Ranking> {
        let demand = demand(&self.policy.hosts, self.now, request, None);
        self.schedule.rank(&demand, &mut self.fleet, &mut self.random)
    }

    /// Whether the request goes to the best host now by its patience, or why it waits.
    fn admits(
        &self,
        request: &Request,
        ranking: &Ranking,
        overdue: bool,
    ) -> Result<(), WaitReason> {
        let admission = self.admission(request, overdue);
        let host = self.fleet.get(ranking.best);
        let (Some(admission), Some(host)) = (admission, host) else {
            return Err(WaitReason::NoHost);
        };
        let refusal = admission.admits(ranking, host.discipline);
        refusal.or_else(|_| {
            admission.admits(&self.in_order_of_clients(request, ranking), host.discipline)
        })
    }

    /// What admission knows of the request; `None` where its route is unknown.
    fn admission(&self, request: &Request, overdue: bool) -> Option<Admission> {
        let route = self.policy.routes.get(usize::from(request.ask.route.0))?;
        Some(Admission::new(route.patience, &request.estimate, overdue))
    }

    /// What a run on Lambda would be like, where one may be.
    fn spill_over(&self, request: &Request) -> Option<Offer> {
        let lambda = self.lambda.as_ref().filter(|_| !request.lambda_failed)?;
        let function = self.policy.routes.get(usize::from(request.ask.route.0))?.function?;
        lambda.offer(self.now, function, request.estimate.mean, request.ask.event_bytes)
    }

    fn enqueue(&mut self, id: RequestId, request: &mut Request) -> Verdict {
        let waiting = self.waiting_of(id, request);
        self.displace(&waiting);
        match self.queue.push(self.now, &waiting) {
            Ok(until) => {
                request.grant = Grant::Place { since: self.now };
                Verdict::Queue { until }
            }
            Err(reason) => Verdict::Shed(reason),
        }
    }

    /// How long the whole fleet would take for what waits.
    fn time_of_waiting(&self) -> Seconds {
        let capacity = self.hosts().fold(Work::ZERO, |sum, host| sum + host.capacity());
        let waiting = self.queue.state().work.as_cpu_secs();
        Seconds(waiting / capacity.as_cpu_secs().max(f64::MIN_POSITIVE))
    }
}

/// What a request asks of a host.
pub(super) fn demand<'a>(
    hosts: &'a HostPolicy,
    now: Time,
    request: &'a Request,
    hold: Option<Hold>,
) -> Demand<'a> {
    Demand { now, estimate: request.estimate, tried: &request.tried, hosts, hold }
}
