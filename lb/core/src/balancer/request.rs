//! The events of requests: arrive, complete, fail, abandon, dispatch.

use smallvec::SmallVec;

use super::place::Decision;
use super::share::{Share, used_by, used_by_failed};
use super::{Ask, Balancer, Grant, MISSES_MAX, Request};
use crate::admit::{self, ShedReason, Verdict, WaitReason};
use crate::estimate::Source;
use crate::fleet::Path;
use crate::host::{Claim, HostId};
use crate::observe::{Failure, Observation, Outcome};
use crate::policy::QueueDiscipline;
use crate::request::RequestId;
use crate::units::Time;

// === impl Balancer ===

impl Balancer {
    /// A request has come in. Forward: a claim is taken. Queue: a place is taken, and
    /// [`Balancer::dispatch`] tells when it may go. Shed, Later: it is forgotten.
    ///
    /// `id` is unique among the requests that the balancer has not finished with.
    /// It waits behind those that wait already and go before it.
    pub fn arrive(&mut self, now: Time, id: RequestId, ask: Ask) -> Verdict {
        self.set_now(now);
        let (is_job, terms) = (ask.job.is_some(), ask.terms.clone());
        let verdict = match self.enter(id, ask) {
            Ok(mut request) => {
                self.enter_share(&mut request);
                let decision = self.decide(id, &request);
                let share = request.share;
                let verdict = self.commit(id, request, decision);
                self.leave_unless_kept(id, &share, &verdict);
                verdict
            }
            Err(reason) => {
                let verdict = match reason {
                    ShedReason::Quota { .. } if is_job => Verdict::Later,
                    reason => Verdict::Shed(reason),
                };
                self.counters.count(&verdict);
                verdict
            }
        };
        self.note_refusal(&verdict, &terms);
        // One that comes later is counted then.
        if verdict != Verdict::Later {
            self.counters.arrivals += 1;
            self.retries.deposit();
        }
        self.check_invariants();
        verdict
    }

    /// A host has answered. Releases the claim and learns, whatever the status. Returns what was
    /// learned, or `None` where it teaches nothing: no cost, or a request that is not known.
    pub fn complete(&mut self, now: Time, id: RequestId, outcome: &Outcome) -> Option<Observation> {
        self.set_now(now);
        let mut request = self.requests.remove(&id)?;
        self.counters.completions += 1;
        let claim = self.release(id, &request);
        let observation = self.learn(&request, claim, outcome);
        let used = observation.as_ref().map_or(request.estimate.mean, |seen| seen.work);
        self.settle(&mut request, used);
        self.leave_share(id, &request.share);
        if let (Some(observation), Source::Model) = (&observation, request.estimate.source) {
            self.concordance.observe(request.estimate.mean, observation.work);
        }
        self.check_invariants();
        observation
    }

    /// A host has failed a request. Releases the claim, and ranks again without the hosts that have
    /// failed it, where it may be sent again. Shed, Later: it is forgotten.
    pub fn fail(&mut self, now: Time, id: RequestId, failure: Failure) -> Verdict {
        self.set_now(now);
        *self.counters.failures.entry(failure).or_default() += 1;
        let verdict = match self.requests.remove(&id) {
            Some(mut request) => {
                let claim = self.release(id, &request);
                let used = used_by_failed(&request, claim, failure);
                self.settle(&mut request, used);
                let share = request.share;
                let verdict = self.retry(id, request, failure);
                self.leave_unless_kept(id, &share, &verdict);
                verdict
            }
            None => self.shed(ShedReason::UnknownRequest),
        };
        self.check_invariants();
        verdict
    }

    /// The client is gone: releases the claim or the place.
    pub fn abandon(&mut self, now: Time, id: RequestId) {
        self.set_now(now);
        if let Some(mut request) = self.requests.remove(&id) {
            self.counters.abandons += 1;
            let claim = self.release(id, &request);
            let used = used_by(&request, claim);
            self.settle(&mut request, used);
            self.leave_share(id, &request.share);
            if let (Grant::Run(run), Some(lambda)) = (&request.grant, &mut self.lambda) {
                lambda.abandon(run);
            }
        }
        self.check_invariants();
    }

    /// Waiting requests that may go now (Forward), or have waited too long (Shed). To be called
    /// when there may be room: after a completion, when a host is ready, and with every tick.
    pub fn dispatch(&mut self, now: Time) -> Vec<(RequestId, Verdict)> {
        self.set_now(now);
        let mut verdicts = Vec::new();
        for id in std::mem::take(&mut self.displaced) {
            verdicts.push((id, self.shed(ShedReason::QueueFull)));
        }
        while let Some(id) = self.queue.expired(self.now) {
            let is_late = self.queue.is_late(self.now, id);
            self.forget_waiting(id);
            let reason = if is_late { ShedReason::Deadline } else { ShedReason::WaitedTooLong };
            verdicts.push((id, self.shed(reason)));
        }
        while let Some(given_up) = self.give_up_one() {
            verdicts.push(given_up);
        }
        while let Some((id, verdict)) = self.dispatch_one() {
            self.counters.count(&verdict);
            verdicts.push((id, verdict));
        }
        self.check_invariants();
        verdicts
    }

    /// The first waiting request that may go now.
    fn dispatch_one(&mut self) -> Option<(RequestId, Verdict)> {
        self.turns().iter().find_map(|guard| self.dispatch_one_of(*guard))
    }

    /// The first that may go now, where the age `guard` has its turn or has not. A few that may not
    /// are passed over: the next one may go to a host that has failed those.
    fn dispatch_one_of(&mut self, guard: bool) -> Option<(RequestId, Verdict)> {
        self.refresh_lines();
        let by_size = match self.policy.queue.discipline {
            QueueDiscipline::Sept => true,
            QueueDiscipline::Fcfs | QueueDiscipline::Edf => false,
        };
        for id in self.queue.first(self.now, MISSES_MAX, guard) {
            let overdue = guard && self.queue.is_overdue(self.now, id);
            let Some(mut request) = self.requests.remove(&id) else { continue };
            self.forgive(&mut request);
            self.doubt(&mut request);
            let start = self.start(&request, overdue);
            let is_held = matches!(start, Err(WaitReason::Held));
            // By the shortest first, those that come after one that is held are larger.
            let holds_all = is_held
                && by_size
                && request.tried.is_empty()
                && !overdue
                && !self.queue.is_of_several();
            if let Ok(start) = start
                && let Decision::Shed(reason) = self.unless_late(&request, Decision::Start(start))
            {
                self.requests.insert(id, request);
                self.forget_waiting(id);
                return Some((id, Verdict::Shed(reason)));
            }
            let verdict = start.ok().map(|start| self.begin(id, &mut request, start));
            self.requests.insert(id, request);
            if let Some(verdict) = verdict {
                self.guard.started(id, overdue);
                self.queue.remove(id);
                return Some((id, verdict));
            }
            if holds_all {
                return None;
            }
        }
        None
    }

    /// Lets a request that waits go to hosts that have failed it: to those that have been out since
    /// and are back, and after a while to all.
    fn forgive(&self, request: &mut Request) {
        match request.grant {
            Grant::Place { since } => {
                if self.policy.hosts.eject_base <= self.now.since(since) {
                    request.tried.clear();
                }
                request.tried.retain(|id| !self.is_back(*id, since));
            }
            Grant::Claim(_) | Grant::Run(_) | Grant::Nothing => {}
        }
    }

    /// An estimate of a waiting request that is believed no longer gives way to the one that such a
    /// request would get now.
    fn doubt(&self, request: &mut Request) {
        if !admit::is_ordered(&request.estimate) {
            return;
        }
        let predictor = self.predictor(request.ask.route);
        let estimate = predictor.estimate(&request.ask.features, request.ask.known);
        if !admit::is_ordered(&estimate) {
            request.estimate = estimate;
        }
    }

    /// Whether a host has been out since then and is back.
    pub(super) fn is_back(&self, host: HostId, since: Time) -> bool {
        let host = self.fleet.get(host);
        host.is_some_and(|host| since < host.ejected_until && !host.is_ejected(self.now))
    }

    /// The request with its estimate, or why it cannot be one.
    pub(super) fn enter(&self, id: RequestId, ask: Ask) -> Result<Request, ShedReason> {
        if self.policy.routes.len() <= usize::from(ask.route.0) {
            return Err(ShedReason::UnknownRoute);
        }
        if self.requests.contains_key(&id) {
            return Err(ShedReason::UnknownRequest);
        }
        let estimate = self.predictor(ask.route).estimate(&ask.features, ask.known);
        self.check_quota(&ask.terms, estimate.mean)?;
        let standing = self.shares.standing(self.now, &ask.terms);
        let mut request = Request {
            ask,
            estimate,
            arrived: self.now,
            tried: SmallVec::new(),
            tries: 0,
            lambda_failed: false,
            grant: Grant::Nothing,
            share: Share::new(standing, estimate.mean),
        };
        self.set_deadline(&mut request);
        Ok(request)
    }

    /// A request that is refused or comes later has left.
    fn leave_unless_kept(&mut self, id: RequestId, share: &Share, verdict: &Verdict) {
        match verdict {
            Verdict::Shed(_) => self.leave_share(id, share),
            Verdict::Later => {
                self.leave_share(id, share);
                self.shares.comes_again(share.standing());
            }
            Verdict::Forward(_) | Verdict::Lambda(_) | Verdict::Queue { .. } => {}
        }
    }

    /// Gives back what a request was granted. Called once for each request that leaves the map.
    /// Returns the claim, where it was one.
    fn release(&mut self, id: RequestId, request: &Request) -> Option<Claim> {
        self.guard.ended(id);
        match request.grant {
            Grant::Claim(host) => return self.fleet.release(self.now, host, id),
            Grant::Place { .. } => {
                self.queue.remove(id);
            }
            Grant::Run(run) => {
                if let Some(lambda) = &mut self.lambda {
                    lambda.end(self.now, &run);
                }
            }
            Grant::Nothing => {}
        }
        None
    }

    fn retry(&mut self, id: RequestId, mut request: Request, failure: Failure) -> Verdict {
        // What Lambda has not run multiplies no load: it is as if it had not been sent there.
        let is_untried = matches!(request.grant, Grant::Run(_)) && failure == Failure::Refused;
        match request.grant {
            Grant::Claim(_) if failure == Failure::Stale => {}
            Grant::Claim(host) => {
                // What cannot be reached has seen nothing of what was asked for.
                let is_unseen = failure == Failure::Connect;
                let path = if is_unseen { Path::UNKNOWN } else { request.ask.path };
                self.counters.ejections += u64::from(self.fleet.fail(self.now, host, path));
                request.tried.push(host);
            }
            Grant::Run(run) => {
                if let Some(lambda) = &mut self.lambda {
                    lambda.fail(self.now, &run, failure, &self.policy.hosts);
                }
                request.lambda_failed = true;
                request.tries -= usize::from(is_untried);
            }
            Grant::Place { .. } | Grant::Nothing => {}
        }
        let Some(route) = self.policy.routes.get(usize::from(request.ask.route.0)) else {
            return self.shed(ShedReason::UnknownRoute);
        };
        let is_idempotent =
            route.idempotent.unwrap_or(request.ask.is_idempotent) && request.ask.job.is_none();
        if !failure.may_retry(is_idempotent) {
            return self.shed(ShedReason::NotRetriable);
        }
        let tries_max = route.tries_max.unwrap_or(self.policy.retry.tries_max);
        if tries_max.max(1) <= request.tries {
            return self.shed(ShedReason::TriesExhausted);
        }
        if !is_untried && !self.retries.withdraw(self.now) {
            return self.shed(ShedReason::RetryBudget);
        }
        self.counters.retries += 1;
        let decision = self.decide_again(id, &request);
        let verdict = self.commit(id, request, decision);
        if matches!(verdict, Verdict::Queue { .. }) {
            self.hope_for(id);
        }
        verdict
    }

    pub(super) fn shed(&mut self, reason: ShedReason) -> Verdict {
        let verdict = Verdict::Shed(reason);
        self.counters.count(&verdict);
        verdict
    }
}
