//! What requests that count alike took, by where they ran: what speeds are learned from.
//!
//! # Decision: a speed is learned from requests that count alike
//!
//! Counts are priced by CPU time and speed. A speed that was learned from prices would teach the
//! prices that teach it: where one kind of request is priced wrongly and a host runs that kind, its
//! speed goes wrong, then the price, then the speed again. So the CPU time of a request is compared
//! with that of others, at other hosts, which have about as many instructions and about as many
//! blocks, functions and bytes for each: those take the same CPU time on equal hosts, and no price
//! is asked. Requests that no other host has run the like of teach no speed. Cost: a host alone
//! keeps the speed that it was told. Look again when hosts share no kind of request.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::cost::{self, COUNTS};
use crate::host::HostId;
use crate::observe::RequestCost;
use crate::policy::FunctionId;

/// The most kinds that are told apart; one more takes the place of the one that was seen least
/// recently.
const KINDS_MAX: usize = 256;

/// The most sites that are remembered of a kind; one more takes the place of the one that has run
/// it least recently.
const SITES_MAX: usize = 24;

/// The mean of a site is that of about so many of its newest requests of a kind.
const RECENT: u32 = 30;

/// Once so many are known, one is not further off the mean than `PACE_OFF_MAX`: a factor of 1.6.
const KNOWN: u32 = 5;
const PACE_OFF_MAX: f64 = 0.5;

/// CPU time below this says more of the clock than of the host.
const CPU_SECS_MIN: f64 = 50e-6;

/// Requests are of a kind where their other counts, for each of the first, are in the same step of
/// this factor's logarithm: 2 steps for a factor of 2.
const STEPS: f64 = 2.0;

/// Where requests run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Site {
    /// On a host.
    Host(HostId),
    /// On Lambda.
    Function(FunctionId),
}

/// What one request took beside others of its kind. Each pace is the natural logarithm of the CPU
/// seconds for each count.
#[derive(Debug, Clone)]
pub(crate) struct Compared {
    /// Its own.
    pub(crate) pace: f64,
    /// Of the others, by where they ran.
    pub(crate) others: SmallVec<[Pace; 4]>,
}

/// What requests of a kind took at a site.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) site: Site,
    /// The mean.
    pub(crate) mean: f64,
    /// Of how many requests, up to [`RECENT`].
    pub(crate) n: u32,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alike {
    kinds: BTreeMap<Kind, Ran>,
    /// Notes taken so far.
    n: u64,
}

/// The magnitude of the first count, and of each count for each of the first; [`i16::MIN`] where
/// there is none.
type Kind = [i16; COUNTS + 1];

/// What is known of a kind.
#[derive(Debug, Clone, Default)]
struct Ran {
    /// By site, the one that has run it most recently last.
    paces: Vec<Pace>,
    /// The number of the last note.
    noted: u64,
}

// === impl Alike ===

impl Alike {
    /// A request that ran at `site` beside those of its kind that ran elsewhere. `None` where there
    /// are none.
    pub(crate) fn compare(&self, site: Site, cost: &RequestCost) -> Option<Compared> {
        let (kind, pace) = kind(cost)?;
        let ran = self.kinds.get(&kind)?;
        let others = ran.paces.iter().filter(|other| other.site != site).copied();
        let others: SmallVec<_> = others.collect();
        (!others.is_empty()).then_some(Compared { pace, others })
    }

    /// Notes what a request took at `site`.
    pub(crate) fn note(&mut self, site: Site, cost: &RequestCost) {
        let Some((kind, pace)) = kind(cost) else { return };
        if !self.kinds.contains_key(&kind) && KINDS_MAX <= self.kinds.len() {
            let oldest = self.kinds.iter().min_by_key(|(_, ran)| ran.noted).map(|(kind, _)| *kind);
            oldest.and_then(|oldest| self.kinds.remove(&oldest));
        }
        self.n += 1;
        let ran = self.kinds.entry(kind).or_default();
        ran.noted = self.n;
        let known = ran.paces.iter().position(|known| known.site == site);
        let mut known = match known {
            Some(known) => ran.paces.remove(known),
            None => Pace { site, mean: pace, n: 0 },
        };
        known.add(pace);
        if SITES_MAX <= ran.paces.len() {
            ran.paces.remove(0);
        }
        ran.paces.push(known);
    }
}

// === impl Pace ===

impl Pace {
    fn add(&mut self, pace: f64) {
        self.n = (self.n + 1).min(RECENT);
        let most = if self.n <= KNOWN { f64::MAX } else { PACE_OFF_MAX };
        self.mean += (pace - self.mean).clamp(-most, most) / f64::from(self.n);
    }
}

/// The kind of a request, and its pace. `None` where it was not counted, or too short to measure.
fn kind(cost: &RequestCost) -> Option<(Kind, f64)> {
    let cpu_secs = cost.cpu_seconds.filter(|secs| secs.is_finite() && CPU_SECS_MIN <= *secs)?;
    let counts = cost::counts(cost).map(|count| count.filter(|count| 0.0 < *count));
    // Bytes alone say nothing of the time.
    let first = counts.iter().take(COUNTS - 1).copied().flatten().next()?;
    let mut kind = [i16::MIN; COUNTS + 1];
    kind[0] = first.log2().round() as i16;
    for (step, count) in kind.iter_mut().skip(1).zip(counts) {
        if let Some(count) = count {
            *step = ((count / first).log2() * STEPS).round() as i16;
        }
    }
    Some((kind, (cpu_secs / first).ln()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(instructions: f64, cpu_seconds: f64) -> RequestCost {
        RequestCost {
            instructions: Some(instructions),
            cpu_seconds: Some(cpu_seconds),
            ..RequestCost::default()
        }
    }

    fn host(n: u32) -> Site {
        Site::Host(HostId(n))
    }

    #[test]
    fn requests_compare_with_those_of_their_kind_that_ran_elsewhere() {
        let mut alike = Alike::default();
        alike.note(host(1), &cost(1e8, 0.1));
        alike.note(host(2), &cost(1e8, 0.2));
        alike.note(host(2), &cost(1e9, 9.0));
        alike.note(host(3), &RequestCost { bytes_allocated: Some(1e8), ..cost(1e8, 7.0) });
        let compared = alike.compare(host(1), &cost(1.01e8, 0.101)).unwrap();
        assert!((compared.pace - 1e-9_f64.ln()).abs() < 1e-9);
        assert_eq!(compared.others.len(), 1, "{compared:?}");
        assert!((compared.others[0].mean - 2e-9_f64.ln()).abs() < 1e-9, "{compared:?}");
        assert!(alike.compare(host(2), &cost(1e9, 9.0)).is_none(), "nobody else ran one");
    }

    #[test]
    fn no_site_pushes_others_out_and_there_is_a_limit_to_sites_and_kinds() {
        let mut alike = Alike::default();
        alike.note(host(1), &cost(1e8, 0.1));
        for n in 0..100_u32 {
            alike.note(host(2), &cost(1e8, 0.1));
            alike.note(host(3 + n), &cost(1e8 * f64::from(n + 10).exp2(), 0.1));
        }
        let compared = alike.compare(host(2), &cost(1e8, 0.1)).unwrap();
        assert_eq!(compared.others.len(), 1, "{compared:?}");
        for n in 0..100 {
            alike.note(host(n), &cost(1e8, 0.1));
        }
        assert!(alike.kinds.values().all(|ran| ran.paces.len() <= SITES_MAX));
        for n in 0..2000_u32 {
            let bytes_allocated = Some(1.1_f64.powf(f64::from(n) * 4.0));
            alike.note(host(1), &RequestCost { bytes_allocated, ..cost(1e3, 0.1) });
        }
        assert!(alike.kinds.len() <= KINDS_MAX);
    }

    #[test]
    fn what_is_not_counted_or_too_short_has_no_kind() {
        for cost in [
            cost(0.0, 0.1),
            cost(f64::NAN, 0.1),
            cost(1e6, 1e-5),
            cost(1e6, f64::NAN),
            RequestCost {
                bytes_allocated: Some(1e6),
                cpu_seconds: Some(0.1),
                ..RequestCost::default()
            },
        ] {
            assert_eq!(kind(&cost), None, "{cost:?}");
        }
    }
}
