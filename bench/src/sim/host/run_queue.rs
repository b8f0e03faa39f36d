//! The run queue of a simulated host: the worker's own schedule, in virtual time.
//!
//! The schedule decides which requests are in slots. Here those attain work, come to checkpoints
//! and end. All of them attain it at the same pace, `min(1, cores / requests)` of a core, so one
//! level says what each has attained: a request ends when the level has risen by what it had left.
//! But for the schedule's own decisions, each step is O(log n).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use weighbridge_schedule::{AgeGuard, Bounds, Move, Order, Progress, Schedule};

use super::Assignment;

/// How a host gives way to shorter requests, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preemption {
    /// From when a request is to park until it is at a checkpoint.
    pub checkpoint: f64,
    /// A request that is to park keeps its slot for so long, and gets none of the cores from then
    /// until its checkpoint; infinite: it keeps its slot until then.
    pub yields_after: f64,
    /// A request may wait this many times its size...
    pub age_factor: f64,
    /// ...and this beside; infinite: as long as it takes.
    pub age_floor: f64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct RunQueue {
    schedule: Schedule,
    cores: usize,
    /// From when a request is asked to park until it is at a checkpoint.
    checkpoint: Duration,
    /// The last instant that the schedule was told of.
    clock: Duration,
    /// Work that a request which was always in a slot has attained.
    level: f64,
    in_slots: BTreeMap<u64, InSlot>,
    /// By the level at which each of them ends: its bits, for it is not negative.
    ends: BTreeSet<(u64, u64)>,
    /// Sum of those levels.
    ends_sum: f64,
    /// When those that are to park are at their checkpoints.
    checkpoints: BTreeSet<(Duration, u64)>,
    resting: BTreeMap<u64, Resting>,
    /// What those truly have left.
    resting_left: f64,
    alarm: Option<Duration>,
    next_number: u64,
}

/// A request in a slot.
#[derive(Debug, Clone, Copy)]
struct InSlot {
    assignment: Assignment,
    /// The level at which it ends.
    end: f64,
    checkpoint: Option<Duration>,
}

/// A request in no slot.
#[derive(Debug, Clone, Copy)]
struct Resting {
    assignment: Assignment,
    attained: f64,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Next {
    /// That request ends.
    End(u64),
    /// A request that is to park is at its checkpoint.
    Checkpoint(Duration),
    /// Time alone changes which requests run.
    Alarm(Duration),
}

// === impl Preemption ===

impl Preemption {
    /// That of the textbooks: at once, and for as long as it takes.
    pub const EXACT: Preemption = Preemption {
        checkpoint: 0.0,
        yields_after: f64::INFINITY,
        age_factor: 0.0,
        age_floor: f64::INFINITY,
    };

    /// The same for the schedule of a host of so many cores.
    fn bounds(self, cores: usize) -> Bounds {
        /// That of the textbooks: an outlived estimate is noticed as good as at once.
        const ALARM_MIN_EXACT: Duration = Duration::from_micros(1);
        let usual = Bounds::new(cores);
        let parks_at_once = self.checkpoint <= 0.0;
        Bounds {
            started_max: usize::MAX,
            yields_after: self.yields_after.is_finite().then(|| span(self.yields_after)),
            alarm_min: if parks_at_once { ALARM_MIN_EXACT } else { usual.alarm_min },
            age: AgeGuard { factor: self.age_factor, floor: span(self.age_floor) },
            ..usual
        }
    }
}

// === impl RunQueue ===

impl RunQueue {
    /// The queue of a host whose cores are of that speed.
    pub(super) fn new(
        order: &'static dyn Order,
        preemption: Preemption,
        cores: usize,
        speed: f64,
    ) -> RunQueue {
        let mut schedule = Schedule::new(order, preemption.bounds(cores));
        schedule.set_speed(speed);
        RunQueue {
            schedule,
            cores,
            checkpoint: span(preemption.checkpoint),
            clock: Duration::ZERO,
            level: 0.0,
            in_slots: BTreeMap::new(),
            ends: BTreeSet::new(),
            ends_sum: 0.0,
            checkpoints: BTreeSet::new(),
            resting: BTreeMap::new(),
            resting_left: 0.0,
            alarm: None,
            next_number: 0,
        }
    }

    /// Takes a request at `now`.
    pub(super) fn push(&mut self, now: f64, assignment: Assignment) {
        let number = self.next_number;
        self.next_number += 1;
        self.rest(number, Resting { assignment, attained: 0.0 });
        self.tell(span(now), |schedule, clock| {
            let progress = Progress::new(number, assignment.estimate).of(assignment.owner);
            schedule.arrive(progress, clock)
        });
    }

    /// Lets the requests in slots attain what a core does in the span in which it does `work`.
    pub(super) fn run(&mut self, work: f64) {
        self.level += work * self.share();
    }

    /// When the next event is, for cores that do `speed` in a second from `now` on; `None` where no
    /// request is in a slot.
    pub(super) fn next(&self, now: f64, speed: f64) -> Option<f64> {
        self.following(now, speed).map(|(at, _)| at)
    }

    /// The event that [`RunQueue::next`] foretold, at `now`. Returns the request that ended.
    pub(super) fn happen(&mut self, now: f64, speed: f64) -> Option<Assignment> {
        let now_span = span(now);
        match self.following(now, speed)?.1 {
            Next::End(number) => {
                let ended = self.leave_slot(number)?;
                self.tell(now_span, |schedule, clock| {
                    schedule.finish(number);
                    schedule.decide(clock)
                });
                self.settle();
                Some(ended.assignment)
            }
            // However the instants were rounded.
            Next::Checkpoint(at) => {
                self.tell(now_span.max(at), |_, _| Vec::new());
                None
            }
            Next::Alarm(at) => {
                self.tell(now_span.max(at), Schedule::decide);
                None
            }
        }
    }

    /// Loses all requests.
    pub(super) fn clear(&mut self) -> Vec<Assignment> {
        let speed = self.schedule.speed();
        self.schedule = Schedule::new(self.schedule.order(), self.schedule.bounds().clone());
        self.schedule.set_speed(speed);
        self.ends.clear();
        self.checkpoints.clear();
        self.alarm = None;
        let in_slots = std::mem::take(&mut self.in_slots).into_values().map(|one| one.assignment);
        let resting = std::mem::take(&mut self.resting).into_values().map(|one| one.assignment);
        let lost = in_slots.chain(resting).collect();
        self.settle();
        lost
    }

    /// How many requests there are.
    pub(super) fn n_requests(&self) -> usize {
        self.in_slots.len() + self.resting.len()
    }

    /// What they truly have left.
    pub(super) fn work_left(&self) -> f64 {
        let in_slots = self.ends_sum - self.level * self.in_slots.len() as f64;
        in_slots.max(0.0) + self.resting_left.max(0.0)
    }

    /// What they have left as far as the host knows: an outlived estimate doubles.
    pub(super) fn estimated_left(&mut self) -> f64 {
        self.refresh();
        self.schedule.work_left_secs()
    }

    /// The part of a core that each request in a slot has.
    fn share(&self) -> f64 {
        (self.cores as f64 / self.in_slots.len().max(1) as f64).min(1.0)
    }

    /// What happens next, and when. Of events at one instant, a request ends first.
    fn following(&self, now: f64, speed: f64) -> Option<(f64, Next)> {
        let end = self.ends.first().map(|(level, number)| {
            let left = (f64::from_bits(*level) - self.level).max(0.0);
            (now + left / (self.share() * speed), Next::End(*number))
        });
        let checkpoint = self.checkpoints.first().map(|(at, _)| *at);
        let checkpoint = checkpoint.map(|at| (at.as_secs_f64(), Next::Checkpoint(at)));
        let alarm = self.alarm.map(|at| (at.as_secs_f64(), Next::Alarm(at)));
        let all = [end, checkpoint, alarm].into_iter().flatten();
        all.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(at, next)| (at.max(now), next))
    }

    /// Tells the schedule of an event at `now`, and carries out what it decides.
    fn tell(&mut self, now: Duration, event: impl FnOnce(&mut Schedule, Duration) -> Vec<Move>) {
        self.clock = self.clock.max(now);
        if self.schedule.weighs_attained(1) {
            self.refresh();
        }
        let mut moves = event(&mut self.schedule, self.clock);
        loop {
            for next in moves {
                self.carry_out(next);
            }
            let due = self.checkpoints.first().filter(|(at, _)| *at <= self.clock);
            let Some(&(_, number)) = due else { break };
            self.step_out(number);
            moves = self.schedule.reach(number, self.clock);
        }
        self.alarm = self.schedule.next_alarm(self.clock);
    }

    fn carry_out(&mut self, next: Move) {
        match next {
            Move::Start(number) | Move::Resume(number) | Move::Restore(number) => {
                self.step_in(number);
            }
            Move::Ask(number) => {
                if let Some(one) = self.in_slots.get_mut(&number) {
                    let at = self.clock.saturating_add(self.checkpoint);
                    one.checkpoint = Some(at);
                    self.checkpoints.insert((at, number));
                }
            }
            Move::Withdraw(number) => {
                if let Some(one) = self.in_slots.get_mut(&number)
                    && let Some(at) = one.checkpoint.take()
                {
                    self.checkpoints.remove(&(at, number));
                }
            }
            Move::Yield(number) => self.step_out(number),
            // Clients of the simulation abandon nothing.
            Move::Release(_) | Move::Forget(_) => {}
        }
    }

    fn step_in(&mut self, number: u64) {
        let Some(Resting { assignment, attained }) = self.resting.remove(&number) else { return };
        let left = (assignment.work - attained).max(0.0);
        self.resting_left -= left;
        if self.resting.is_empty() {
            // What is left by rounding goes with the last.
            self.resting_left = 0.0;
        }
        let end = self.level + left;
        self.ends.insert((end.to_bits(), number));
        self.ends_sum += end;
        self.in_slots.insert(number, InSlot { assignment, end, checkpoint: None });
    }

    fn step_out(&mut self, number: u64) {
        if let Some(one) = self.leave_slot(number) {
            let attained = one.attained(self.level);
            self.rest(number, Resting { assignment: one.assignment, attained });
        }
    }

    fn rest(&mut self, number: u64, one: Resting) {
        self.resting_left += (one.assignment.work - one.attained).max(0.0);
        self.resting.insert(number, one);
    }

    fn leave_slot(&mut self, number: u64) -> Option<InSlot> {
        let one = self.in_slots.remove(&number)?;
        self.ends.remove(&(one.end.to_bits(), number));
        self.ends_sum -= one.end;
        if let Some(at) = one.checkpoint {
            self.checkpoints.remove(&(at, number));
        }
        Some(one)
    }

    /// Tells the schedule what the requests in slots have attained.
    fn refresh(&mut self) {
        let RunQueue { schedule, in_slots, level, .. } = self;
        schedule.refresh(|number| Some(in_slots.get(&number)?.attained(*level)));
    }

    /// An empty host begins anew, so that levels stay small and exact.
    fn settle(&mut self) {
        if self.n_requests() == 0 {
            (self.level, self.ends_sum, self.resting_left) = (0.0, 0.0, 0.0);
        }
    }
}

// === impl InSlot ===

impl InSlot {
    /// What it has attained at that level.
    fn attained(&self, level: f64) -> f64 {
        (self.assignment.work - (self.end - level)).max(0.0)
    }
}

/// `secs`, as far as a duration can tell.
fn span(secs: f64) -> Duration {
    Duration::try_from_secs_f64(secs).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests;
