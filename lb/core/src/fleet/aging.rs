//! Ages the claims of a host between events.
//!
//! Between two events only time passes. The host is believed to work at its speed, in the order of
//! its discipline, on what it has been given:
//! - `fcfs`: the first `cores` claims run, each on a core;
//! - `srpt`: the `cores` claims with the least remaining work run, each on a core;
//! - `ps`: all run, each at `min(1, cores / claims)` of a core.
//!
//! A claim whose estimate is used up before its end is heard of has outlived the estimate, which
//! doubles. A request of another balancer that has used up its share of the work that the host
//! reported is believed to be done; the host's next report will say.

use crate::host::{Claim, Discipline, HostState};
use crate::units::{Time, Work};

/// The most changes of order that are followed within one span; what is left of it then goes to
/// those that run.
const STEPS_MAX: usize = 32;

/// Brings the claims of `host` to `now`; nothing where it is there already.
pub(super) fn advance(host: &mut HostState, now: Time) {
    if now <= host.as_of {
        return;
    }
    let secs = now.as_nanos().saturating_sub(host.as_of.as_nanos()) as f64 * 1e-9;
    host.as_of = now;
    if host.claims.is_empty() {
        return;
    }
    let share = (f64::from(host.cores) / host.claims.len() as f64).min(1.0);
    host.shared_secs += secs * share;
    let work = secs * host.speed.as_reference_cores();
    match host.discipline {
        Discipline::Fcfs => run_front(host, work),
        Discipline::Srpt => run_shortest(host, work),
        Discipline::Ps => {
            let n = host.claims.len();
            run(host, n, work * share);
        }
    }
}

/// Sets the work left to what the claims have remaining.
pub(super) fn sum(host: &mut HostState) {
    let remaining = host.claims.iter().map(|claim| claim.remaining.as_cpu_secs());
    // From 0.0: the sum of nothing is -0.0.
    host.work_left = Work::saturating(remaining.fold(0.0, |sum, work| sum + work));
}

fn run_front(host: &mut HostState, work: f64) {
    run(host, (host.cores as usize).min(host.claims.len()), work);
}

/// Runs the shortest; when one of them outlives its estimate another may have become shorter.
fn run_shortest(host: &mut HostState, mut work: f64) {
    for _ in 0..STEPS_MAX {
        let Some(first) = host.claims.first() else { return };
        let step = first.remaining.as_cpu_secs();
        if work < step || host.claims.len() <= host.cores as usize {
            break;
        }
        run_front(host, step);
        work -= step;
    }
    run_front(host, work);
}

/// Each of the first `n` claims attains `work`.
fn run(host: &mut HostState, n: usize, work: f64) {
    let foreign_ends = host.report.is_some_and(|(_, report)| report.work_left.is_some());
    let mut outlived = false;
    for claim in host.claims.iter_mut().take(n) {
        outlived |= attain(claim, work, foreign_ends);
    }
    if !outlived {
        let left = host.work_left.as_cpu_secs() - work * n as f64;
        host.work_left = Work::saturating(left);
        return;
    }
    host.claims.retain(|claim| Work::ZERO < claim.remaining);
    host.foreign = host.claims.iter().filter(|claim| claim.request.is_none()).count() as u32;
    match host.discipline {
        Discipline::Fcfs => {}
        Discipline::Srpt | Discipline::Ps => sort(host),
    }
    sum(host);
}

/// Puts the claims in order of remaining work.
pub(super) fn sort(host: &mut HostState) {
    host.claims.sort_by(|a, b| a.remaining.as_cpu_secs().total_cmp(&b.remaining.as_cpu_secs()));
}

/// Returns whether the estimate was used up. Doubles it then, or leaves nothing of a foreign one
/// where those end.
fn attain(claim: &mut Claim, work: f64, foreign_ends: bool) -> bool {
    let remaining = claim.remaining.as_cpu_secs() - work;
    claim.remaining = Work::saturating(remaining);
    if 0.0 < remaining {
        return false;
    }
    if claim.request.is_some() || !foreign_ends {
        let attained = claim.expected.as_cpu_secs() - remaining;
        let mut expected = claim.expected.as_cpu_secs();
        while expected <= attained {
            expected *= 2.0;
        }
        claim.expected = Work::saturating(expected);
        claim.remaining = Work::saturating(expected - attained);
    }
    true
}
