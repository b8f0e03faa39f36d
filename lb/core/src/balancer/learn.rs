//! What an answer teaches: of the host or the function that gave it, and of its route.
//!
//! # Decision: where a host tells no costs, time stands for them
//!
//! An ordinary server does not say what a request has cost. Its work is then taken to be the time
//! that it had of a core: while there are more requests than cores, each has its share (processor
//! sharing), `∫ min(1, cores / requests) dt` from being sent to being answered. A host that has
//! once told a cost is never learned from in this way. Cost: a request that waits for a database
//! seems to be work. Look again when such routes matter: the header that tells a cost is easily
//! set.

use smallvec::SmallVec;

use super::{Balancer, Grant, Request};
use crate::fleet::{Completion, SpeedSeen, learning};
use crate::host::Claim;
use crate::lambda::{Ended, Function};
use crate::learn::Site;
use crate::observe::{self, Observation, Outcome, RequestCost};
use crate::units::{Seconds, Speed, Work};

/// No function has more cores: that is what Lambda gives at most.
const FUNCTION_CORES_MAX: u32 = 6;

impl Balancer {
    /// What an answer teaches of where it ran and of its route.
    pub(super) fn learn(
        &mut self,
        request: &Request,
        claim: Option<Claim>,
        outcome: &Outcome,
    ) -> Option<Observation> {
        let route = request.ask.route;
        let most = self.cpu_secs_max(request, outcome);
        let told = outcome.cost.filter(RequestCost::is_told);
        let cost = told.map(|cost| self.comparable(request, cost.believable(most), outcome.build));
        let speed = self.speed_of(request);
        let work = match &cost {
            Some(cost) => self.predictor(route).price(cost, speed),
            None => self.time_of(request, claim, outcome).map(|time| speed * time),
        };
        let work = work.map(|work| work.min(speed * Seconds(most)));
        // What was cut down says nothing of a speed.
        let measured = cost.filter(|cost| cost.cpu_seconds.is_some_and(|secs| secs < most));
        let seen = measured.and_then(|cost| self.speed_seen(request, &cost, outcome.build));
        self.judge(request, outcome, cost.as_ref(), seen);
        let observation = Observation {
            route,
            features: request.ask.features.clone(),
            estimated: Some((request.estimate.mean, request.estimate.p90)),
            cost: cost.unwrap_or_default(),
            work: work?,
            speed,
            build: outcome.build,
        };
        let site = site_of(request);
        if let Some(route) = self.route_mut(route) {
            route.predictor.observe(&observation);
            if let (Some(site), Some(cost)) = (site, measured) {
                route.predictor.ran_at(site, &cost, outcome.build);
            }
        }
        Some(observation)
    }

    /// What an answer tells of the host or the function that gave it.
    fn judge(
        &mut self,
        request: &Request,
        outcome: &Outcome,
        cost: Option<&RequestCost>,
        speed: Option<SpeedSeen>,
    ) {
        let (now, path, elapsed) = (self.now, request.ask.path, outcome.elapsed);
        let cpu_secs = cost.and_then(|cost| cost.cpu_seconds);
        match request.grant {
            Grant::Claim(id) => {
                if cost.is_some() {
                    self.fleet.tells_costs(id);
                }
                self.counters.ejections += if outcome.success {
                    self.fleet.complete(now, id, path, &Completion { speed, cpu_secs, elapsed })
                } else if self.fleet.has_peers(id) {
                    u64::from(self.fleet.fail(now, id, path))
                } else {
                    // It answers, and there is none that might do better.
                    0
                };
            }
            Grant::Run(run) => {
                let counted = cost.and_then(|cost| self.predictor(request.ask.route).counted(cost));
                let work = counted.or(request.estimate.trusted_mean()).filter(|_| outcome.success);
                let speed = speed.or_else(|| speed_by_estimate(request, cpu_secs));
                if let Some(lambda) = &mut self.lambda {
                    let cold_start = outcome.cold_start;
                    let ended = Ended { work, cpu_secs, speed, elapsed, cold_start };
                    lambda.complete(now, &run, &ended);
                }
            }
            Grant::Place { .. } | Grant::Nothing => {}
        }
    }

    /// The time of a core that a request has had, where its host tells no costs.
    fn time_of(
        &self,
        request: &Request,
        claim: Option<Claim>,
        outcome: &Outcome,
    ) -> Option<Seconds> {
        let Grant::Claim(id) = request.grant else { return None };
        let host = self.fleet.get(id).filter(|host| outcome.success && !host.tells_costs)?;
        Some(Seconds((host.shared_secs - claim?.shared_from).max(0.0)))
    }

    /// What a request says of the speed of where it ran: what makes it equal to those of its kind
    /// that ran elsewhere, as the middle one of these has it.
    fn speed_seen(&self, request: &Request, cost: &RequestCost, build: u64) -> Option<SpeedSeen> {
        let predictor = self.predictor(request.ask.route);
        let compared = predictor.compare(site_of(request)?, cost, build)?;
        let seen = compared.others.iter().filter_map(|other| {
            let (speed, variance) = self.believed_of(other.site)?;
            let variance = variance + learning::VARIANCE_SEEN / f64::from(other.n);
            Some((learning::ln(speed) + other.mean - compared.pace, variance))
        });
        let mut seen: SmallVec<[(f64, f64); 24]> = seen.collect();
        seen.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (above, below) = (seen.get(seen.len() / 2)?, seen.get(seen.len().wrapping_sub(1) / 2)?);
        let variance = seen.iter().map(|(_, variance)| variance).sum::<f64>() / seen.len() as f64;
        Some(SpeedSeen { ln_speed: f64::midpoint(above.0, below.0), variance })
    }

    /// The speed of a site, and its variance. `None` where it is not there any more.
    fn believed_of(&self, site: Site) -> Option<(Speed, f64)> {
        match site {
            Site::Host(id) => self.fleet.get(id).map(|host| (host.speed, host.speed_variance)),
            Site::Function(id) => {
                let function = self.lambda.as_ref()?.function(id)?;
                Some((function.speed(), function.speed_variance()))
            }
        }
    }

    /// The most CPU time that is believed of a request, in seconds.
    fn cpu_secs_max(&self, request: &Request, outcome: &Outcome) -> f64 {
        let cores = match request.grant {
            Grant::Claim(id) => self.fleet.get(id).map_or(1, |host| host.cores),
            Grant::Run(_) => FUNCTION_CORES_MAX,
            Grant::Place { .. } | Grant::Nothing => 1,
        };
        observe::cpu_secs_max(outcome.elapsed, cores)
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

fn site_of(request: &Request) -> Option<Site> {
    match request.grant {
        Grant::Claim(id) => Some(Site::Host(id)),
        Grant::Run(run) => Some(Site::Function(run.function)),
        Grant::Place { .. } | Grant::Nothing => None,
    }
}

/// What a run says of its function's speed where its counts compare with nothing: by its estimate.
fn speed_by_estimate(request: &Request, cpu_secs: Option<f64>) -> Option<SpeedSeen> {
    let work = request.estimate.trusted_mean().filter(|work| Work::ZERO < *work)?;
    let cpu_secs = cpu_secs.filter(|secs| 0.0 < *secs)?;
    Some(SpeedSeen { ln_speed: (work.as_cpu_secs() / cpu_secs).ln(), variance: 0.0 })
}
