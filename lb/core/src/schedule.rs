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

use smallvec::SmallVec;

use crate::estimate::Estimate;
use crate::fleet::{Fleet, Glance};
use crate::host::{HostId, HostState};
use crate::policy::{HostPolicy, SchedulePolicy};
use crate::random::Random;
use crate::units::{Seconds, Time};

pub use delay::Delay;
pub use filters::Filter;
pub use weighers::Weigher;

/// Hosts that are filtered and weighed together: one bit each in a word.
const BLOCK: usize = 64;

/// Weights that differ by less than this, relatively, are the same.
const ROUNDING: f64 = 1e-12;

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

/// Up to [`BLOCK`] hosts, those that are kept with their bit set.
#[derive(Debug, Clone, Copy)]
pub struct Block<'a> {
    hosts: &'a [HostState],
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
        let mut weights = [0.0; BLOCK];
        let mut bar = pick::Bar::new(self.host_subset_size.saturating_add(self.alternates));
        let n_hosts = fleet.hosts().len();
        for first in (0..n_hosts).step_by(BLOCK) {
            let last = n_hosts.min(first + BLOCK);
            let kept = self.promising(demand, &fleet.glances()[first..last], bar.height());
            for bit in Bits(kept) {
                fleet.advance_at(demand.now, first + bit);
            }
            let mut block = Block { hosts: &fleet.hosts()[first..last], kept };
            for filter in &self.filters {
                if !(waive && filter.may_be_waived()) {
                    block.kept = filter.keep(demand, block);
                }
            }
            if block.kept == 0 {
                continue;
            }
            weights[..block.hosts.len()].fill(0.0);
            for (weigher, multiplier) in &self.weighers {
                weigher.weigh(demand, block, *multiplier, &mut weights);
            }
            for bit in Bits(block.kept) {
                let weight = weights[bit];
                bar.raise(weight);
                self.candidates.push(Candidate { weight, position: (first + bit) as u32 });
            }
        }
    }

    /// A bit for each host that may weigh as much as `bar`, by its glance.
    fn promising(&self, demand: &Demand<'_>, glances: &[Glance], bar: f64) -> u64 {
        let all = u64::MAX >> (BLOCK - glances.len());
        if bar == f64::NEG_INFINITY || !self.prunes {
            return all;
        }
        // What weighs the same as the last of the best loses to it by its id, unless they are shuffled.
        let rounding = if self.shuffle { -ROUNDING } else { ROUNDING };
        let bar = bar + bar.abs() * rounding;
        let mut most = [0.0; BLOCK];
        for (weigher, multiplier) in &self.weighers {
            weigher.bound(demand, glances, *multiplier, &mut most);
        }
        let promises = most.iter().take(glances.len()).enumerate();
        promises.fold(0, |kept, (bit, most)| kept | u64::from(bar <= *most) << bit)
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
