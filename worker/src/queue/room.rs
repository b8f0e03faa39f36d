//! The queue's requests and threads: carries out what the [`Schedule`] decides.
//!
//! A thread has a *seat*: it runs one request at a time, from its start to its end, and keeps its
//! stack while that is parked. There are as many seats as requests were ever started at once; the
//! seat that was left last is taken first, so that few threads share the work and its caches.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Condvar;
use weighbridge_instrument::{Interrupt, ThreadClock};
use weighbridge_schedule::{Move, Schedule};

use super::nice::{self, Lowered, Niceness};
use super::queued::{Queued, Runner, Seat};
use super::run::Run;
use crate::attempt::Attempt;

/// What the queue's mutex holds.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) schedule: Schedule,
    pub(super) requests: BTreeMap<u64, Queued>,
    pub(super) next_number: u64,
    /// Threads end rather than wait.
    pub(super) closed: bool,
    pub(super) alarm: Alarm,
    /// Seats whose threads wait for a request; the last one is next.
    pub(super) idle: Vec<Arc<Seat>>,
    n_seats: usize,
    /// The request that a seat is to run next, by name of the seat.
    given: BTreeMap<usize, u64>,
    niceness: Option<Niceness>,
}

/// When to decide again though nothing has happened, and when the thread that does so wakes up.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    pub(super) at: Option<Duration>,
    pub(super) set: Option<Duration>,
}

/// What is to be done once the mutex is free.
#[derive(Debug, Default)]
#[must_use = "threads wait for it"]
pub(super) struct Aftermath {
    /// Seats whose threads are to go on.
    pub(super) wake: Vec<Arc<Seat>>,
    /// To be dropped: that may wake others.
    pub(super) forgotten: Vec<Queued>,
    /// Whether the alarm is to ring sooner than it was set to.
    pub(super) sets_alarm: bool,
}

/// Starts the thread of a seat.
pub(super) type StartThread<'a> = &'a dyn Fn(Arc<Seat>) -> io::Result<()>;

impl Room {
    /// No requests and no seats.
    pub(super) fn new(schedule: Schedule, niceness: Option<Niceness>) -> Room {
        Room {
            schedule,
            requests: BTreeMap::new(),
            next_number: 0,
            closed: false,
            alarm: Alarm::default(),
            idle: Vec::new(),
            n_seats: 0,
            given: BTreeMap::new(),
            niceness,
        }
    }

    /// Makes a seat; it is idle.
    pub(super) fn add_seat(&mut self, start: StartThread<'_>) -> io::Result<()> {
        let seat = Arc::new(Seat { name: self.n_seats, wake: Condvar::new() });
        start(Arc::clone(&seat))?;
        self.n_seats += 1;
        self.idle.push(seat);
        Ok(())
    }

    /// Lets the schedule decide by `event`, knowing what each request has attained, and carries it
    /// out.
    pub(super) fn event(
        &mut self,
        now: Duration,
        start: StartThread<'_>,
        event: impl FnOnce(&mut Schedule, Duration) -> Vec<Move>,
    ) -> Aftermath {
        if self.schedule.weighs_attained(1) {
            self.refresh();
        }
        let mut moves = VecDeque::from(event(&mut self.schedule, now));
        let mut aftermath = Aftermath::default();
        while let Some(next) = moves.pop_front() {
            if let Err((number, error)) = self.carry_out(next, &mut aftermath, start) {
                moves.extend(self.schedule.refuse(number, now));
                let started_max = self.schedule.bounds().started_max;
                tracing::warn!(%error, started_max, "no more threads: starts fewer requests");
            }
        }
        self.alarm.at = self.schedule.next_alarm(now);
        aftermath.sets_alarm =
            self.alarm.at.is_some_and(|at| self.alarm.set.is_none_or(|set| at < set));
        aftermath
    }

    /// Reads what each request has attained: a system call for each that runs.
    ///
    /// By the thread's CPU clock: where the machine has more to run than cores, the time since the
    /// request entered its slot says little.
    pub(super) fn refresh(&mut self) {
        let Room { schedule, requests, .. } = self;
        let speed = schedule.speed();
        schedule.refresh(|number| {
            let cpu_time = requests.get(&number)?.runner?.attained()?;
            Some(cpu_time.as_secs_f64() * speed)
        });
    }

    /// Adds a request that waits.
    pub(super) fn add(
        &mut self,
        (run, attempt): (Run, Option<Attempt>),
        submitted: Duration,
        interrupt: impl FnOnce(u64, Arc<Lowered>) -> Interrupt,
    ) -> (u64, Interrupt) {
        let number = self.next_number;
        self.next_number += 1;
        let lowered = Arc::default();
        let interrupt = interrupt(number, Arc::clone(&lowered));
        let queued = Queued::new((run, attempt), interrupt.clone(), submitted, lowered);
        self.requests.insert(number, queued);
        (number, interrupt)
    }

    /// What `seat` is to run, whose thread calls this; `None` where there is nothing yet.
    pub(super) fn take(
        &mut self,
        seat: &Seat,
        clock: Option<ThreadClock>,
    ) -> Option<(u64, Run, &Queued)> {
        let number = self.given.remove(&seat.name)?;
        let runner = Runner::new(clock);
        self.requests.get_mut(&number)?.runner = Some(runner);
        if self.schedule.is_yielding(number) {
            self.lower(number);
        }
        let request = self.requests.get_mut(&number)?;
        let run = request.run.take()?;
        Some((number, run, request))
    }

    /// Fails where a request is to start and there is no thread for it.
    fn carry_out(
        &mut self,
        next: Move,
        aftermath: &mut Aftermath,
        start: StartThread<'_>,
    ) -> Result<(), (u64, io::Error)> {
        match next {
            Move::Start(number) => {
                let seat = self.give(number, start).map_err(|error| (number, error))?;
                aftermath.wake.push(seat);
            }
            Move::Resume(number) | Move::Release(number) => {
                let request = self.requests.get(&number);
                aftermath.wake.extend(request.and_then(|request| request.seat.clone()));
            }
            Move::Ask(number) => self.tell(number, Interrupt::ask_to_park),
            Move::Withdraw(number) => self.tell(number, Interrupt::withdraw),
            Move::Yield(number) => self.lower(number),
            Move::Restore(number) => {
                self.tell(number, Interrupt::withdraw);
                if let Some(Queued { runner: Some(runner), lowered, .. }) =
                    self.requests.get(&number)
                {
                    nice::restore(self.niceness, lowered, runner.thread);
                }
            }
            Move::Forget(number) => aftermath.forgotten.extend(self.requests.remove(&number)),
        }
        Ok(())
    }

    /// Gives a request that waits to the thread of an idle seat, or of a new one.
    fn give(&mut self, number: u64, start: StartThread<'_>) -> io::Result<Arc<Seat>> {
        if self.idle.is_empty() {
            self.add_seat(start)?;
        }
        let seat = self.idle.pop().ok_or(io::ErrorKind::NotFound)?;
        self.given.insert(seat.name, number);
        if let Some(request) = self.requests.get_mut(&number) {
            request.seat = Some(Arc::clone(&seat));
        }
        Ok(seat)
    }

    fn tell(&self, number: u64, order: fn(&Interrupt)) {
        if let Some(request) = self.requests.get(&number) {
            order(&request.interrupt);
        }
    }

    /// Makes a request's thread nicer, if it has one already; else its thread does so itself.
    fn lower(&self, number: u64) {
        if let Some(Queued { runner: Some(runner), lowered, .. }) = self.requests.get(&number) {
            nice::lower(self.niceness, lowered, runner.thread);
        }
    }
}
