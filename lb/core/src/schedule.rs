//! Ranks hosts for a request: filters, then weighers, then pick, as Nova's scheduler does.
//!
//! Hosts are taken in batches, so that every filter and weigher sees a batch while it is in the
//! cache, and calls through the trait are one per batch and policy, not one per host. Nothing is
//! allocated once the scratch space has grown to the fleet.
//!
//! In a large fleet a host is looked at only where its glance allows that it is among the best. The
//! ranking is exactly that of looking at all hosts.

pub mod delay;
pub mod explain;
pub mod filters;
pub mod hold;
mod pick;
pub mod weighers;

use std::cmp::Ordering;

use smallvec::SmallVec;

use crate::estimate::Estimate;
use crate::fleet::{self, Fleet, Glance};
use crate::host::{HostId, HostState};
use crate::policy::HostPolicy;
use crate::random::Random;
use crate::units::{Seconds, Time};

use hold::Hold;

pub use delay::Delay;
pub use filters::Filter;
pub use weighers::Weigher;

/// Hosts that are filtered and weighed together, at most: one bit each in a word.
const BATCH: usize = 64;

/// Blocks of a large fleet that are looked at first: those that promise most.
const PROMISING: usize = 4;

/// How hosts are filtered and weighed (Nova: `host_subset_size`,
/// `shuffle_best_same_weighed_hosts`).
#[derive(Debug, Clone)]
pub struct SchedulePolicy {
    /// The filters to run, in order.
    pub filters: Vec<&'static dyn Filter>,
    /// The weighers to run, with their multipliers.
    pub weighers: Vec<(&'static dyn Weigher, f64)>,
    /// The pick is random among this many of the best; at least 1.
    pub host_subset_size: usize,
    /// Whether hosts of equal best weight are shuffled before the pick.
    pub shuffle_best_same_weighed_hosts: bool,
    /// Hosts that share their time, or serve in order of arrival, hold requests: the ratio of
    /// [`Hold`]. `None`: requests go where they wait for at most their route's patience.
    pub hold: Option<f64>,
}

/// What a request asks of a host.
#[derive(Debug, Clone, Copy)]
pub struct Demand<'a> {
    /// The instant of the decision.
    pub now: Time,
    /// What it is predicted to cost.
    pub estimate: Estimate,
    /// Hosts that have failed it already.
    pub tried: &'a [HostId],
    /// What is believed of hosts.
    pub hosts: &'a HostPolicy,
    /// Which hosts are closed to it; `None`: none is.
    pub hold: Option<Hold>,
}

/// The outcome of a ranking.
#[derive(Debug, Clone, Copy)]
pub struct Ranking {
    /// The host to use.
    pub best: HostId,
    /// What the request would cost in time there, itself and others.
    pub delay: Delay,
    /// Whether filters were waived, because no host passed all of them.
    is_waived: bool,
}

// === impl Ranking ===

impl Ranking {
    /// The same where the request would wait for `wait` there.
    #[must_use]
    pub fn with_wait(self, wait: Seconds) -> Ranking {
        Ranking { delay: Delay { wait, ..self.delay }, ..self }
    }
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
pub struct Batch<'a> {
    hosts: &'a [HostState],
    kept: u64,
}

/// The hosts of a batch by their positions in the fleet, those to look at with their bit set.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: usize,
    last: usize,
    kept: u64,
}

/// The best hosts of those that have been looked at: what another has to beat.
#[derive(Debug)]
struct Bar {
    best: SmallVec<[Candidate; 4]>,
    /// How many are picked from; at least 1.
    wanted: usize,
    shuffle: bool,
}

/// The filters and weighers in use, and how to pick.
#[derive(Debug, Clone)]
pub struct Schedule {
    filters: Vec<&'static dyn Filter>,
    weighers: Vec<(&'static dyn Weigher, f64)>,
    host_subset_size: usize,
    shuffle: bool,
    /// Whether bounds of weights bound their sum: no multiplier is negative.
    prunes: bool,
    candidates: Vec<Candidate>,
    /// The most that a host of each block can weigh, in a large fleet.
    bounds: Vec<f64>,
}

// === impl Schedule ===

impl Schedule {
    /// The schedule of `policy`. Multipliers that are not finite are left out: the configuration
    /// refuses them before.
    pub fn new(policy: &SchedulePolicy) -> Schedule {
        let weighers = policy.weighers.iter().copied();
        let weighers: Vec<_> = weighers.filter(|(_, by)| by.is_finite()).collect();
        Schedule {
            filters: policy.filters.clone(),
            prunes: weighers.iter().all(|(_, multiplier)| 0.0 <= *multiplier),
            weighers,
            host_subset_size: policy.host_subset_size.max(1),
            shuffle: policy.shuffle_best_same_weighed_hosts,
            candidates: Vec::new(),
            bounds: Vec::new(),
        }
    }

    /// Ranks the hosts of `fleet`. `None` where no host passes. Ties go to the lower [`HostId`].
    ///
    /// Brings to `demand.now` the hosts that it looks at. A host that cannot be among the best, as
    /// its glance shows, is not looked at: in a large fleet that is nearly all.
    ///
    /// Filters that may be waived are waived where they would leave no host: a fleet that is
    /// ejected as a whole is used, not shut off. Hosts that are closed pass: see
    /// [`Schedule::rank_open`].
    pub fn rank(
        &mut self,
        demand: &Demand<'_>,
        fleet: &mut Fleet,
        random: &mut Random,
    ) -> Option<Ranking> {
        let all = Demand { hold: None, ..*demand };
        let ranking = self.rank_passing(&all, fleet, random, false);
        ranking.or_else(|| self.rank_passing(&all, fleet, random, true))
    }

    /// Ranks those of the hosts that are open to the request. `ranking` is that of all of them: no
    /// filter is waived because hosts are closed. `None` where none is open.
    pub fn rank_open(
        &mut self,
        demand: &Demand<'_>,
        fleet: &mut Fleet,
        random: &mut Random,
        ranking: &Ranking,
    ) -> Option<Ranking> {
        self.rank_passing(demand, fleet, random, ranking.is_waived)
    }

    fn rank_passing(
        &mut self,
        demand: &Demand<'_>,
        fleet: &mut Fleet,
        random: &mut Random,
        is_waived: bool,
    ) -> Option<Ranking> {
        self.weigh(demand, fleet, is_waived);
        let picked = pick::pick(&self.candidates, self.host_subset_size, self.shuffle, random)?;
        let host = fleet.hosts().get(picked.position as usize)?;
        Some(Ranking { best: host.id, delay: Delay::of(demand, host), is_waived })
    }

    /// Fills `candidates` with the hosts that pass, and may be among the best, and what they weigh,
    /// in the order of the fleet.
    fn weigh(&mut self, demand: &Demand<'_>, fleet: &mut Fleet, waive: bool) {
        self.candidates.clear();
        let n_hosts = fleet.hosts().len();
        if self.prunes && BATCH < n_hosts {
            self.search(demand, fleet, waive);
            self.candidates.sort_unstable_by_key(|candidate| candidate.position);
            return;
        }
        for first in (0..n_hosts).step_by(BATCH) {
            let last = n_hosts.min(first + BATCH);
            let kept = u64::MAX >> (BATCH - (last - first));
            self.weigh_batch(demand, fleet, Span { first, last, kept }, waive);
        }
    }

    /// Looks at the blocks that promise most, which sets the bar, and then at those that may pass
    /// it.
    fn search(&mut self, demand: &Demand<'_>, fleet: &mut Fleet, waive: bool) {
        self.bound_blocks(demand, fleet);
        let mut bar = Bar::new(self.host_subset_size, self.shuffle);
        for promising in pick::top_of(&self.bounds, PROMISING) {
            let block = promising.position as usize;
            // Looked at now, and not again.
            self.bounds[block] = f64::NEG_INFINITY;
            self.search_block(demand, fleet, block * fleet::BLOCK, (&mut bar, waive));
        }
        for block in 0..self.bounds.len() {
            let first = block * fleet::BLOCK;
            if bar.may_be_passed(self.bounds[block], first) {
                self.search_block(demand, fleet, first, (&mut bar, waive));
            }
        }
    }

    /// Looks at hosts of the block that begins at `first`: at those that may pass the bar.
    fn search_block(
        &mut self,
        demand: &Demand<'_>,
        fleet: &mut Fleet,
        first: usize,
        (bar, waive): (&mut Bar, bool),
    ) {
        let last = fleet.hosts().len().min(first + fleet::BLOCK);
        let mut bounds = [0.0; fleet::BLOCK];
        let bounds = &mut bounds[..last - first];
        let glances = &fleet.glances().hosts()[first..last];
        for (weigher, multiplier) in &self.weighers {
            weigher.bound(demand, glances, *multiplier, bounds);
        }
        if demand.hold.is_some() {
            for (most, glance) in bounds.iter_mut().zip(glances) {
                if !demand.may_be_open(glance) {
                    *most = f64::NEG_INFINITY;
                }
            }
        }
        let mut seen = 0;
        if !bar.is_set() {
            // Those that promise most set the bar for the others.
            let mut promising = pick::top_of(bounds, bar.wanted);
            promising.retain(|one| f64::NEG_INFINITY < one.weight);
            seen = promising.iter().fold(0, |kept, one| kept | 1 << one.position);
            self.look_at(demand, fleet, Span { first, last, kept: seen }, (bar, waive));
        }
        let passing = bounds.iter().enumerate();
        let passing = passing.filter(|(bit, most)| bar.may_be_passed(**most, first + bit));
        let kept = passing.fold(0, |kept, (bit, _)| kept | 1 << bit) & !seen;
        self.look_at(demand, fleet, Span { first, last, kept }, (bar, waive));
    }

    /// Looks at the kept hosts of a block, and raises the bar to what they weigh.
    fn look_at(
        &mut self,
        demand: &Demand<'_>,
        fleet: &mut Fleet,
        span: Span,
        (bar, waive): (&mut Bar, bool),
    ) {
        if span.kept != 0 {
            let n_before = self.candidates.len();
            self.weigh_batch(demand, fleet, span, waive);
            bar.raise(&self.candidates[n_before..]);
        }
    }

    /// Fills `bounds` with the most that a host of each block can weigh.
    fn bound_blocks(&mut self, demand: &Demand<'_>, fleet: &mut Fleet) {
        self.bounds.clear();
        for groups in fleet.glances().blocks() {
            let mut most = [0.0; 2];
            for (weigher, multiplier) in &self.weighers {
                weigher.bound(demand, groups, *multiplier, &mut most);
            }
            let may_take = |group: &Glance| !group.is_nobody() && demand.may_be_open(group);
            let somebody = groups.iter().zip(most).filter(|(group, _)| may_take(group));
            let most = somebody.map(|(_, most)| most).fold(f64::NEG_INFINITY, f64::max);
            self.bounds.push(most);
        }
    }

    /// Filters and weighs the kept hosts of a batch, once they have been brought to now.
    fn weigh_batch(&mut self, demand: &Demand<'_>, fleet: &mut Fleet, span: Span, waive: bool) {
        for bit in Bits(span.kept) {
            fleet.advance_at(demand.now, span.first + bit);
        }
        let mut batch = Batch { hosts: &fleet.hosts()[span.first..span.last], kept: span.kept };
        for filter in &self.filters {
            if !(waive && filter.may_be_waived()) {
                batch.kept = filter.keep(demand, batch);
            }
        }
        if let Some(hold) = demand.hold {
            batch.kept = batch.open(demand, hold);
        }
        if batch.kept == 0 {
            return;
        }
        let mut weights = [0.0; BATCH];
        for (weigher, multiplier) in &self.weighers {
            weigher.weigh(demand, batch, *multiplier, &mut weights);
        }
        let passed = Bits(batch.kept)
            .map(|bit| Candidate { weight: weights[bit], position: (span.first + bit) as u32 });
        self.candidates.extend(passed);
    }
}

// === impl Demand ===

impl Demand<'_> {
    /// Whether a host of that glance may be open to the request.
    fn may_be_open(&self, glance: &Glance) -> bool {
        self.hold.is_none_or(|hold| hold.may_be_open(self, glance))
    }

    /// Whether the host is open to the request.
    fn is_open(&self, host: &HostState) -> bool {
        self.hold.is_none_or(|hold| hold.is_open(self, host))
    }
}

// === impl Bar ===

impl Bar {
    /// The last of the `wanted` best is to be passed. Nothing is known of them yet.
    fn new(wanted: usize, shuffle: bool) -> Bar {
        Bar { best: SmallVec::new(), wanted, shuffle }
    }

    /// Takes note of hosts that have been weighed.
    fn raise(&mut self, weighed: &[Candidate]) {
        for candidate in weighed {
            pick::add(&mut self.best, *candidate, self.wanted);
        }
    }

    /// Whether as many hosts have been weighed as are picked from.
    fn is_set(&self) -> bool {
        self.wanted <= self.best.len()
    }

    /// Whether a host at `position`, or after it, that weighs `most` at most may be among those
    /// that are picked from. What weighs the same as the last of them and comes later is not,
    /// unless those are shuffled.
    fn may_be_passed(&self, most: f64, position: usize) -> bool {
        let Some(bar) = self.best.get(self.wanted - 1) else { return f64::NEG_INFINITY < most };
        match most.total_cmp(&bar.weight) {
            Ordering::Greater => true,
            Ordering::Equal => self.shuffle || position < bar.position as usize,
            Ordering::Less => false,
        }
    }
}

// === impl Batch ===

impl<'a> Batch<'a> {
    /// The kept hosts with their bits, in order.
    fn kept(self) -> impl Iterator<Item = (usize, &'a HostState)> {
        Bits(self.kept).filter_map(move |bit| self.hosts.get(bit).map(|host| (bit, host)))
    }

    /// Those of the kept hosts that are open, a bit for each.
    fn open(self, demand: &Demand<'_>, hold: Hold) -> u64 {
        let open = self.kept().filter(|(_, host)| hold.is_open(demand, host));
        open.fold(0, |open, (bit, _)| open | 1 << bit)
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
