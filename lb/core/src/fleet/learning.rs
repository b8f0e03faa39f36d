//! What a completion teaches about its host: its speed and its round trip.
//!
//! A speed is learned from the CPU time of requests that count alike and ran elsewhere
//! ([`alike`](crate::learn)): `ln speed` moves towards what would make them equal, as a Kalman
//! filter does, by the part of the doubt that is about this host. So a new host is found out by a
//! few requests, and hardly moves those that are known. All speeds together stay where they were
//! told, on the geometric mean: only their ratios can be learned.

use std::time::Duration;

use super::{Fleet, blame::Path};
use crate::host::{HostId, HostState};
use crate::units::{Seconds, Speed, Time};

/// The gain of a moving average that has settled.
const GAIN: f64 = 0.1;

/// Variance of `ln speed` as it was told: a factor of 4 is nothing strange.
pub(crate) const VARIANCE_TOLD: f64 = 1.9;

/// Variance of `ln` CPU time between requests that count alike: a fifth.
pub(crate) const VARIANCE_SEEN: f64 = 0.04;

/// Variance of `ln speed` that is never gone below, so that changes are followed: with it a settled
/// host moves by a twentieth of what is seen.
const VARIANCE_SETTLED: f64 = VARIANCE_SEEN / 18.0;

/// What is further off than so many standard deviations counts as this.
const DEVIATIONS_MAX: f64 = 2.0;

/// The part of the common deviation from what was told that goes with each completion.
const ANCHOR: f64 = 0.05;

/// A learned speed stays within this factor of the configured one, either way.
const SPEED_FACTOR_MAX: f64 = 64.0;

/// A round trip above this is not the network's.
pub(crate) const ROUND_TRIP_SECS_MAX: f64 = 10.0;

/// A request that a host completed.
#[derive(Debug, Clone, Copy)]
pub struct Completion {
    /// What it says of the host's speed, where it says anything.
    pub speed: Option<SpeedSeen>,
    /// Its CPU time on this host.
    pub cpu_secs: Option<f64>,
    /// From sending the request to the end of its response.
    pub elapsed: Duration,
}

/// What a request says of the speed of where it ran.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpeedSeen {
    /// The natural logarithm of the speed that makes it equal to those that it was compared with.
    pub ln_speed: f64,
    /// The variance of what that rests on.
    pub variance: f64,
}

impl Fleet {
    /// A host has answered well a request for `path`.
    ///
    /// Returns how many hosts are ejected because they have failed what this one has served.
    pub fn complete(&mut self, now: Time, id: HostId, path: Path, completion: &Completion) -> u64 {
        let common = self.common_deviation();
        let before = self.get(id).map_or(0.0, deviation);
        self.write(id, |host| {
            host.succeed(now);
            if let Some(seen) = &completion.speed {
                let believed = (host.speed, host.speed_variance);
                let (speed, variance) = learn(host.spec.speed, believed, seen);
                let anchored = (ln(speed) - ANCHOR * common).exp();
                host.speed = believable(host.spec.speed, anchored);
                host.speed_variance = variance;
                host.speeds_seen += 1;
            }
            let cpu_secs = completion.cpu_secs.filter(|secs| secs.is_finite() && 0.0 <= *secs);
            // With a core for each request all the while, what was not run was the way there and
            // back. Once there were more, it may have waited for a shorter one.
            if let Some(cpu_secs) = cpu_secs
                && host.crowded_at + completion.elapsed < now
            {
                learn_round_trip(host, completion.elapsed.as_secs_f64() - cpu_secs);
            }
        });
        self.deviations += self.get(id).map_or(0.0, deviation) - before;
        self.works(now, id, path)
    }

    /// By how much the speeds that were learned are off those that were told, on the mean.
    fn common_deviation(&self) -> f64 {
        self.deviations / self.hosts.len().max(1) as f64
    }

    /// Sums up anew what rounding may have moved.
    pub(super) fn sum_deviations(&mut self) {
        self.deviations = self.hosts.iter().map(deviation).sum();
    }
}

/// By how much a speed that was learned is off the one that was told.
pub(super) fn deviation(host: &HostState) -> f64 {
    if host.speeds_seen == 0 { 0.0 } else { ln(host.speed) - ln(host.spec.speed) }
}

pub(crate) fn ln(speed: Speed) -> f64 {
    speed.as_reference_cores().ln()
}

/// What is believed of a speed that was `told` and is believed with some variance, by one more
/// request.
pub(crate) fn learn(
    told: Speed,
    (speed, variance): (Speed, f64),
    seen: &SpeedSeen,
) -> (Speed, f64) {
    let doubt = variance + seen.variance + VARIANCE_SEEN;
    let gain = variance / doubt;
    let most = DEVIATIONS_MAX * doubt.sqrt();
    let off = (seen.ln_speed - ln(speed)).clamp(-most, most);
    let speed = believable(told, (ln(speed) + gain * off).exp());
    (speed, ((1.0 - gain) * variance).max(VARIANCE_SETTLED))
}

/// Whether a host that was `told` may claim `speed`.
pub(super) fn may_claim(told: Speed, speed: Speed) -> bool {
    let factor = speed.as_reference_cores() / told.as_reference_cores();
    (1.0 / SPEED_FACTOR_MAX..=SPEED_FACTOR_MAX).contains(&factor)
}

/// The speed nearest to `cores` reference cores that is believed of a core that was `told`.
fn believable(told: Speed, cores: f64) -> Speed {
    let least = told.as_reference_cores() / SPEED_FACTOR_MAX;
    let most = told.as_reference_cores() * SPEED_FACTOR_MAX;
    Speed::from_reference_cores(cores.clamp(least, most)).unwrap_or(told)
}

fn learn_round_trip(host: &mut HostState, secs: f64) {
    let secs = secs.clamp(0.0, ROUND_TRIP_SECS_MAX);
    host.round_trip = Seconds(host.round_trip.0 + GAIN * (secs - host.round_trip.0));
}
