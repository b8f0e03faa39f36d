//! The events of requests: arrive, complete, fail, abandon, dispatch.

use smallvec::SmallVec;

use super::{Balancer, Grant, MISSES_MAX, Request};
use crate::admit::{ShedReason, Verdict};
use crate::fleet::Completion;
use crate::host::HostId;
use crate::lambda::{Ended, Function};
use crate::observe::{Failure, Observation, Outcome, RequestCost};
use crate::request::{Ask, RequestId};
use crate::units::{Speed, Time};

// === impl Balancer ===

impl Balancer {
    /// A request has come in. Forward: a claim is taken. Queue: a place is taken, and
    /// [`Balancer::dispatch`] tells when it may go. Shed: it is forgotten.
    ///
    /// `id` is unique among the requests that the balancer has not finished with.
    /// It waits behind those that wait already and go before it.
    pub fn arrive(&mut self, now: Time, id: RequestId, ask: Ask) -> Verdict {
        self.set_now(now);
        self.counters.arrivals += 1;
        self.retries.deposit();
        let verdict = match self.enter(id, ask) {
            Ok(request) => {
                let decision = self.decide(id, &request);
                self.commit(id, request, decision)
            }
            Err(reason) => {
                let verdict = Verdict::Shed(reason);
                self.counters.count(&verdict);
                verdict
            }
        };
        self.check_invariants();
        verdict
    }

    /// A host has answered. Releases the claim and learns. Returns what was learned, or `None`
    /// where it teaches nothing: no success, no cost, or a request that is not known.
    pub fn complete(&mut self, now: Time, id: RequestId, outcome: &Outcome) -> Option<Observation> {
        self.set_now(now);
        let request = self.requests.remove(&id)?;
        self.counters.completions += 1;
        self.release(id, &request);
        let observation = self.learn(&request, outcome);
        self.check_invariants();
        observation
    }

    /// A host has failed a request. Releases the claim, and ranks again without the hosts that have
    /// failed it, where it may be sent again. Shed: it is forgotten.
    pub fn fail(&mut self, now: Time, id: RequestId, failure: Failure) -> Verdict {
        self.set_now(now);
        *self.counters.failures.entry(failure).or_default() += 1;
        let verdict = match self.requests.remove(&id) {
            Some(request) => self.retry(id, request, failure),
            None => self.shed(ShedReason::UnknownRequest),
        };
        self.check_invariants();
        verdict
    }

    /// The client is gone: releases the claim or the place.
    pub fn abandon(&mut self, now: Time, id: RequestId) {
        self.set_now(now);
        if let Some(request) = self.requests.remove(&id) {
            self.counters.abandons += 1;
            self.release(id, &request);
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
        while let Some(id) = self.queue.expired(self.now) {
            self.queue.remove(id);
            self.requests.remove(&id);
            verdicts.push((id, self.shed(ShedReason::WaitedTooLong)));
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

    /// The first waiting request that may go now. A few that may not are passed over: the next one
    /// may go to a host that has failed those.
    fn dispatch_one(&mut self) -> Option<(RequestId, Verdict)> {
        for id in self.queue.first(self.now, MISSES_MAX) {
            let overdue = self.queue.is_overdue(self.now, id);
            let Some(mut request) = self.requests.remove(&id) else { continue };
            self.forgive(&mut request);
            let start = self.start(&request, overdue).ok();
            let verdict = start.map(|start| self.begin(id, &mut request, start));
            self.requests.insert(id, request);
            if let Some(verdict) = verdict {
                self.queue.remove(id);
                return Some((id, verdict));
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
        Ok(Request {
            ask,
            estimate,
            arrived: self.now,
            tried: SmallVec::new(),
            tries: 0,
            lambda_failed: false,
            grant: Grant::Nothing,
        })
    }

    /// Gives back what a request was granted. Called once for each request that leaves the map.
    fn release(&mut self, id: RequestId, request: &Request) {
        match request.grant {
            Grant::Claim(host) => {
                self.fleet.release(self.now, host, id);
            }
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
    }

    fn retry(&mut self, id: RequestId, mut request: Request, failure: Failure) -> Verdict {
        self.release(id, &request);
        // What Lambda has not run multiplies no load: it is as if it had not been sent there.
        let is_untried = matches!(request.grant, Grant::Run(_)) && failure == Failure::Refused;
        match request.grant {
            Grant::Claim(_) if failure == Failure::Stale => {}
            Grant::Claim(host) => {
                self.counters.ejections += u64::from(self.fleet.fail(self.now, host));
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
        if !failure.may_retry(route.idempotent) {
            return self.shed(ShedReason::NotRetriable);
        }
        if self.policy.retry.tries_max.max(1) <= request.tries {
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

    /// What an answer teaches of where it ran and of its route.
    fn learn(&mut self, request: &Request, outcome: &Outcome) -> Option<Observation> {
        let cost = outcome.cost.filter(|_| outcome.success);
        let cost = cost.map(|cost| self.comparable(request, cost, outcome.build));
        let speed = self.speed_of(request);
        let counted = cost.and_then(|cost| self.predictor(request.ask.route).counted(&cost));
        let priced = cost.and_then(|cost| self.predictor(request.ask.route).price(&cost, speed));
        let cpu_secs = cost.and_then(|cost| cost.cpu_seconds);
        let elapsed = outcome.elapsed;
        match request.grant {
            Grant::Claim(id) => {
                let completion = Completion { counted, cpu_secs, elapsed };
                if outcome.success {
                    self.fleet.complete(self.now, id, &completion);
                }
            }
            Grant::Run(run) => {
                let work = counted.or(request.estimate.trusted_mean()).filter(|_| outcome.success);
                if let Some(lambda) = &mut self.lambda {
                    let cold_start = outcome.cold_start;
                    lambda.complete(self.now, &run, &Ended { work, cpu_secs, elapsed, cold_start });
                }
            }
            Grant::Place { .. } | Grant::Nothing => {}
        }
        let observation = Observation {
            route: request.ask.route,
            features: request.ask.features.clone(),
            estimated: Some((request.estimate.mean, request.estimate.p90)),
            cost: cost?,
            work: priced?,
            speed,
            build: outcome.build,
        };
        if let Some(route) = self.route_mut(observation.route) {
            route.predictor.observe(&observation);
        }
        Some(observation)
    }

    /// What of a cost compares with that of the hosts: counts of a function that is another build
    /// than they are say nothing, its CPU time does.
    fn comparable(&self, request: &Request, cost: RequestCost, build: u64) -> RequestCost {
        match request.grant {
            Grant::Run(_) if !self.predictor(request.ask.route).compares(build) => {
                RequestCost { cpu_seconds: cost.cpu_seconds, ..RequestCost::default() }
            }
            Grant::Run(_) | Grant::Claim(_) | Grant::Place { .. } | Grant::Nothing => cost,
        }
    }

    /// Speed of the core that ran `request`, as it is believed.
    fn speed_of(&self, request: &Request) -> Speed {
        match request.grant {
            Grant::Claim(id) => self.fleet.get(id).map(|host| host.speed),
            Grant::Run(run) => {
                let lambda = self.lambda.as_ref();
                lambda.and_then(|lambda| lambda.function(run.function)).map(Function::speed)
            }
            Grant::Place { .. } | Grant::Nothing => None,
        }
        .unwrap_or(Speed::ONE)
    }
}
