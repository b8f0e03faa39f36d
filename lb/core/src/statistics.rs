//! Numbers that stand for many.

use std::collections::VecDeque;

/// The value that the fraction `share` of `values` does not exceed, by the nearest rank: one that
/// is there. `None` where there are none. Takes linear time.
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut values = values.to_vec();
    let last = values.len().checked_sub(1)?;
    let rank = rank(values.len(), share).min(last);
    Some(*values.select_nth_unstable_by(rank, f64::total_cmp).1)
}

/// The middle one, the lower of two; `None` where there are none.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The newest values of a series, in order of size too: so a quantile is there without a sort.
/// A push moves at most as many bytes as they take.
#[derive(Debug, Clone, Default)]
pub struct Newest {
    most: usize,
    by_age: VecDeque<f64>,
    by_size: Vec<f64>,
}

impl Newest {
    /// Of a series that has not begun: the newest `most`, at least one.
    pub fn of(most: usize) -> Newest {
        Newest { most: most.max(1), ..Newest::default() }
    }

    /// The series goes on with `value`.
    pub fn push(&mut self, value: f64) {
        if self.by_age.len() == self.most {
            self.forget_oldest();
        }
        self.by_age.push_back(value);
        let place = self.place(value);
        self.by_size.insert(place, value);
    }

    /// Keeps the newest `n`.
    pub fn keep(&mut self, n: usize) {
        while n < self.by_age.len() {
            self.forget_oldest();
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_age.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_age.is_empty()
    }

    /// As [`quantile`].
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let last = self.by_size.len().checked_sub(1)?;
        Some(self.by_size[rank(self.by_size.len(), share).min(last)])
    }

    /// As [`median`].
    pub fn median(&self) -> Option<f64> {
        self.quantile(0.5)
    }

    /// How many are above `limit`.
    pub fn n_above(&self, limit: f64) -> usize {
        self.by_size.len() - self.by_size.partition_point(|value| value.total_cmp(&limit).is_le())
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.by_age.pop_front() {
            let place = self.place(oldest);
            self.by_size.remove(place);
        }
    }

    /// Where the first that is not less than `value` is, or would be.
    fn place(&self, value: f64) -> usize {
        self.by_size.partition_point(|other| other.total_cmp(&value).is_lt())
    }
}

/// Which one of so many, in order of size, is at that share of them.
fn rank(n: usize, share: f64) -> usize {
    let rank = (share * n as f64).ceil() as usize;
    rank.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::{Newest, median, quantile};
    use crate::random::Random;

    #[test]
    fn quantiles_are_values_that_are_there() {
        let values = [4.0, 1.0, 3.0, 2.0];
        let of = |share| quantile(&values, share);
        assert_eq!([0.0, 0.25, 0.5].map(of), [Some(1.0), Some(1.0), Some(2.0)]);
        assert_eq!([0.9, 1.0].map(of), [Some(4.0), Some(4.0)]);
        assert_eq!(median(&values), Some(2.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn the_newest_have_the_quantiles_of_a_sort() {
        let mut random = Random::new(1);
        let (mut newest, mut all) = (Newest::of(7), Vec::new());
        assert_eq!((newest.median(), newest.len()), (None, 0));
        for step in 0..1000 {
            // Few different values, so that there are equal ones.
            let value = random.below(10) as f64;
            newest.push(value);
            all.push(value);
            if step % 50 == 49 {
                newest.keep(3);
                all.drain(..all.len() - 3);
            }
            let of = &all[all.len().saturating_sub(7)..];
            assert_eq!(newest.len(), of.len());
            for share in [0.0, 0.1, 0.5, 0.9, 1.0] {
                assert_eq!(newest.quantile(share), quantile(of, share), "{share} of {of:?}");
            }
            let above = of.iter().filter(|value| 4.0 < **value).count();
            assert_eq!(newest.n_above(4.0), above);
        }
    }
}
