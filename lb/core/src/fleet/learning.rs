//! What a completion teaches about its host: its speed and its round trip.

use std::time::Duration;

use super::Fleet;
use crate::host::{HostId, HostState};
use crate::units::{Seconds, Speed, Time, Work};

/// The gain of a moving average that has settled.
const GAIN: f64 = 0.1;

/// The speed that was told counts as much as so many requests.
const TOLD_WEIGHT: f64 = 0.25;

/// A learned speed stays within this factor of the configured one, either way.
const SPEED_FACTOR_MAX: f64 = 64.0;

/// CPU time below this says more of the clock than of the host.
const CPU_SECS_MIN: f64 = 50e-6;

/// A round trip above this is not the network's.
pub(crate) const ROUND_TRIP_SECS_MAX: f64 = 10.0;

/// A request that a host completed.
#[derive(Debug, Clone, Copy)]
pub struct Completion {
    /// Its work by counts that do not depend on the host, where there are any.
    pub counted: Option<Work>,
    /// Its CPU time on this host.
    pub cpu_secs: Option<f64>,
    /// From sending the request to the end of its response.
    pub elapsed: Duration,
}

impl Fleet {
    /// A host has answered well.
    pub fn complete(&mut self, now: Time, id: HostId, completion: &Completion) {
        self.write(id, |host| {
            host.succeed(now);
            let cpu_secs = completion.cpu_secs.filter(|secs| secs.is_finite() && 0.0 <= *secs);
            let Some(cpu_secs) = cpu_secs else { return };
            if let Some(work) = completion.counted {
                learn_speed(host, work.as_cpu_secs(), cpu_secs);
            }
            // With a core for each request all the while, what was not run was the way there and
            // back. Once there were more, it may have waited for a shorter one.
            if host.crowded_at + completion.elapsed < now {
                learn_round_trip(host, completion.elapsed.as_secs_f64() - cpu_secs);
            }
        });
    }
}

fn learn_speed(host: &mut HostState, work: f64, cpu_secs: f64) {
    let believed = (host.speed, host.speeds_seen);
    if let Some(speed) = learn(host.spec.speed, believed, (work, cpu_secs)) {
        host.speeds_seen += 1;
        host.speed = speed;
    }
}

/// What the speed of a core becomes that was `told`, and is believed to be `speed` after `n_seen`
/// requests, by one more that cost `work` and ran for `cpu_secs`. `None` where that says nothing.
///
/// Moves `ln speed` towards `ln(work / cpu_secs)`: as the mean of all of them does at first, so
/// that a factor of 4 is found within a few requests, by [`GAIN`] later.
pub(crate) fn learn(
    told: Speed,
    (speed, n_seen): (Speed, u64),
    (work, cpu_secs): (f64, f64),
) -> Option<Speed> {
    if work <= 0.0 || cpu_secs < CPU_SECS_MIN {
        return None;
    }
    let seen = believable(told, work / cpu_secs).as_reference_cores().ln();
    let gain = (1.0 / (n_seen as f64 + 1.0 + TOLD_WEIGHT)).max(GAIN);
    let log = speed.as_reference_cores().ln();
    Some(believable(told, (log + gain * (seen - log)).exp()))
}

/// The speed nearest to `cores` reference cores that is believed of a core that was `told`.
pub(super) fn believable(told: Speed, cores: f64) -> Speed {
    let least = told.as_reference_cores() / SPEED_FACTOR_MAX;
    let most = told.as_reference_cores() * SPEED_FACTOR_MAX;
    Speed::from_reference_cores(cores.clamp(least, most)).unwrap_or(told)
}

fn learn_round_trip(host: &mut HostState, secs: f64) {
    let secs = secs.clamp(0.0, ROUND_TRIP_SECS_MAX);
    host.round_trip = Seconds(host.round_trip.0 + GAIN * (secs - host.round_trip.0));
}
