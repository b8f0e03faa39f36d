//! The threads of a queue: those that run requests, and the alarm, which decides again when time
//! alone has changed who is to run: an estimate is outlived, a request is overdue, or one that was
//! asked to park has not come to a checkpoint.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::gettid;
use weighbridge_instrument::{Interrupt, ThreadClock};

use super::job::Seat;
use super::nice::{self, Lowered, Niceness};
use super::room::{Aftermath, Room};
use super::run::{Run, Times, hand_over};
use super::schedule::{Move, Schedule};
use super::ticket::Ticket;
use super::{Occupancy, QueueFull};
use crate::estimates::Estimates;

/// Stack of a thread that runs requests. Recursions of the operations are bounded and their buffers
/// are on the heap: none is known to use a tenth. Only what is used takes memory.
const STACK_BYTES: usize = 1 << 20;

/// A queue, as its threads see it.
#[derive(Debug)]
pub(super) struct Shared {
    room: Mutex<Room>,
    alarm: Condvar,
    began: Instant,
    waiting_max: usize,
    estimates: Arc<Estimates>,
    niceness: Option<Niceness>,
}

/// A request that a thread has taken.
struct Taken {
    number: u64,
    run: Run,
    interrupt: Interrupt,
    lowered: Arc<Lowered>,
}

impl Shared {
    /// Starts the alarm and a thread for each slot.
    pub(super) fn start(
        schedule: Schedule,
        waiting_max: usize,
        estimates: Arc<Estimates>,
        niceness: Option<Niceness>,
    ) -> io::Result<Arc<Shared>> {
        let slots = schedule.bounds.slots;
        let room = Mutex::new(Room::new(schedule, niceness));
        let (alarm, began) = (Condvar::new(), Instant::now());
        let shared = Arc::new(Shared { room, alarm, began, waiting_max, estimates, niceness });
        let rings = Arc::clone(&shared);
        thread::Builder::new().name("run-alarm".to_owned()).spawn(move || rings.ring())?;
        for _ in 0..slots {
            let started = shared.lock().add_seat(&|seat| shared.start_thread(seat));
            started.inspect_err(|_| shared.close())?;
        }
        Ok(shared)
    }

    /// Adds a request of `estimate_secs`, and tells its number.
    pub(super) fn enter(
        self: &Arc<Self>,
        estimate_secs: f64,
        run: Run,
    ) -> Result<(u64, Interrupt), QueueFull> {
        let mut room = self.lock();
        self.check(&room)?;
        let now = self.now();
        let (number, interrupt) = room.add(run, now, |number, lowered| {
            let shared = Arc::clone(self);
            Interrupt::with_parking(move || {
                nice::restore(shared.niceness, &lowered, gettid());
                shared.park(number);
            })
        });
        let ticket = Ticket { number, estimate_secs, attained_secs: 0.0 };
        self.settle(room, now, |schedule, now| schedule.arrive(ticket, now));
        Ok((number, interrupt))
    }

    /// Nobody wants the request any more. It may have ended.
    pub(super) fn abandon(self: &Arc<Self>, number: u64) {
        let room = self.lock();
        if room.jobs.contains_key(&number) {
            self.settle(room, self.now(), |schedule, now| schedule.abandon(number, now));
        }
    }

    /// Whether [`Shared::enter`] would fail now.
    pub(super) fn check_room(&self) -> Result<(), QueueFull> {
        self.check(&self.lock())
    }

    pub(super) fn occupancy(&self) -> Occupancy {
        let mut room = self.lock();
        room.schedule.speed = self.estimates.speed();
        room.refresh();
        let (schedule, census) = (&room.schedule, room.schedule.census());
        Occupancy {
            slots: schedule.bounds.slots,
            running: census.in_slots,
            parked: census.parked,
            waiting: census.waiting,
            work_left_secs: schedule.work_left_secs(),
            speed: schedule.speed,
        }
    }

    /// Forgets who waits. Threads end after what they run.
    pub(super) fn close(self: &Arc<Self>) {
        let mut room = self.lock();
        room.closed = true;
        for seat in room.idle.drain(..) {
            seat.wake.notify_one();
        }
        self.settle(room, self.now(), |schedule, now| {
            let waiting = schedule.waiting();
            waiting.into_iter().flat_map(|number| schedule.abandon(number, now)).collect()
        });
        self.alarm.notify_one();
    }

    /// What has room to run does not count as waiting.
    fn check(&self, room: &Room) -> Result<(), QueueFull> {
        if room.jobs.len() < room.schedule.at_once().saturating_add(self.waiting_max) {
            Ok(())
        } else {
            Err(QueueFull { waiting_max: self.waiting_max })
        }
    }

    /// Lets the schedule decide by `event`, and does what comes of it.
    fn settle(
        self: &Arc<Self>,
        mut room: MutexGuard<'_, Room>,
        now: Duration,
        event: impl FnOnce(&mut Schedule, Duration) -> Vec<Move>,
    ) {
        room.schedule.speed = self.estimates.speed();
        let aftermath = room.event(now, &|seat| self.start_thread(seat), event);
        drop(room);
        let Aftermath { wake, forgotten, sets_alarm } = aftermath;
        if sets_alarm {
            self.alarm.notify_one();
        }
        for seat in wake {
            seat.wake.notify_one();
        }
        drop(forgotten);
    }

    fn start_thread(self: &Arc<Self>, seat: Arc<Seat>) -> io::Result<()> {
        let shared = Arc::clone(self);
        let builder = thread::Builder::new().name(format!("run-{}", seat.name));
        builder.stack_size(STACK_BYTES).spawn(move || shared.serve(&seat)).map(drop)
    }

    /// The life of a seat's thread.
    fn serve(self: &Arc<Self>, seat: &Arc<Seat>) {
        let clock = ThreadClock::of_this_thread();
        while let Some(taken) = self.take(seat, clock) {
            let Taken { number, run, interrupt, lowered } = taken;
            let done = run(&interrupt);
            nice::restore(self.niceness, &lowered, gettid());
            let times = self.finish(number, seat);
            hand_over(done, times);
        }
    }

    /// Waits for a request; `None` at the end.
    fn take(&self, seat: &Seat, clock: Option<ThreadClock>) -> Option<Taken> {
        let mut room = self.lock();
        loop {
            if let Some((number, run, job)) = room.take(seat, clock) {
                let (interrupt, lowered) = (job.interrupt.clone(), Arc::clone(&job.lowered));
                return Some(Taken { number, run, interrupt, lowered });
            }
            if room.closed {
                return None;
            }
            room = seat.wake.wait(room).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Frees the request's slot, and its seat, whose thread calls this.
    fn finish(self: &Arc<Self>, number: u64, seat: &Arc<Seat>) -> Times {
        let mut room = self.lock();
        let now = self.now();
        let mut times = Times::default();
        if let Some(job) = room.jobs.remove(&number) {
            // It may have been made nicer since the thread has looked.
            nice::restore(self.niceness, &job.lowered, gettid());
            let (waiting, preemptions) = room.schedule.waited(number, now);
            let service = now.saturating_sub(job.submitted + waiting);
            times = Times { waiting, service, preemptions };
        }
        if !room.closed {
            room.idle.push(Arc::clone(seat));
        }
        self.settle(room, now, |schedule, now| schedule.finish(number, now));
        times
    }

    /// Blocks the request's thread, which calls this at a checkpoint, for as long as others are to
    /// run rather.
    fn park(self: &Arc<Self>, number: u64) {
        let room = self.lock();
        let Some(job) = room.jobs.get(&number) else { return };
        // It may have been made nicer since the thread has looked.
        nice::restore(self.niceness, &job.lowered, gettid());
        let Some(seat) = job.seat.clone() else { return };
        self.settle(room, self.now(), |schedule, now| schedule.reach(number, now));
        let mut room = self.lock();
        while room.schedule.is_parked(number) {
            room = seat.wake.wait(room).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The life of the alarm's thread.
    fn ring(self: &Arc<Self>) {
        let mut room = self.lock();
        while !room.closed {
            let now = self.now();
            let left = room.alarm.at.map(|at| at.saturating_sub(now));
            room.alarm.set = room.alarm.at;
            room = match left {
                None => self.alarm.wait(room).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => {
                    self.settle(room, now, Schedule::decide);
                    self.lock()
                }
                Some(left) => {
                    self.alarm.wait_timeout(room, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Time since the queue began.
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
