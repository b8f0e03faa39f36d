//! The threads of a queue: those that run requests, and the alarm. The alarm decides again when
//! time alone has changed which request is to run. Then an estimate is outlived, a request is
//! overdue, or a request that was asked to park has not come to a checkpoint.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::thread::gettid;
use weighbridge_instrument::{Interrupt, ThreadClock};
use weighbridge_schedule::{Move, Progress, Schedule};

use super::nice::{self, Lowered, Niceness};
use super::queued::Seat;
use super::room::{Aftermath, Room};
use super::run::{Run, Times, hand_over};
use super::{Host, Need, Occupancy, QueueFull};
use crate::attempt::Spent;
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
    host: Host,
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
        host: Host,
    ) -> io::Result<Arc<Shared>> {
        let slots = schedule.bounds().slots;
        let room = Mutex::new(Room::new(schedule, niceness));
        let (alarm, began) = (Condvar::new(), Instant::now());
        let shared =
            Arc::new(Shared { room, alarm, began, waiting_max, estimates, niceness, host });
        let rings = Arc::clone(&shared);
        thread::Builder::new().name("run-alarm".to_owned()).spawn(move || rings.ring())?;
        for _ in 0..slots {
            let started = shared.room.lock().add_seat(&|seat| shared.start_thread(seat));
            started.inspect_err(|_| shared.close())?;
        }
        Ok(shared)
    }

    /// Adds a request that needs so much, and tells its number.
    pub(super) fn enter(
        self: &Arc<Self>,
        need: Need,
        run: Run,
    ) -> Result<(u64, Interrupt), QueueFull> {
        let mut room = self.room.lock();
        self.check(&room)?;
        let now = self.now();
        let (number, interrupt) = room.add((run, need.attempt), now, |number, lowered| {
            let shared = Arc::clone(self);
            Interrupt::with_parking(move || {
                nice::restore(shared.niceness, &lowered, gettid());
                shared.park(number);
            })
        });
        let progress = Progress::new(number, need.work_secs).holding(need.bytes).of(need.owner);
        self.settle(room, now, |schedule, now| schedule.arrive(progress, now));
        Ok((number, interrupt))
    }

    /// The client of the request is gone. The request may have ended.
    pub(super) fn abandon(self: &Arc<Self>, number: u64) {
        let room = self.room.lock();
        if room.requests.contains_key(&number) {
            self.settle(room, self.now(), |schedule, now| schedule.abandon(number, now));
        }
    }

    /// Whether [`Shared::enter`] would fail now.
    pub(super) fn check_room(&self) -> Result<(), QueueFull> {
        self.check(&self.room.lock())
    }

    pub(super) fn occupancy(&self) -> Occupancy {
        let mut room = self.room.lock();
        room.schedule.set_speed(self.estimates.speed());
        room.refresh();
        let (schedule, census) = (&room.schedule, room.schedule.census());
        Occupancy {
            slots: schedule.bounds().slots,
            running: census.in_slots,
            parked: census.parked,
            waiting: census.waiting,
            work_left_secs: schedule.work_left_secs(),
            speed: schedule.speed(),
        }
    }

    /// What the attempts of jobs that have a thread have used by now.
    pub(super) fn spent(&self) -> Vec<Spent> {
        let room = self.room.lock();
        let requests = room.requests.values();
        requests.filter_map(|one| Some((one.attempt?, one.runner?.attained()?))).collect()
    }

    /// Forgets the requests that wait. Threads end after what they run.
    pub(super) fn close(self: &Arc<Self>) {
        let mut room = self.room.lock();
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
        if room.requests.len() < room.schedule.at_once().saturating_add(self.waiting_max) {
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
        room.schedule.set_speed(self.estimates.speed());
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
        let life = move || (shared.host)(&mut || shared.serve(&seat));
        builder.stack_size(STACK_BYTES).spawn(life).map(drop)
    }

    /// The life of a seat's thread.
    fn serve(self: &Arc<Self>, seat: &Arc<Seat>) {
        let clock = ThreadClock::of_this_thread();
        while let Some(taken) = self.take(seat, clock) {
            let Taken { number, run, interrupt, lowered } = taken;
            let done = run(&interrupt);
            nice::restore(self.niceness, &lowered, gettid());
            let times = self.finish(number, seat);
            // The answer leaves first: the request that goes on next might take this core.
            hand_over(done, times);
            self.settle(self.room.lock(), self.now(), Schedule::decide);
        }
    }

    /// Waits for a request; `None` at the end.
    fn take(&self, seat: &Seat, clock: Option<ThreadClock>) -> Option<Taken> {
        let mut room = self.room.lock();
        loop {
            if let Some((number, run, request)) = room.take(seat, clock) {
                let (interrupt, lowered) =
                    (request.interrupt.clone(), Arc::clone(&request.lowered));
                return Some(Taken { number, run, interrupt, lowered });
            }
            if room.closed {
                return None;
            }
            seat.wake.wait(&mut room);
        }
    }

    /// Frees the request's slot, and its seat, whose thread calls this. Which request gets the slot
    /// is left to the next decision.
    fn finish(&self, number: u64, seat: &Arc<Seat>) -> Times {
        let mut room = self.room.lock();
        let now = self.now();
        let mut times = Times::default();
        if let Some(request) = room.requests.remove(&number) {
            // It may have been made nicer since the thread has looked.
            nice::restore(self.niceness, &request.lowered, gettid());
            let (waiting, preemptions) = room.schedule.waited(number, now);
            let service = now.saturating_sub(request.submitted + waiting);
            times = Times { waiting, service, preemptions };
        }
        room.schedule.finish(number);
        if !room.closed {
            room.idle.push(Arc::clone(seat));
        }
        times
    }

    /// Blocks the request's thread for as long as other requests are to run instead. The thread
    /// calls this at a checkpoint.
    fn park(self: &Arc<Self>, number: u64) {
        let room = self.room.lock();
        let Some(request) = room.requests.get(&number) else { return };
        // It may have been made nicer since the thread has looked.
        nice::restore(self.niceness, &request.lowered, gettid());
        let Some(seat) = request.seat.clone() else { return };
        self.settle(room, self.now(), |schedule, now| schedule.reach(number, now));
        let mut room = self.room.lock();
        while room.schedule.is_parked(number) {
            seat.wake.wait(&mut room);
        }
    }

    /// The life of the alarm's thread.
    fn ring(self: &Arc<Self>) {
        let mut room = self.room.lock();
        while !room.closed {
            let now = self.now();
            let left = room.alarm.at.map(|at| at.saturating_sub(now));
            room.alarm.set = room.alarm.at;
            match left {
                None => self.alarm.wait(&mut room),
                Some(Duration::ZERO) => {
                    self.settle(room, now, Schedule::decide);
                    room = self.room.lock();
                }
                Some(left) => {
                    self.alarm.wait_for(&mut room, left);
                }
            }
        }
    }

    /// Time since the queue began.
    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}
