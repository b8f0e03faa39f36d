//! What a host says of itself: the load report of the worker, as ORCA has it.

use super::run_queue::RunQueue;

/// Rates are averages that forget with this time constant, in seconds.
const WINDOW_SECS: f64 = 1.0;

/// What a host says of itself, on every response and when it is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LoadReport {
    /// Fraction of its cores busy over the last seconds.
    pub cpu_utilization: f64,
    /// Requests per core now; may exceed 1.
    pub application_utilization: f64,
    /// Completions per second over the last seconds.
    pub rps: f64,
    /// Failures per second over the last seconds.
    pub eps: f64,
    /// Requests that it has, from whatever balancer.
    pub in_flight: u32,
    /// Requests that it runs at once.
    pub slots: u32,
    /// What it believes that they have left, in CPU-seconds of the reference core.
    pub work_left: f64,
}

/// Averages that forget exponentially.
#[derive(Debug)]
pub(super) struct Rates {
    launched: f64,
    busy: f64,
    completions: f64,
    as_of: f64,
}

// === impl Rates ===

impl Rates {
    pub(super) fn new(now: f64) -> Rates {
        Rates { launched: now, busy: 0.0, completions: 0.0, as_of: now }
    }

    /// So many cores were busy for `span`.
    pub(super) fn busy(&mut self, span: f64, cores: f64) {
        let kept = (-span / WINDOW_SECS).exp();
        self.busy = self.busy * kept + cores * (1.0 - kept);
    }

    pub(super) fn completed(&mut self, now: f64) {
        self.decay(now);
        self.completions += 1.0 / WINDOW_SECS;
    }

    fn decay(&mut self, now: f64) {
        self.completions *= (-(now - self.as_of).max(0.0) / WINDOW_SECS).exp();
        self.as_of = now;
    }

    pub(super) fn report(&mut self, now: f64, cores: u32, queue: &mut RunQueue) -> LoadReport {
        self.decay(now);
        // A host that is younger than the window has not filled it.
        let filled = 1.0 - (-(now - self.launched) / WINDOW_SECS).exp();
        let filled = filled.max(1e-9);
        LoadReport {
            cpu_utilization: (self.busy / filled / f64::from(cores)).min(1.0),
            application_utilization: queue.n_requests() as f64 / f64::from(cores),
            rps: self.completions / filled,
            eps: 0.0,
            slots: cores,
            in_flight: queue.n_requests() as u32,
            work_left: queue.estimated_left(),
        }
    }
}
