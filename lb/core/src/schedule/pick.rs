//! From weighed hosts to the one to use.
//!
//! Nova's two settings: `host_subset_size` picks at random among that many of the best, so that
//! several balancers do not all run to the same host; `shuffle_best_same_weighed_hosts` picks at
//! random among the hosts that weigh exactly the same as the best. Without them the best host wins,
//! the lower id where two weigh the same.

use smallvec::SmallVec;

use super::Candidate;
use crate::random::Random;

/// The picked host, among `subset` of the best (at least 1). `None` where there is no candidate.
/// Takes one pass over the candidates, which stand in order of id.
pub(super) fn pick(
    candidates: &[Candidate],
    subset: usize,
    shuffle: bool,
    random: &mut Random,
) -> Option<Candidate> {
    let mut best = top(candidates, subset);
    if shuffle {
        shuffle_best(candidates, &mut best, random);
    }
    let picked = if 1 < subset { random.below(best.len()) } else { 0 };
    best.get(picked).copied()
}

/// The `n` candidates of highest weight, best first, the earlier one where two weigh the same.
pub(super) fn top(candidates: &[Candidate], n: usize) -> SmallVec<[Candidate; 4]> {
    let mut best = SmallVec::new();
    for candidate in candidates {
        add(&mut best, *candidate, n);
    }
    best
}

/// The positions of the `n` highest weights, best first, the earlier one where two weigh the same.
pub(super) fn top_of(weights: &[f64], n: usize) -> SmallVec<[Candidate; 4]> {
    let mut best = SmallVec::new();
    for (position, weight) in weights.iter().enumerate() {
        add(&mut best, Candidate { weight: *weight, position: position as u32 }, n);
    }
    best
}

/// Puts `candidate` where it belongs among the `n` best.
pub(super) fn add(best: &mut SmallVec<[Candidate; 4]>, candidate: Candidate, n: usize) {
    let precedes = |other: &Candidate| {
        candidate.weight < other.weight
            || (candidate.weight <= other.weight && other.position < candidate.position)
    };
    if best.len() == n {
        if best.last().is_none_or(precedes) {
            return;
        }
        best.pop();
    }
    let place = best.partition_point(precedes);
    best.insert(place, candidate);
}

/// Puts a random one of all that weigh the same as the best in the first place.
fn shuffle_best(
    candidates: &[Candidate],
    best: &mut SmallVec<[Candidate; 4]>,
    random: &mut Random,
) {
    let Some(first) = best.first().copied() else { return };
    let same = |candidate: &&Candidate| candidate.weight.total_cmp(&first.weight).is_eq();
    let n_same = candidates.iter().filter(same).count();
    let picked = candidates.iter().filter(same).nth(random.below(n_same));
    let Some(picked) = picked.copied() else { return };
    let place = best.iter().position(|other| other.position == picked.position);
    if let Some(place) = place {
        best[..=place].rotate_right(1);
    } else {
        best.pop();
        best.insert(0, picked);
    }
}
