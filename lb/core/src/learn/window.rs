//! The newest observations of a route, with repeats held down.
//!
//! Requests of equal features are one request, as far as a model can see. However often one comes,
//! it has a small part of the window: else a hot request would push out all that the model knows of
//! others.

use std::collections::{BTreeMap, VecDeque};

use smallvec::SmallVec;

use crate::features::Features;
use crate::observe::Observation;

/// Observations of equal features are at most this part of the window, and may be `ALIKE_MIN`.
const ALIKE_PART: usize = 20;
const ALIKE_MIN: usize = 10;

/// In training, requests of equal features count at most this many times as often as the middle one
/// does.
const ALIKE_FACTOR: usize = 5;

/// Where that would leave fewer rows than this, equal features count more often.
const BALANCED_MIN: usize = 30;

/// Features as they compare: bit by bit.
type Key = SmallVec<[u64; 8]>;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// By the number in which they came, the oldest first.
    rows: BTreeMap<u64, Observation>,
    /// The numbers of those of equal features, the oldest first.
    alike: BTreeMap<Key, VecDeque<u64>>,
    next: u64,
    rows_max: usize,
}

// === impl Window ===

impl Window {
    /// An empty one for `rows_max` observations, at least one.
    pub(super) fn new(rows_max: usize) -> Window {
        let rows_max = rows_max.max(1);
        Window { rows: BTreeMap::new(), alike: BTreeMap::new(), next: 0, rows_max }
    }

    /// Room for `rows_max` observations from now on; the newest stay.
    pub(super) fn resize(&mut self, rows_max: usize) {
        self.rows_max = rows_max.max(1);
        self.keep_newest(self.rows_max);
    }

    /// How many different features they have.
    pub(super) fn n_different(&self) -> usize {
        self.alike.len()
    }

    /// Takes one more in: in the place of the oldest like it where there are many, else of the
    /// oldest.
    pub(super) fn push(&mut self, observation: Observation) {
        let alike_max = (self.rows_max / ALIKE_PART).max(ALIKE_MIN);
        let numbers = self.alike.entry(key(&observation.features)).or_default();
        if alike_max <= numbers.len()
            && let Some(oldest) = numbers.pop_front()
        {
            self.rows.remove(&oldest);
        }
        numbers.push_back(self.next);
        self.rows.insert(self.next, observation);
        self.next += 1;
        self.keep_newest(self.rows_max);
    }

    /// Forgets all but the newest `n`.
    pub(super) fn keep_newest(&mut self, n: usize) {
        while n < self.rows.len() {
            self.forget_oldest();
        }
    }

    /// The observations, the oldest first.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Observation> {
        self.rows.values()
    }

    fn forget_oldest(&mut self) {
        let Some((_, oldest)) = self.rows.pop_first() else { return };
        let key = key(&oldest.features);
        if let Some(numbers) = self.alike.get_mut(&key) {
            numbers.pop_front();
            if numbers.is_empty() {
                self.alike.remove(&key);
            }
        }
    }
}

/// The newest of each kind of `rows`, which stand the oldest first: where some features come far
/// more often than the middle ones do, a part of those. And how many different features there are.
pub(super) fn balanced(rows: &[Observation]) -> (Vec<&Observation>, usize) {
    let mut alike: BTreeMap<Key, usize> = BTreeMap::new();
    for row in rows {
        *alike.entry(key(&row.features)).or_default() += 1;
    }
    let n_different = alike.len();
    let most = most_alike(alike.values().copied().collect(), rows.len());
    // Of each kind the oldest are left out, as many as are too many.
    let kept = rows.iter().filter(|row| {
        let left = alike.get_mut(&key(&row.features));
        left.is_none_or(|left| {
            let is_kept = *left <= most;
            *left -= usize::from(!is_kept);
            is_kept
        })
    });
    (kept.collect(), n_different)
}

/// How many rows of equal features are kept, of `n_rows` that have so many of each kind.
fn most_alike(mut sizes: Vec<usize>, n_rows: usize) -> usize {
    sizes.sort_unstable();
    let middle = sizes.get(sizes.len().saturating_sub(1) / 2).copied().unwrap_or(0);
    let mut most = middle.saturating_mul(ALIKE_FACTOR).max(1);
    let kept = |most: usize| sizes.iter().map(|size| *size.min(&most)).sum::<usize>();
    while kept(most) < n_rows.min(BALANCED_MIN) {
        most *= 2;
    }
    most
}

fn key(features: &Features) -> Key {
    features.0.iter().map(|value| value.to_bits()).collect()
}
