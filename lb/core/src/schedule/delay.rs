//! Added delay: the seconds that a request costs on a host, itself and the requests there.
//!
//! Let the host have `c` cores of speed `s` and `n` claims with remaining work `r`, and let the
//! request have work `x`. Where nothing else arrives and the estimates are right, all of these are
//! exact.
//!
//! `fcfs`: claims start in order of arrival, each on the core that is free first. The request waits
//! until a core is free after all of them; nothing waits for it. With one core that is `Σ r / s`.
//!
//! `srpt`: claims in ascending order of `r` finish as on `c` machines dealt out in turn (shortest
//! processing time first is optimal there), so that with `k` claims not longer than `x`
//! - the request waits `Σ r[k − jc] / s` over `j = 1, 2, ...`; with one core, all shorter ones;
//! - the sum of all response times grows by `(x ⌈(n + 1 − k) / c⌉ + Σ r[m]) / s`, the sum over `m <
//!   k` with `m ≡ n (mod c)`. What that exceeds the request's own response by is what others wait:
//!   with one core, `x` for each longer one.
//!
//! `ps`: at a level `u` of attained work, `a(u)` claims have more than `u` remaining, and each unit
//! of level takes `max(1, a / c) / s`. With the request it takes `max(1, (a + 1) / c) / s`, for
//! levels below `x`. The request's wait is the integral of `max(1, (a + 1) / c) − 1` over the
//! levels below `x`, what others wait is that of `a (max(1, (a + 1) / c) − max(1, a / c))`. With
//! one core both are `Σ min(r, x) / s`. Nothing waits while there is a core for each.
//!
//! Where the estimate is not trusted, all sizes count as `x`: the total is `x (1 + n / c) / s` on
//! `fcfs` hosts and `x (1 + 2 n / c) / s` on others, where those that are there wait for the
//! request as long as it waits for them. Hosts of one capacity are ranked as by least connections.

use serde::Serialize;
use smallvec::SmallVec;

use super::Demand;
use crate::fleet::Glance;
use crate::host::{Claim, Discipline, HostState, fcfs_wait};
use crate::share::HostOrder;
use crate::units::Seconds;

/// The seconds that a request costs on a host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Delay {
    /// What it waits for others, or loses by sharing with them.
    pub wait: Seconds,
    /// What others wait for it, summed over them.
    pub others: Seconds,
    /// What it runs, alone.
    pub service: Seconds,
}

// === impl Delay ===

impl Delay {
    /// The delay that the request of `demand` would have and cause on `host`.
    pub fn of(demand: &Demand<'_>, host: &HostState) -> Delay {
        let x = demand.estimate.mean.as_cpu_secs();
        let pace = 1.0 / host.speed.as_reference_cores();
        let service = Seconds(x * pace);
        if host.claims.is_empty() {
            return Delay { wait: Seconds::ZERO, others: Seconds::ZERO, service };
        }
        let cores = host.cores as usize;
        let (wait, others) = if demand.estimate.trusted {
            match host.discipline {
                Discipline::Fcfs => (fcfs_wait(&host.claims, cores), 0.0),
                Discipline::Srpt => srpt(&host.claims, cores, x),
                Discipline::Ps => ps(&host.claims, cores, x),
            }
        } else {
            (equal_wait(host.claims.len(), cores, x), 0.0)
        };
        Delay { wait: Seconds(wait * pace), others: Seconds(others * pace), service }
    }

    /// The wait on an `srpt` host whose requests are of several clients: behind those only that
    /// stand before a request of `order` there.
    pub fn wait_in_order(demand: &Demand<'_>, host: &HostState, order: HostOrder) -> Seconds {
        let x = demand.estimate.mean.as_cpu_secs();
        let own = (order.priority, order.excess + x);
        let goes_before = |claim: &Claim| {
            let left = claim.remaining.as_cpu_secs();
            let tag = claim.owner.map_or(left, |(_, order)| order.excess + left);
            let priority = claim.owner.map_or(0, |(_, order)| order.priority);
            priority < own.0 || priority == own.0 && tag <= own.1
        };
        let before: SmallVec<[Claim; 16]> =
            host.claims.iter().filter(|claim| goes_before(claim)).copied().collect();
        let (wait, _) = srpt(&before, host.cores as usize, f64::INFINITY);
        Seconds(wait / host.speed.as_reference_cores())
    }

    /// All of it: what is added to everybody's response, and the service itself.
    pub fn total(&self) -> Seconds {
        self.wait + self.others + self.service
    }
}

/// The total where all sizes count as equal, in seconds: see the module.
pub(super) fn equal_total(demand: &Demand<'_>, host: &HostState) -> Seconds {
    let x = demand.estimate.mean.as_cpu_secs();
    let per_core = host.claims.len() as f64 / f64::from(host.cores);
    let waits = match host.discipline {
        Discipline::Fcfs => per_core,
        Discipline::Srpt | Discipline::Ps => 2.0 * per_core,
    };
    Seconds(x * (1.0 + waits) * (1.0 / host.speed.as_reference_cores()))
}

/// The least that the total of a host of that glance can be: with all claims as small as its
/// smallest, or as `x`, the request waits for as many rounds of them as fill the cores. On `fcfs`
/// hosts the wait itself is known: it is the same for every request.
pub(super) fn total_min(demand: &Demand<'_>, glance: &Glance) -> Seconds {
    let x = demand.estimate.mean.as_cpu_secs();
    if !demand.estimate.trusted {
        return Seconds(x * (1.0 + glance.crowd_at(demand.now)) * glance.pace);
    }
    let service = x * glance.pace;
    if glance.rounds == 0 {
        return Seconds(service);
    }
    let round = glance.busy_for(demand.now).0.min(service);
    let wait = f64::from(glance.rounds) * round;
    Seconds(service + wait.max(glance.waits_for(demand.now).0))
}

/// The wait behind `n` requests of size `x`; none while a core is free.
fn equal_wait(n: usize, cores: usize, x: f64) -> f64 {
    (n + 1).saturating_sub(cores) as f64 * x / cores as f64
}

/// The wait of the request, and of others.
fn srpt(claims: &[Claim], cores: usize, x: f64) -> (f64, f64) {
    let n = claims.len();
    let k = claims.partition_point(|claim| claim.remaining.as_cpu_secs() <= x);
    let every = |first: usize| -> f64 {
        claims[..k]
            .iter()
            .skip(first)
            .step_by(cores)
            .map(|claim| claim.remaining.as_cpu_secs())
            .sum()
    };
    let wait = if k < cores { 0.0 } else { every(k % cores) };
    let total = x * (n + 1 - k).div_ceil(cores) as f64 + every(n % cores);
    (wait, (total - wait - x).max(0.0))
}

/// The wait of the request, and of others.
fn ps(claims: &[Claim], cores: usize, x: f64) -> (f64, f64) {
    let n = claims.len();
    if n < cores {
        return (0.0, 0.0);
    }
    let cores = cores as f64;
    let (mut wait, mut others, mut level) = (0.0, 0.0, 0.0);
    for position in 0..=n {
        let above = (n - position) as f64;
        let next = claims.get(position).map_or(x, |claim| claim.remaining.as_cpu_secs().min(x));
        let share = ((above + 1.0) / cores).max(1.0);
        wait += (next - level) * (share - 1.0);
        others += (next - level) * above * (share - (above / cores).max(1.0));
        level = next;
        if x <= next || above < cores {
            break;
        }
    }
    (wait, others)
}

#[cfg(test)]
mod tests;
