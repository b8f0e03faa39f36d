//! Another policy for a route, while it is learned from.

use super::Predictor;
use crate::policy::{LearnPolicy, RoutePolicy};

// === impl Predictor ===

impl Predictor {
    /// Goes on by the policies, with all that it has learned. What is looked at of a request must
    /// be as before.
    pub fn reconfigure(&mut self, policy: &RoutePolicy, learn: &LearnPolicy) {
        debug_assert!(policy.work_min <= policy.work_max, "the bounds are an interval");
        debug_assert!(self.is_auto == policy.features.is_auto(), "the features are as before");
        (self.prior, self.prior_feature) = (policy.prior, policy.features.prior());
        (self.work_min, self.work_max) = (policy.work_min, policy.work_max);
        self.model_gate.set_error_max(learn.drift_error_max);
        self.running_gate.set_error_max(learn.drift_error_max);
        self.declared_gate.set_error_max(learn.drift_error_max);
        self.window.resize(learn.window);
        self.policy = learn.clone();
    }
}
