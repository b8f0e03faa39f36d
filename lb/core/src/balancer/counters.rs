//! What has happened so far, for metrics.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::admit::{ShedReason, Verdict};
use crate::observe::Failure;
use crate::scale::ScaleReason;

/// Numbers of events since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests that arrived.
    pub arrivals: u64,
    /// Verdicts to forward, those of retries and of waiting requests included.
    pub forwards: u64,
    /// Verdicts to run on Lambda.
    pub lambdas: u64,
    /// Verdicts to wait.
    pub queues: u64,
    /// Jobs that were told to come later. They do not count as arrivals.
    pub laters: u64,
    /// Verdicts to refuse, by reason.
    pub sheds: BTreeMap<ShedReason, u64>,
    /// Requests that were answered.
    pub completions: u64,
    /// Requests whose client went away.
    pub abandons: u64,
    /// Failures of hosts, by kind.
    pub failures: BTreeMap<Failure, u64>,
    /// Failed requests that were tried again.
    pub retries: u64,
    /// Hosts that were ejected.
    pub ejections: u64,
    /// Hosts that joined.
    pub joins: u64,
    /// Hosts that left.
    pub leaves: u64,
    /// Scale plans that did something, by reason.
    pub scale_events: BTreeMap<ScaleReason, u64>,
    /// Hosts to launch, as planned.
    pub launches: u64,
    /// Hosts to drain, as planned, replaced ones included.
    pub drains: u64,
}

// === impl Counters ===

impl Counters {
    /// Counts a verdict.
    pub(super) fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Forward(_) => self.forwards += 1,
            Verdict::Lambda(_) => self.lambdas += 1,
            Verdict::Queue { .. } => self.queues += 1,
            Verdict::Shed(reason) => *self.sheds.entry(reason.kind()).or_default() += 1,
            Verdict::Later => self.laters += 1,
        }
    }
}
