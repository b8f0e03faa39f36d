//! Classes of sizes, for queues that cannot be reordered: each class has an equal part of the load.
//!
//! Three such classes take most of what a full order gives: of a mean response of 47.2 s at load
//! 0.9, first come first served, three classes leave 11.1 s and the full order 9.1 s (Cobham's
//! formula; sizes of a coefficient of variation of 3.1).

use crate::units::Work;

/// A bound moves when it is off by more than this part of itself: jobs that wait keep their class.
const MOVES_AT: f64 = 0.2;

/// The bounds between classes, ascending: one fewer than there are classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Classes {
    bounds: Vec<Work>,
}

// === impl Classes ===

impl Classes {
    /// `n` classes, of which nothing is known yet: every job is of the last one. At least 1.
    pub fn new(n: usize) -> Classes {
        Classes { bounds: vec![Work::ZERO; n.max(1) - 1] }
    }

    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.bounds.len() + 1
    }

    /// There is always one.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The class of a job of that work: 0 has the smallest.
    pub fn of(&self, work: Work) -> usize {
        self.bounds.partition_point(|bound| *bound < work)
    }

    /// Moves the bounds so that each class has an equal part of the load, as `works` of late jobs
    /// say; those that are nearly so stay. Nothing changes where there are fewer works than
    /// classes.
    pub fn learn(&mut self, works: &[Work]) {
        if works.len() < self.len() {
            return;
        }
        let mut sorted: Vec<f64> = works.iter().map(|work| work.as_cpu_secs()).collect();
        sorted.sort_by(f64::total_cmp);
        let total: f64 = sorted.iter().sum();
        let part = total / self.len() as f64;
        let (mut sum, mut next) = (0.0, 0);
        for work in sorted {
            sum += work;
            while next < self.bounds.len() && part * (next + 1) as f64 <= sum {
                move_to(&mut self.bounds[next], work);
                next += 1;
            }
        }
        // Where one moved and its neighbour did not.
        self.bounds.sort_by(|a, b| a.as_cpu_secs().total_cmp(&b.as_cpu_secs()));
    }
}

fn move_to(bound: &mut Work, to: f64) {
    let from = bound.as_cpu_secs();
    if MOVES_AT * from < (to - from).abs() {
        *bound = Work::saturating(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn heavy_tailed(seed: u64) -> Vec<Work> {
        let mut random = Random::new(seed);
        let sizes = (0..5000).map(|_| 0.1 * (1.0 - random.unit()).powf(-1.0 / 1.5));
        sizes.map(|size| Work::saturating(size.min(100.0))).collect()
    }

    #[test]
    fn each_class_has_an_equal_part_of_the_load() {
        for n in 1..=5 {
            let works = heavy_tailed(n as u64);
            let mut classes = Classes::new(n);
            classes.learn(&works);
            let mut loads = vec![0.0; n];
            for work in &works {
                loads[classes.of(*work)] += work.as_cpu_secs();
            }
            let mean = loads.iter().sum::<f64>() / n as f64;
            assert!(loads.iter().all(|load| (load / mean - 1.0).abs() < 0.2), "{n}: {loads:?}");
        }
    }

    #[test]
    fn bounds_that_are_nearly_right_stay() {
        let mut classes = Classes::new(3);
        classes.learn(&heavy_tailed(1));
        let before = classes.clone();
        classes.learn(&heavy_tailed(2));
        assert_eq!(classes, before);
        let larger: Vec<Work> = heavy_tailed(3).into_iter().map(|work| work * 2.0).collect();
        classes.learn(&larger);
        assert_ne!(classes, before);
    }

    #[test]
    fn what_is_not_known_is_of_the_last_class() {
        let mut classes = Classes::new(3);
        assert_eq!(classes.of(Work::saturating(0.001)), 2);
        classes.learn(&[Work::saturating(1.0)]);
        assert_eq!((classes.len(), classes.of(Work::saturating(0.001))), (3, 2));
        assert_eq!(Classes::new(0).of(Work::saturating(5.0)), 0);
    }
}
