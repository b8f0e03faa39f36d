//! What would become of a request, and why.

use super::Balancer;
use crate::admit::{self, Admission};
use crate::host::HostState;
use crate::lambda::{Function, Offer};
use crate::request::Ask;
use crate::schedule::explain::{Account, Explanation};
use crate::schedule::{Demand, Ranking};
use crate::units::{Seconds, Time};

// === impl Balancer ===

impl Balancer {
    /// What would become of a request if it came now, and why. Takes no claim, and draws no random
    /// number: where the pick is random the best host is told.
    pub fn explain(&mut self, now: Time, ask: &Ask) -> Explanation {
        let Ask { route, features, known, event_bytes, .. } = ask;
        self.set_now(now);
        self.fleet.advance(self.now);
        let predictor = self.predictor(*route);
        let estimate = predictor.estimate(features, *known);
        let hosts = &self.policy.hosts;
        let demand = Demand { now: self.now, estimate, tried: &[], hosts };
        let account = self.schedule.explain(&demand, &self.fleet);
        let policy = &self.routes[usize::from(route.0).min(self.policy.routes.len())].policy;
        let names = policy.features.names().iter().cloned();
        let admission = Admission::new(policy.patience, &estimate, false);
        let offer = self.lambda.as_ref().zip(policy.function).and_then(|(lambda, function)| {
            lambda.offer(self.now, function, estimate.mean, *event_bytes)
        });
        let explanation = Explanation {
            route: policy.name.clone(),
            estimate,
            features: names.zip(features.0.iter().copied()).collect(),
            quality: predictor.quality(),
            verdict: self.likely(&admission, offer, &account),
            filters: account.filters,
            weighers: account.weighers,
            hosts: account.hosts,
        };
        self.check_invariants();
        explanation
    }

    fn likely(&self, admission: &Admission, offer: Option<Offer>, account: &Account) -> String {
        let best = account.hosts.first();
        let ranking = best.map(|best| Ranking { best: best.id, delay: best.delay });
        let discipline = |best| self.fleet.get(best).map(|host: &HostState| host.discipline);
        let admits = ranking.as_ref().is_some_and(|ranking| {
            discipline(ranking.best).is_some_and(|found| admission.admits(ranking, found))
        });
        let offer = offer.filter(|offer| admit::is_sooner(offer, ranking.as_ref(), Seconds::ZERO));
        match (account.hosts.first(), offer) {
            (Some(best), _) if admits => format!("forward to {} ({})", best.id.0, best.name),
            (_, Some(offer)) => {
                let function = self.lambda.as_ref().and_then(|l| l.function(offer.function));
                let (name, secs) = (function.map_or("", Function::name), offer.response.0);
                format!("lambda ({name}), which would answer in {secs:.6} s")
            }
            (None, None) => "queue: no host may be used".to_owned(),
            (Some(best), None) => {
                let (wait, patience) = (best.delay.wait.0, admission.patience.as_secs_f64());
                format!(
                    "queue: the best host would keep it waiting {wait:.6} s, patience {patience} s"
                )
            }
        }
    }
}
