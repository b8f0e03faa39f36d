//! What a balancer holds of queues that cannot be reordered: a few jobs, at least one of each class
//! that has any, so that a short one is at hand while giants run.
//!
//! It holds as many as may run at once and one more of each class. A larger window would hide jobs
//! from other balancers. What it holds goes by the order of the [line](super::line), with the same
//! age guard. A queue that can be ordered needs none of this.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::{Age, Job, JobId, Line};
use crate::units::Time;

/// See the module.
#[derive(Debug, Clone)]
pub struct Window {
    slots: usize,
    bytes_max: u64,
    line: Line,
    held: BTreeMap<JobId, Held>,
    bytes: u64,
    /// For each class how many are held, and whether its queue was empty when it was last asked.
    classes: Vec<(usize, bool)>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    class: usize,
    bytes: u64,
    rank: u64,
}

// === impl Window ===

impl Window {
    /// A window for `slots` jobs at once of `classes` classes, and for `bytes_max` bytes of them.
    pub fn new(age: Age, slots: usize, classes: usize, bytes_max: u64) -> Window {
        let classes = classes.max(1);
        Window {
            slots,
            bytes_max,
            line: Line::new(age, slots.saturating_add(classes)),
            held: BTreeMap::new(),
            bytes: 0,
            classes: vec![(0, false); classes],
        }
    }

    /// How many it holds.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Which class to fetch from next, and how many at most; `None` while it holds enough, or all
    /// queues were empty when they were last asked. Classes of which none is held go first, then
    /// the smallest.
    pub fn wants(&self) -> Option<(usize, usize)> {
        if self.bytes_max <= self.bytes {
            return None;
        }
        let mut full = self.classes.iter().enumerate().filter(|(_, (_, is_empty))| !is_empty);
        let missing = full.clone().find(|(_, (held, _))| *held == 0);
        if let Some((class, _)) = missing {
            return Some((class, 1));
        }
        let room = (self.slots + self.classes.len()).saturating_sub(self.held.len());
        let (class, _) = full.next().filter(|_| 0 < room)?;
        Some((class, room))
    }

    /// The queue of that class was empty.
    pub fn was_empty(&mut self, class: usize) {
        if let Some((_, is_empty)) = self.classes.get_mut(class) {
            *is_empty = true;
        }
    }

    /// Queues that were empty are to be asked again.
    pub fn look_again(&mut self) {
        self.classes.iter_mut().for_each(|(_, is_empty)| *is_empty = false);
    }

    /// Takes a job that was fetched from that class, and may go at once. Where it holds too much,
    /// [`Window::surplus`] says what is to be given back. False where there is no such class, or it
    /// has the job already.
    pub fn push(&mut self, now: Time, job: &Job, (class, bytes): (usize, u64)) -> bool {
        if self.held.contains_key(&job.id) {
            return false;
        }
        let Some((held, is_empty)) = self.classes.get_mut(class) else { return false };
        (*held, *is_empty) = (*held + 1, false);
        self.held.insert(job.id, Held { class, bytes, rank: job.rank() });
        self.bytes = self.bytes.saturating_add(bytes);
        if !self.line.push(job, now) {
            self.remove(job.id);
            return false;
        }
        true
    }

    /// The first `n`, in the order in which they are to be tried.
    pub fn first(&mut self, now: Time, n: usize) -> SmallVec<[JobId; 16]> {
        self.line.first(now, n)
    }

    /// A job starts: its place is free. False where it is not held.
    pub fn start(&mut self, now: Time, id: JobId) -> bool {
        self.line.start(now, id);
        self.remove(id)
    }

    /// A job is given back, or its lease at the queue is lost. False where it is not held.
    pub fn remove(&mut self, id: JobId) -> bool {
        self.line.remove(id);
        let Some(held) = self.held.remove(&id) else { return false };
        self.bytes = self.bytes.saturating_sub(held.bytes);
        if let Some((n, _)) = self.classes.get_mut(held.class) {
            *n = n.saturating_sub(1);
        }
        true
    }

    /// The job to give back while it holds more bytes than it may: the one that would go last, but
    /// never the only one.
    pub fn surplus(&self) -> Option<JobId> {
        if self.bytes <= self.bytes_max || self.held.len() < 2 {
            return None;
        }
        self.held.iter().max_by_key(|(id, held)| (held.rank, **id)).map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::jobs::Limits;
    use crate::random::Random;
    use crate::units::Work;

    const AGE: Age = Age { floor: Duration::from_mins(1), factor: 10.0 };

    fn job(id: u128, cpu_secs: f64, received: Time) -> Job {
        let work = Work::saturating(cpu_secs);
        Job::new(JobId::from_bits(id), (work, work), received, &Limits::for_tests())
    }

    #[test]
    fn it_wants_one_of_each_class_and_then_the_smallest() {
        let mut window = Window::new(AGE, 2, 3, 100);
        let mut wanted = Vec::new();
        for id in 0..9 {
            let Some((class, most)) = window.wants() else { break };
            wanted.push((class, most));
            assert!(window.push(Time::ZERO, &job(id, 1.0, Time::ZERO), (class, 1)));
        }
        assert_eq!(wanted, [(0, 1), (1, 1), (2, 1), (0, 2), (0, 1)]);
        assert_eq!(window.len(), 5);
        assert!(window.start(Time::ZERO, JobId::from_bits(2)));
        assert_eq!(window.wants(), Some((2, 1)));
        window.was_empty(2);
        assert_eq!(window.wants(), Some((0, 1)));
        window.was_empty(0);
        window.was_empty(1);
        assert_eq!(window.wants(), None);
        window.look_again();
        assert_eq!(window.wants(), Some((2, 1)));
    }

    #[test]
    fn too_many_bytes_are_given_back_from_the_end_but_never_the_only_one() {
        let mut window = Window::new(AGE, 8, 1, 10);
        for (id, cpu_secs, bytes) in [(1, 1.0, 6), (2, 9.0, 6), (3, 2.0, 6)] {
            assert!(window.push(Time::ZERO, &job(id, cpu_secs, Time::ZERO), (0, bytes)));
        }
        assert_eq!(window.wants(), None);
        let mut given_back = Vec::new();
        while let Some(id) = window.surplus() {
            given_back.push(id.to_bits());
            assert!(window.remove(id));
        }
        assert_eq!(given_back, [2, 3]);
        assert!(!window.push(Time::ZERO, &job(1, 1.0, Time::ZERO), (0, 6)), "it is held");
        assert!(!window.push(Time::ZERO, &job(4, 1.0, Time::ZERO), (1, 6)), "no such class");
    }

    /// While short jobs never end, giants start within what the guard allows.
    #[test]
    fn a_giant_is_not_starved_by_short_jobs() {
        let mut window = Window::new(AGE, 1, 2, u64::MAX);
        let mut random = Random::new(1);
        let (mut now, mut next, mut started) = (Time::ZERO, 2, None);
        assert!(window.push(now, &job(1, 2.0, now), (1, 0)));
        for _ in 0..2000 {
            while let Some((class, _)) = window.wants() {
                if class == 1 {
                    window.was_empty(class);
                    continue;
                }
                assert!(window.push(now, &job(next, random.unit(), now), (0, 0)));
                next += 1;
            }
            let Some(first) = window.first(now, 1).first().copied() else { break };
            assert!(window.start(now, first));
            if first == JobId::from_bits(1) {
                started = Some(now);
            }
            now = now + Duration::from_millis(100);
        }
        let waited = started.expect("it starts").as_secs_f64();
        assert!((80.0..80.3).contains(&waited), "60 s and 10 times its work: {waited}");
    }
}
