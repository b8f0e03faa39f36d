//! Another policy, while requests go on.
//!
//! Routes keep their numbers: what is under way knows its route by number. So a policy may change
//! its routes and add some at the end, and never takes one away; the configuration keeps the place
//! of a route that is gone. A route of which something else is looked at is another route.

use std::collections::BTreeMap;

use super::{Balancer, Grant, Policy, Route};
use crate::learn::Predictor;
use crate::policy::{LearnPolicy, RoutePolicy};
use crate::request::{RequestId, RouteId};
use crate::schedule::Schedule;
use crate::share::Standing;
use crate::units::Time;

// === impl Balancer ===

impl Balancer {
    /// Goes on by `policy`. Hosts, claims, what waits, and what has been learned stay.
    ///
    /// The routes of `policy` are those of before at the same places, looking at the same of a
    /// request, and perhaps more. Functions on Lambda stay as they are, whatever it says of them.
    pub fn reconfigure(&mut self, now: Time, policy: Policy) {
        debug_assert!(self.policy.routes.len() <= policy.routes.len(), "no route is taken away");
        self.set_now(now);
        self.reconfigure_routes(&policy.routes, &policy.learn);
        self.fleet.reconfigure(policy.hosts.clone());
        self.schedule = Schedule::new(&policy.schedule);
        self.shares.reconfigure(self.now, policy.share.clone());
        self.reconfigure_queue(&policy);
        self.scaler.reconfigure(policy.scale.clone());
        self.retries.reconfigure(&policy.retry);
        let lambda = self.policy.lambda.take();
        self.policy = Policy { lambda, ..policy };
        self.check_invariants();
    }

    /// Puts what waits in the order of `policy`.
    fn reconfigure_queue(&mut self, policy: &Policy) {
        let stands: BTreeMap<RequestId, (Standing, f64)> = self
            .requests
            .iter()
            .filter(|(_, request)| matches!(request.grant, Grant::Place { .. }))
            .map(|(id, request)| {
                let waiting = self.waiting_of(*id, request);
                (*id, (waiting.standing, waiting.size))
            })
            .collect();
        let rule = policy.share.as_ref().map(|share| share.rule);
        self.queue.reconfigure(policy.queue.clone(), rule, |id| stands.get(&id).copied());
    }

    fn reconfigure_routes(&mut self, policies: &[RoutePolicy], learn: &LearnPolicy) {
        let n_before = self.policy.routes.len();
        for (route, policy) in self.routes.iter_mut().take(n_before).zip(policies) {
            let is_like = route.policy.features.is_like(&policy.features);
            debug_assert!(is_like, "a route goes on looking at the same");
            route.predictor.reconfigure(policy, learn);
            route.policy = policy.clone();
        }
        // Before the last one, which stands for unknown routes.
        let new = policies.iter().skip(n_before).map(|policy| Route::new(policy, learn));
        self.routes.splice(n_before..n_before, new);
    }

    /// All that has been learned of `route`, for another balancer that is to serve it.
    pub fn learned(&self, route: RouteId) -> Predictor {
        self.predictor(route).clone()
    }

    /// Takes over what another balancer has learned of `route`, by the same policy.
    pub fn take_over(&mut self, route: RouteId, learned: Predictor) {
        if let Some(route) = self.route_mut(route) {
            route.predictor = learned;
        }
    }
}
