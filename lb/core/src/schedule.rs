//! Ranks hosts for a request: filters, then weighers, then pick, as Nova's scheduler does.
//!
//! Hosts are taken in blocks, so that every filter and weigher sees a block while it is in the
//! cache, and calls through the trait are one per block and policy, not one per host. Nothing is
//! allocated once the scratch space has grown to the fleet.

pub mod delay;
pub mod explain;
pub mod filters;
mod pick;
pub mod weighers;

use std::cmp::Ordering;

use smallvec::SmallVec;

use crate::estimate::Estimate;
use crate::fleet::Fleet;
use crate::host::{HostId, HostState};
use crate::policy::{HostPolicy, SchedulePolicy};
use crate::random::Random;
use crate::units::{Seconds, Time};

pub use delay::Delay;
pub use filters::Filter;
pub use weighers::Weigher;

/// Hosts that are filtered and weighed together: one bit each in a word.
const BLOCK: usize = 64;

/// Hosts of a large fleet that are looked at first, those that promise most.
const PROMISING: usize = 16;

/// How often that is repeated where too few of them pass the filters.
const ROUNDS_MAX: usize = 8;

/// What a request asks of a host.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// The instant of the decision.
    pub now: Time,
    /// What it is predicted to cost.
    pub estimate: Estimate,
    /// Whether the estimate says nothing of this request's size: sizes then count as equal.
    pub blind: bool,
    /// Hosts that have failed it already.
    pub tried: &'a [HostId],
    /// What is believed of hosts.
    pub hosts: &'a HostPolicy,
}

/// The outcome of a ranking: the host to use, and those to use where it fails.
#[derive(Debug, Clone)]
pub struct Ranking {
    /// The host to use.
    pub best: HostId,
    /// Its weight; higher is better.
    pub weight: Seconds,
    /// What the request would cost in time there, itself and others.
    pub delay: Delay,
    /// The next in the ranking, best first.
    pub alternates: SmallVec<[HostId; 2]>,
}

/// A host that passed all filters.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    weight: f64,
    /// Where it stands in the fleet.
    position: u32,
}

/// Up to 64 hosts, those that are kept with their bit set.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    hosts: &'a [HostState],
    kept: u64,
}

/// The hosts of a block by their positions in the fleet, those to look at with their bit set.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: usize,
    last: usize,
    kept: u64,
}

/// The filters and weighers in use, and how to pick.
#[derive(Debug, Clone)]
pub struct Schedule {
    filters: Vec<&'static dyn Filter>,
    weighers: Vec<(&'static dyn Weigher, f64)>,
    host_subset_size: usize,
    shuffle: bool,
    alternates: usize,
    /// Whether bounds of weights bound their sum: no multiplier is negative.
    prunes: bool,
    candidates: Vec<Candidate>,
    /// The most that each host can weigh, in a large fleet.
    bounds: Vec<f64>,
}

// === impl Schedule ===

impl Schedule {
    /// The schedule of `policy`. Names that are in no `ALL`, and multipliers that are not finite,
    /// are left out: the configuration refuses them before.
    pub fn new(policy: &SchedulePolicy) -> Schedule {
        let filters = policy.filters.iter().filter_map(|name| filters::by_name(name)).collect();
        let weighers: Vec<(&'static dyn Weigher, f64)> = policy
            .weighers
            .iter()
            .filter(|(_, multiplier)| multiplier.is_finite())
            .filter_map(|(name, multiplier)| Some((weighers::by_name(name)?, *multiplier)))
            .collect();
        Schedule {
            filters,
            prunes: weighers.iter().all(|(_, multiplier)| 0.0 <= *multiplier),
            weighers,
            host_subset_size: policy.host_subset_size.max(1),
            shuffle: policy.shuffle_best_same_weighed_hosts,
            alternates: policy.alternates,
            candidates: Vec::new(),
            bounds: Vec::new(),
        }
    }

    /// Ranks the hosts of `fleet`. `None` where no host passes. Ties go to the lower [`HostId`].
    ///
    /// Brings to `demand.now` the hosts that it looks at. A host that cannot be among the best, as
    /// its glance shows, is not looked at: in a large fleet that is nearly all.
    ///
    /// Where the filters that may be waived leave no host of those that pass the others, they are
    /// waived: a fleet that is ejected as a whole is used, not shut off.
    pub fn rank(
        &mut self,
        demand: &Demand<'_>,
        fleet: &mut Fleet,
        random: &mut Random,
    ) -> Option<Ranking> {
        self.weigh(demand, fleet, false);
        if self.candidates.is_empty() {
            self.weigh(demand, fleet, true);
        }
        let picked = pick::pick(
            &self.candidates,
            pick::Choice {
                subset: self.host_subset_size,
                shuffle: self.shuffle,
                alternates: self.alternates,
            },
            random,
        );
        let (best, alternates) = picked.split_first()?;
        let host = fleet.hosts().get(best.position as usize)?;
        let id = |candidate: &Candidate| {
            fleet.hosts().get(candidate.position as usize).map(|host| host.id)
        };
        Some(Ranking {
            best: host.id,
            weight: Seconds(best.weight),
            delay: Delay::of(demand, host),
            alternates: alternates.iter().filter_map(id).collect(),
        })
    }

    /// Fills `candidates` with the hosts that pass, and may be among the best, and what they weigh.
    fn weigh(&mut self, demand: &Demand<'_>, fleet: &mut Fleet, waive: bool) {
        self.candidates.clear();
        let n_hosts = fleet.hosts().len();
        let bar = self.first_bar(demand, fleet, waive);
        for first in (0..n_hosts).step_by(BLOCK) {
            let last = n_hosts.min(first + BLOCK);
            let kept = match bar {
                Some(bar) => self.promising(bar, first, last),
                None => u64::MAX >> (BLOCK - (last - first)),
            };
            if kept != 0 {
                self.weigh_block(demand, fleet, Span { first, last, kept }, waive);
            }
        }
        if bar.is_some() {
            self.candidates.sort_unstable_by_key(|candidate| candidate.position);
        }
    }

    /// Filters and weighs the kept hosts of a block, once they have been brought to now.
    fn weigh_block(&mut self, demand: &Demand<'_>, fleet: &mut Fleet, span: Span, waive: bool) {
        for bit in Bits(span.kept) {
            fleet.advance_at(demand.now, span.first + bit);
        }
        let mut block = Block { hosts: &fleet.hosts()[span.first..span.last], kept: span.kept };
        for filter in &self.filters {
            if !(waive && filter.may_be_waived()) {
                block.kept = filter.keep(demand, block);
            }
        }
        if block.kept == 0 {
            return;
        }
        let mut weights = [0.0; BLOCK];
        for (weigher, multiplier) in &self.weighers {
            weigher.weigh(demand, block, *multiplier, &mut weights);
        }
        let passed = Bits(block.kept)
            .map(|bit| Candidate { weight: weights[bit], position: (span.first + bit) as u32 });
        self.candidates.extend(passed);
    }

    /// Bounds the weight of each host by its glance, looks at those with the highest bounds, and
    /// returns the last of those that are picked from: what cannot beat it need not be looked at.
    /// `None` where all are to be looked at: a small fleet, or bounds that do not bound.
    fn first_bar(
        &mut self,
        demand: &Demand<'_>,
        fleet: &mut Fleet,
        waive: bool,
    ) -> Option<Candidate> {
        let wanted = self.host_subset_size.saturating_add(self.alternates);
        let n_hosts = fleet.hosts().len();
        if !self.prunes || n_hosts <= BLOCK || PROMISING <= wanted {
            return None;
        }
        self.bounds.clear();
        self.bounds.resize(n_hosts, 0.0);
        for (weigher, multiplier) in &self.weighers {
            weigher.bound(demand, fleet.glances(), *multiplier, &mut self.bounds);
        }
        for _ in 0..ROUNDS_MAX {
            for candidate in pick::top_of(self.bounds.iter().copied(), PROMISING) {
                let position = candidate.position as usize;
                // Looked at now, and not again.
                self.bounds[position] = f64::NEG_INFINITY;
                let span = Span { first: position, last: position + 1, kept: 1 };
                self.weigh_block(demand, fleet, span, waive);
            }
            if wanted <= self.candidates.len() {
                break;
            }
        }
        self.candidates.sort_unstable_by_key(|candidate| candidate.position);
        let bar = pick::top(&self.candidates, wanted).get(wanted - 1).copied();
        let none = Candidate { weight: f64::NEG_INFINITY, position: 0 };
        Some(bar.unwrap_or(none))
    }

    /// A bit for each host of `first..last` that may beat `bar`, by its bound. What weighs the same
    /// and has a higher id does not, unless those are shuffled.
    fn promising(&self, bar: Candidate, first: usize, last: usize) -> u64 {
        let mut kept = 0;
        for (bit, bound) in self.bounds[first..last].iter().enumerate() {
            let same = self.shuffle || first + bit < bar.position as usize;
            let beats = match bound.total_cmp(&bar.weight) {
                Ordering::Greater => true,
                Ordering::Equal => same && bound.is_finite(),
                Ordering::Less => false,
            };
            kept |= u64::from(beats) << bit;
        }
        kept
    }
}

// === impl Block ===

impl<'a> Block<'a> {
    /// The kept hosts with their bits, in order.
    fn kept(self) -> impl Iterator<Item = (usize, &'a HostState)> {
        Bits(self.kept).filter_map(move |bit| self.hosts.get(bit).map(|host| (bit, host)))
    }
}

/// The positions of the ones in a word, ascending.
struct Bits(u64);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

#[cfg(test)]
mod tests;
