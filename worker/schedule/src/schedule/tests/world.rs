//! Requests in virtual time: what the threads do with a schedule, without threads.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::*;
use super::scratch;
use crate::order::order;

/// A schedule, and the requests that it orders. One tick is a millisecond.
pub(super) struct World {
    pub(super) schedule: Schedule,
    pub(super) now: Duration,
    pub(super) requests: BTreeMap<u64, Request>,
    /// Requests that have ended, in that order, and how long they waited.
    pub(super) ended: Vec<(u64, Duration)>,
    next_number: u64,
    alarm: Option<Duration>,
    /// What the next request holds.
    pub(super) bytes: u64,
}

/// A request as its thread would have it: changed by moves alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    pub(super) state: State,
    /// What it takes, whatever was estimated.
    size: Duration,
    attained: Duration,
    /// It comes to a checkpoint whenever it has run this long.
    checkpoints: Duration,
    is_abandoned: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Waiting,
    Running,
    Asked,
    Yielding,
    Parked,
    Leaving,
}

pub(super) const TICK: Duration = Duration::from_millis(1);

pub(super) fn bounds(slots: usize) -> Bounds {
    Bounds {
        slots,
        started_max: 8,
        started_bytes_max: u64::MAX,
        yields_after: None,
        alarm_min: TICK / 5,
        age: AgeGuard::NONE,
    }
}

impl World {
    pub(super) fn new(discipline: &str, bounds: Bounds) -> World {
        World::of(order(discipline).expect("it is there"), bounds)
    }

    pub(super) fn of(order: &'static dyn Order, bounds: Bounds) -> World {
        let schedule = Schedule::new(order, bounds);
        let (requests, ended) = (BTreeMap::new(), Vec::new());
        let now = Duration::ZERO;
        World { schedule, now, requests, ended, next_number: 0, alarm: None, bytes: 0 }
    }

    /// A request of `ms`, as is estimated, which comes to a checkpoint at every millisecond.
    pub(super) fn arrive(&mut self, ms: u64) -> u64 {
        self.arrive_mistaken(ms, ms, 1)
    }

    /// A request of `ms`, as is estimated, which holds so many bytes once it is started.
    pub(super) fn arrive_holding(&mut self, ms: u64, bytes: u64) -> u64 {
        self.bytes = bytes;
        let number = self.arrive(ms);
        self.bytes = 0;
        number
    }

    /// A request of `ms` which was estimated to be of `estimated_ms`.
    pub(super) fn arrive_mistaken(&mut self, estimated_ms: u64, ms: u64, checkpoints: u64) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        let request = Request {
            state: State::Waiting,
            size: TICK * ms as u32,
            attained: Duration::ZERO,
            checkpoints: TICK * checkpoints as u32,
            is_abandoned: false,
        };
        self.requests.insert(number, request);
        let progress = Progress::new(number, estimated_ms as f64 / 1e3).holding(self.bytes);
        self.event(|schedule, now| schedule.arrive(progress, now));
        number
    }

    pub(super) fn abandon(&mut self, number: u64) {
        if let Some(request) = self.requests.get_mut(&number) {
            request.is_abandoned = true;
            self.event(|schedule, now| schedule.abandon(number, now));
        }
    }

    /// The client is gone, and the request goes on.
    pub(super) fn linger(&mut self, number: u64) {
        self.event(|schedule, now| schedule.linger(number, now));
    }

    /// Lets `ms` go by.
    pub(super) fn pass(&mut self, ms: u64) {
        for _ in 0..ms {
            self.tick();
        }
    }

    /// Lets time go by until every request has ended.
    pub(super) fn finish(&mut self) {
        while !self.requests.is_empty() {
            self.tick();
            assert!(self.now < Duration::from_hours(1), "a request was forgotten");
        }
        assert_eq!(self.schedule.census(), Census::default());
    }

    /// The numbers of all in `state`.
    pub(super) fn all(&self, state: State) -> Vec<u64> {
        let all = self.requests.iter().filter(|(_, request)| request.state == state);
        all.map(|(number, _)| *number).collect()
    }

    fn tick(&mut self) {
        self.now += TICK;
        // What enters a slot during a tick works from the next one on.
        let idle = |state| matches!(state, State::Waiting | State::Parked);
        let busy = self.requests.iter().filter(|(_, request)| !idle(request.state));
        for number in busy.map(|(number, _)| *number).collect::<Vec<_>>() {
            self.work(number);
        }
        if self.alarm.is_some_and(|alarm| alarm <= self.now) {
            self.event(Schedule::decide);
        }
    }

    /// A tick of one request.
    fn work(&mut self, number: u64) {
        let Some(request) = self.requests.get_mut(&number) else { return };
        let before = request.attained;
        match request.state {
            State::Waiting | State::Parked => return,
            // A few per cent of a core, which is none at all.
            State::Yielding => request.attained += TICK / 50,
            State::Running | State::Asked => request.attained += TICK,
            State::Leaving => {}
        }
        let passed = |attained: Duration| attained.as_micros() / request.checkpoints.as_micros();
        let at_checkpoint = passed(before) < passed(request.attained);
        let leaves = request.is_abandoned && at_checkpoint || request.state == State::Leaving;
        if leaves || request.size <= request.attained {
            let (waited, _) = self.schedule.waited(number, self.now);
            self.ended.push((number, waited));
            self.requests.remove(&number);
            self.event(|schedule, now| {
                schedule.finish(number);
                schedule.decide(now)
            });
        } else if at_checkpoint && matches!(request.state, State::Asked | State::Yielding) {
            request.state = State::Parked;
            self.event(|schedule, now| schedule.reach(number, now));
        }
    }

    fn event(&mut self, event: impl FnOnce(&mut Schedule, Duration) -> Vec<Move>) {
        let attained = |number| Some(self.requests.get(&number)?.attained.as_secs_f64());
        self.schedule.refresh(attained);
        for next in event(&mut self.schedule, self.now) {
            self.carry_out(next);
        }
        self.alarm = self.schedule.next_alarm(self.now);
        scratch::check(&self.schedule, self.now);
        let census = self.schedule.census();
        let in_slots = self.all(State::Running).len() + self.all(State::Asked).len();
        assert_eq!(census.in_slots, in_slots, "the moves say what is in a slot");
        assert_eq!(census.waiting, self.all(State::Waiting).len(), "and what waits");
    }

    fn carry_out(&mut self, next: Move) {
        let (number, from, to) = match next {
            Move::Start(number) => (number, State::Waiting, State::Running),
            Move::Resume(number) => (number, State::Parked, State::Running),
            Move::Ask(number) => (number, State::Running, State::Asked),
            Move::Withdraw(number) => (number, State::Asked, State::Running),
            Move::Yield(number) => (number, State::Asked, State::Yielding),
            Move::Restore(number) => (number, State::Yielding, State::Running),
            Move::Release(number) => (number, State::Parked, State::Leaving),
            Move::Forget(number) => {
                let forgotten = self.requests.remove(&number).expect("it is there");
                assert_eq!(forgotten.state, State::Waiting);
                return;
            }
        };
        let request = self.requests.get_mut(&number).expect("it is there");
        assert_eq!(request.state, from, "{next:?}");
        request.state = to;
    }
}
