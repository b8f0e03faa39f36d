//! Which class a job is of, by what jobs came late.

use std::collections::VecDeque;

use parking_lot::Mutex;

use weighbridge_core::jobs::Classes;
use weighbridge_core::units::Work;

/// How many classes there are: small, medium and large.
pub(super) const CLASSES: usize = 3;

/// Jobs that bounds are learned from.
const WORKS_MAX: usize = 1000;

/// After so many jobs the bounds are looked at again.
const LEARN_EACH: u64 = 50;

/// Classes whose bounds follow the jobs that come to this balancer.
#[derive(Debug)]
pub(super) struct LearnedClasses {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    classes: Classes,
    works: VecDeque<Work>,
    seen: u64,
}

// === impl LearnedClasses ===

impl LearnedClasses {
    pub(super) fn new() -> LearnedClasses {
        let state = State { classes: Classes::new(CLASSES), works: VecDeque::new(), seen: 0 };
        LearnedClasses { state: Mutex::new(state) }
    }

    /// The class of a job of that work.
    pub(super) fn of(&self, work: Work) -> usize {
        self.state.lock().classes.of(work)
    }

    /// A job of that work came.
    pub(super) fn learn(&self, work: Work) {
        let mut state = self.state.lock();
        if WORKS_MAX <= state.works.len() {
            state.works.pop_front();
        }
        state.works.push_back(work);
        state.seen += 1;
        if state.seen.is_multiple_of(LEARN_EACH) {
            let works: Vec<Work> = state.works.iter().copied().collect();
            state.classes.learn(&works);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_follow_the_late_jobs() {
        let classes = LearnedClasses::new();
        assert_eq!(classes.of(Work::saturating(0.1)), CLASSES - 1, "nothing is known");
        for nth in 0..LEARN_EACH {
            classes.learn(Work::saturating(1.0 + nth as f64));
        }
        let of = |work| classes.of(Work::saturating(work));
        assert_eq!((of(1.0), of(50.0)), (0, CLASSES - 1));
        for _ in 0..2 * WORKS_MAX {
            classes.learn(Work::saturating(1000.0));
        }
        assert_eq!(classes.of(Work::saturating(50.0)), 0);
        assert_eq!(classes.state.lock().works.len(), WORKS_MAX);
    }
}
