//! Results as people and programs read them.

pub mod clients;
mod csv;
pub mod folder;
pub mod markdown;
mod oracle;
mod plots;

use serde::Serialize;

use weighbridge_core::statistics::quantile;

use super::cost;
use super::measure::{Measured, mean};
use super::scenario::Scenario;

/// What came of a policy, as one object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The policy, as it was asked for.
    pub policy: String,
    /// Work that arrived per second over what the hosts at the start do in a second.
    pub load: f64,
    /// Standard deviation of the predictions' logarithmic error.
    pub sigma: f64,
    /// Requests that were measured.
    pub requests: usize,
    /// Of them, those that were refused or failed: they are in no mean and no quantile.
    pub unanswered: usize,
    /// Mean response, in seconds.
    pub mean_response: f64,
    /// The response that 99 % stay below, in seconds.
    pub p99_response: f64,
    /// Mean slowdown.
    pub mean_slowdown: f64,
    /// The slowdown that 99 % stay below.
    pub p99_slowdown: f64,
    /// What the whole run cost, in US dollars.
    pub cost_usd: f64,
    /// What of it was for Lambda; only in scenarios with functions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda_usd: Option<f64>,
    /// Runs that were billed there; only in scenarios with functions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda_runs: Option<u64>,
}

// === impl Row ===

impl Row {
    /// The row of a run.
    pub fn of(scenario: &Scenario, measured: &Measured) -> Row {
        let (responses, slowdowns) = (measured.responses(), measured.slowdowns());
        let usage = &measured.usage;
        let has_functions = !scenario.functions.is_empty();
        Row {
            policy: measured.policy.clone(),
            load: scenario.load,
            sigma: scenario.sigma,
            requests: measured.records.len(),
            unanswered: measured.unanswered(),
            mean_response: mean(&responses),
            p99_response: quantile(&responses, 0.99).unwrap_or(0.0),
            mean_slowdown: mean(&slowdowns),
            p99_slowdown: quantile(&slowdowns, 0.99).unwrap_or(0.0),
            cost_usd: cost::usd(usage),
            lambda_usd: has_functions.then(|| cost::lambda_usd(usage)),
            lambda_runs: has_functions.then_some(usage.lambda_requests),
        }
    }
}

#[cfg(test)]
mod tests;
