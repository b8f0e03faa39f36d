//! Where a request goes: to a host, to Lambda, into the waiting room, or away.

use super::{Balancer, Place, Request, waiting};
use crate::admit::{self, Admission, Invocation, Placement, Verdict};
use crate::lambda::Offer;
use crate::request::RequestId;
use crate::schedule::{Demand, Ranking};
use crate::units::{Seconds, Work};

// === impl Balancer ===

impl Balancer {
    /// Starts `request`, or gives it a place, or refuses it. It belongs to no map when this is called,
    /// and to the map of requests afterwards unless it is refused.
    pub(super) fn place(&mut self, id: RequestId, mut request: Request) -> Verdict {
        let started = self.start(id, &mut request, false);
        let verdict = started.unwrap_or_else(|| self.enqueue(id, &mut request));
        self.keep(id, request, verdict)
    }

    /// The same where requests that wait go before it: no host is for it now.
    pub(super) fn place_behind(&mut self, id: RequestId, mut request: Request) -> Verdict {
        let ahead = self.time_of_waiting();
        let started = self.spill_over(&request).is_some().then(|| self.rank(&request));
        let started =
            started.and_then(|ranking| self.invoke(&mut request, ranking.as_ref(), ahead));
        let verdict = started.unwrap_or_else(|| self.enqueue(id, &mut request));
        self.keep(id, request, verdict)
    }

    /// Takes a claim on the best host, or starts a run on Lambda, where the request may go there now.
    pub(super) fn start(
        &mut self,
        id: RequestId,
        request: &mut Request,
        overdue: bool,
    ) -> Option<Verdict> {
        let ranking = self.rank(request);
        let placement =
            ranking.as_ref().and_then(|ranking| self.forward(id, request, ranking, overdue));
        match placement {
            Some(placement) => Some(Verdict::Forward(placement)),
            None => self.invoke(request, ranking.as_ref(), Seconds::ZERO),
        }
    }

    fn rank(&mut self, request: &Request) -> Option<Ranking> {
        let demand = Demand {
            now: self.now,
            estimate: request.estimate,
            tried: &request.tried,
            hosts: &self.policy.hosts,
        };
        self.schedule.rank(&demand, &mut self.fleet, &mut self.random)
    }

    /// Takes a claim on the best host, where the request may go there now.
    fn forward(
        &mut self,
        id: RequestId,
        request: &mut Request,
        ranking: &Ranking,
        overdue: bool,
    ) -> Option<Placement> {
        let route = self.routes.get(usize::from(request.ask.route.0))?;
        let patience = route.policy.patience;
        let admission = Admission::new(patience, &request.estimate, overdue);
        let discipline = self.fleet.get(ranking.best)?.discipline;
        if !admission.admits(ranking, discipline)
            || !self.fleet.claim(self.now, ranking.best, id, request.estimate.mean)
        {
            return None;
        }
        request.tries += 1;
        request.place = Place::Host(ranking.best);
        Some(Placement { host: ranking.best, estimate: request.estimate })
    }

    /// What a run on Lambda would be like, where one may be.
    fn spill_over(&self, request: &Request) -> Option<Offer> {
        let lambda = self.lambda.as_ref().filter(|_| !request.lambda_failed)?;
        let function = self.policy.routes.get(usize::from(request.ask.route.0))?.function?;
        lambda.offer(self.now, function, request.estimate.mean, request.ask.event_bytes)
    }

    /// Starts a run on Lambda, where that may be and answers sooner than the fleet, which has work
    /// for `ahead` before it turns to this request.
    fn invoke(
        &mut self,
        request: &mut Request,
        ranking: Option<&Ranking>,
        ahead: Seconds,
    ) -> Option<Verdict> {
        let offer = self.spill_over(request)?;
        if !admit::is_sooner(&offer, ranking, ahead) {
            return None;
        }
        request.tries += 1;
        request.place = Place::Lambda(self.lambda.as_mut()?.start(self.now, &offer));
        Some(Verdict::Lambda(Invocation { function: offer.function, estimate: request.estimate }))
    }

    fn enqueue(&mut self, id: RequestId, request: &mut Request) -> Verdict {
        match self.queue.push(self.now, &waiting(id, request)) {
            Ok(until) => {
                request.place = Place::Queue { since: self.now };
                Verdict::Queue { until }
            }
            Err(reason) => Verdict::Shed(reason),
        }
    }

    fn keep(&mut self, id: RequestId, request: Request, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Forward(_) | Verdict::Lambda(_) | Verdict::Queue { .. } => {
                self.requests.insert(id, request);
            }
            Verdict::Shed(_) => {}
        }
        self.counters.count(&verdict);
        verdict
    }

    /// How long the whole fleet would take for what waits.
    fn time_of_waiting(&self) -> Seconds {
        let capacity = self.hosts().fold(Work::ZERO, |sum, host| sum + host.capacity());
        let waiting = self.queue.state().work.as_cpu_secs();
        Seconds(waiting / capacity.as_cpu_secs().max(f64::MIN_POSITIVE))
    }
}
