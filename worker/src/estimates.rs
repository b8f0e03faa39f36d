//! What requests are believed to cost before they have run.
//!
//! The balancer says so in a header, in CPU-seconds of the reference core. Where it does not, it is
//! the mean of the same operation on this worker. Both decay: what ran last counts most.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName};
use parking_lot::{Mutex, MutexGuard};
use weighbridge_schedule::Owner;

/// The predicted mean work of a request, decimal, in CPU-seconds of the reference core.
pub(crate) const ESTIMATE: HeaderName = HeaderName::from_static("weighbridge-estimate");

/// Where a request stands beside those of other clients: the priority of its class, and what its
/// client has attained, decimal, in CPU-seconds of the reference core over its weight.
pub(crate) const ORDER: HeaderName = HeaderName::from_static("weighbridge-order");

/// The most that a client is believed to have attained.
const ATTAINED_SECS_MAX: f64 = 1e9;

/// The work that is predicted where nothing is known, in CPU-seconds of the reference core.
const PRIOR_SECS: f64 = 0.1;
/// The interval that every estimate is brought into, in CPU-seconds of the reference core.
const ESTIMATE_SECS: (f64, f64) = (1e-6, 3600.0);
/// The interval that a speed is brought into.
const SPEEDS: (f64, f64) = (1.0 / 64.0, 64.0);
/// What a request counts for once another one has run after it.
const SPEED_DECAY: f64 = 0.98;
const MEAN_DECAY: f64 = 0.95;

/// What is learned from requests that have run.
#[derive(Debug, Default)]
pub(crate) struct Estimates {
    learned: Mutex<Learned>,
}

/// The work that a request is believed to be, and where that comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    /// In CPU-seconds of the reference core, above zero.
    pub(crate) work_secs: f64,
    /// Whether it came with the request.
    pub(crate) is_told: bool,
    /// Where its client stands.
    pub(crate) owner: Owner,
}

#[derive(Debug, Default)]
struct Learned {
    /// Estimates over CPU seconds, of requests that came with an estimate.
    speed: Ratio,
    /// CPU seconds over requests, by the name of an operation.
    means: BTreeMap<&'static str, Ratio>,
}

/// A quotient of two decayed sums.
#[derive(Debug, Clone, Copy, Default)]
struct Ratio {
    above: f64,
    below: f64,
}

// === impl Estimates ===

impl Estimates {
    /// The estimate of a request for the operation `name` with these headers.
    pub(crate) fn of(&self, name: &'static str, headers: &HeaderMap) -> Estimate {
        let told = headers.get(ESTIMATE).and_then(|value| value.to_str().ok()?.parse().ok());
        let told = told.filter(|secs: &f64| secs.is_finite() && 0.0 < *secs);
        let work_secs = told.unwrap_or_else(|| self.mean_secs(name));
        let (min, max) = ESTIMATE_SECS;
        let (work_secs, is_told) = (work_secs.clamp(min, max), told.is_some());
        Estimate { work_secs, is_told, owner: owner_of(headers) }
    }

    /// Learns from a request that has run to its end.
    pub(crate) fn ran(&self, name: &'static str, estimate: Estimate, cpu_secs: f64) {
        let mut learned = self.lock();
        learned.means.entry(name).or_default().add(MEAN_DECAY, cpu_secs, 1.0);
        if estimate.is_told {
            learned.speed.add(SPEED_DECAY, estimate.work_secs, cpu_secs);
        }
    }

    /// Reference cores of one core of this worker; 1 until anything is known.
    pub(crate) fn speed(&self) -> f64 {
        self.lock().speed()
    }

    fn mean_secs(&self, name: &'static str) -> f64 {
        let learned = self.lock();
        let mean = learned.means.get(name).copied().and_then(Ratio::value);
        mean.map_or(PRIOR_SECS, |cpu_secs| cpu_secs * learned.speed())
    }

    fn lock(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock()
    }
}

/// Where the client stands whose request has these headers: with all others, where they do not say.
fn owner_of(headers: &HeaderMap) -> Owner {
    let told = headers.get(ORDER).and_then(|value| {
        let (priority, attained) = value.to_str().ok()?.split_once(' ')?;
        let attained: f64 = attained.parse().ok()?;
        let attained_secs = attained.min(ATTAINED_SECS_MAX);
        let owner = Owner { priority: priority.parse().ok()?, attained_secs };
        // Not so for what is no number.
        (0.0 <= attained).then_some(owner)
    });
    told.unwrap_or_default()
}

// === impl Learned ===

impl Learned {
    fn speed(&self) -> f64 {
        let (min, max) = SPEEDS;
        self.speed.value().map_or(1.0, |speed| speed.clamp(min, max))
    }
}

// === impl Ratio ===

impl Ratio {
    fn add(&mut self, decay: f64, above: f64, below: f64) {
        self.above = decay * self.above + above;
        self.below = decay * self.below + below;
    }

    /// `None` where there is nothing to divide by.
    fn value(self) -> Option<f64> {
        (0.0 < self.below).then(|| self.above / self.below)
    }
}

#[cfg(test)]
mod tests;
