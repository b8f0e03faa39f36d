//! The requests and the processes: carries out what the [`Schedule`] decides.
//!
//! A process is parked from outside, at any instant: so a request that is asked to park is at a
//! checkpoint at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use weighbridge_schedule::{Move, Owner, Progress, Schedule};

use super::park::Way;
use super::process::{Lease, Up, warn_of};
use crate::attempt::{Attempt, Spent};
use crate::queue::Times;

/// What the executor's mutex holds.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) schedule: Schedule,
    requests: BTreeMap<u64, Request>,
    processes: Vec<Process>,
    next_number: u64,
    concurrency: usize,
    way: Option<Arc<dyn Way>>,
    /// When to decide again though nothing has happened.
    pub(super) alarm: Option<Duration>,
    /// What was parked and must run for a moment later: the process, and which of its parkings.
    pub(super) stopped: Vec<(usize, u64)>,
}

/// A request, from its arrival to its end.
#[derive(Debug)]
struct Request {
    /// Told once it starts.
    start: Option<oneshot::Sender<Lease>>,
    process: Option<usize>,
    /// Which attempt of a job it is, where it is one.
    attempt: Option<Attempt>,
    submitted: Duration,
    /// CPU time that it has had.
    cpu: Duration,
    /// It has had its process for itself all the time.
    is_alone: bool,
}

/// A process, whether or not it runs now.
#[derive(Debug, Default)]
struct Process {
    up: Option<Up>,
    /// CPU time of those before it, that have ended.
    spent: Duration,
}

/// What was measured of a request that has ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Measured {
    pub(super) cpu: Duration,
    /// Of its process, while it ran; `None` where that had others too.
    pub(super) peak_bytes: Option<u64>,
    pub(super) times: Times,
}

/// What all processes use.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// CPU time so far, of those that have ended too.
    pub(crate) cpu: Duration,
    /// Resident memory.
    pub(crate) resident_bytes: u64,
}

impl Room {
    /// `n_processes` that do not run yet, and no requests. Without a `way` nothing is parked.
    pub(super) fn new(
        mut schedule: Schedule,
        n_processes: usize,
        concurrency: usize,
        way: Option<Arc<dyn Way>>,
    ) -> Room {
        schedule.set_started_max(0);
        let mut processes = Vec::new();
        processes.resize_with(n_processes, Process::default);
        Room {
            schedule,
            requests: BTreeMap::new(),
            processes,
            next_number: 0,
            concurrency,
            way,
            alarm: None,
            stopped: Vec::new(),
        }
    }

    /// Adds a request of so much work, of a client that stands there, which may be an attempt of a
    /// job.
    pub(super) fn arrive(
        &mut self,
        (work_secs, owner, attempt): (f64, Owner, Option<Attempt>),
        now: Duration,
    ) -> (u64, oneshot::Receiver<Lease>) {
        let number = self.next_number;
        self.next_number += 1;
        let (start, started) = oneshot::channel();
        let request = Request {
            start: Some(start),
            process: None,
            attempt,
            submitted: now,
            cpu: Duration::ZERO,
            is_alone: true,
        };
        self.requests.insert(number, request);
        let progress = Progress::new(number, work_secs).of(owner);
        self.event(now, |schedule| schedule.arrive(progress, now));
        (number, started)
    }

    /// Lets the schedule decide by `event`, knowing what each request has attained, and carries it
    /// out.
    pub(super) fn event(&mut self, now: Duration, event: impl FnOnce(&mut Schedule) -> Vec<Move>) {
        if self.schedule.weighs_attained(1) {
            self.refresh();
        }
        let mut moves = VecDeque::from(event(&mut self.schedule));
        while let Some(next) = moves.pop_front() {
            match next {
                Move::Start(number) => {
                    if !self.start(number, now) {
                        tracing::error!(number, "no process is free for a request that starts");
                        moves.extend(self.schedule.refuse(number, now));
                    }
                }
                Move::Ask(number) => {
                    moves.extend(self.schedule.reach(number, now));
                    if self.schedule.is_parked(number) {
                        self.park(number);
                    }
                }
                Move::Resume(number) | Move::Release(number) => self.resume(number),
                Move::Forget(number) => drop(self.requests.remove(&number)),
                // What is asked to park has parked, and nothing yields.
                Move::Withdraw(_) | Move::Yield(_) | Move::Restore(_) => {}
            }
        }
        self.alarm = self.schedule.next_alarm(now);
    }

    /// Reads what each request has attained.
    pub(super) fn refresh(&mut self) {
        let Room { processes, requests, schedule, .. } = self;
        for up in processes.iter_mut().filter_map(|process| process.up.as_mut()) {
            if !up.requests.is_empty() && !up.is_parked {
                let advanced = up.measure.advance();
                share(advanced, &up.requests, requests);
            }
        }
        let speed = schedule.speed();
        schedule.refresh(|number| Some(requests.get(&number)?.cpu.as_secs_f64() * speed));
    }

    /// What the attempts of jobs that have a process have used.
    pub(super) fn spent(&self) -> Vec<Spent> {
        let started = self.requests.values().filter(|request| request.process.is_some());
        started.filter_map(|request| Some((request.attempt?, request.cpu))).collect()
    }

    /// Gives a request that starts to the process that was used last of those that are free.
    fn start(&mut self, number: u64, now: Duration) -> bool {
        let free = self.processes.iter_mut().filter_map(|process| process.up.as_mut());
        let free = free.filter(|up| up.requests.len() < self.concurrency);
        let Some(up) = free.max_by_key(|up| up.used) else { return false };
        let advanced = up.measure.advance_exactly();
        share(advanced, &up.requests, &mut self.requests);
        if up.requests.is_empty() {
            up.measure.forget_peak();
        }
        up.requests.push(number);
        up.used = now;
        if 1 < up.requests.len() {
            for number in &up.requests {
                if let Some(request) = self.requests.get_mut(number) {
                    request.is_alone = false;
                }
            }
        }
        if let Some(request) = self.requests.get_mut(&number) {
            request.process = Some(up.lease.process);
            if let Some(start) = request.start.take() {
                // Fails where the client is gone: then it leaves in a moment.
                let _ = start.send(up.lease.clone());
            }
        }
        true
    }

    fn park(&mut self, number: u64) {
        let Some(way) = self.way.clone() else { return };
        let Some(index) = self.process_of(number) else { return };
        let Some(up) = self.up_mut(index) else { return };
        up.park(way.as_ref());
        if way.longest().is_some() {
            let stopped = (index, up.n_parked);
            self.stopped.push(stopped);
        }
    }

    fn resume(&mut self, number: u64) {
        let Some(way) = self.way.clone() else { return };
        let process = self.process_of(number);
        if let Some(up) = process.and_then(|index| self.up_mut(index)) {
            up.resume(way.as_ref());
        }
    }

    /// Lets a process run that has been parked for too long, or parks it again. Whether it is still
    /// parked.
    pub(super) fn breathe(&mut self, (index, n_parked): (usize, u64), runs: bool) -> bool {
        let Some(way) = self.way.clone() else { return false };
        let Some(up) = self.up_mut(index) else { return false };
        let is_same = up.is_parked && up.n_parked == n_parked;
        if is_same {
            let tree = up.measure.tree();
            let place = up.place.as_ref();
            let done = if runs { way.resume(tree, place) } else { way.park(tree, place) };
            warn_of(done, index);
        }
        is_same
    }

    /// A request that has started has ended: its process is free. What runs next is left to the
    /// next decision. `None` where its process has ended before.
    pub(super) fn finish(&mut self, number: u64, now: Duration) -> Option<Measured> {
        let index = self.process_of(number)?;
        let way = self.way.clone();
        let (waiting, preemptions) = self.schedule.waited(number, now);
        let mut peak_bytes = None;
        if let Some(up) = self.processes.get_mut(index).and_then(|process| process.up.as_mut()) {
            let advanced = up.measure.advance_exactly();
            share(advanced, &up.requests, &mut self.requests);
            peak_bytes = Some(up.measure.peak_bytes());
            up.requests.retain(|other| *other != number);
            if let Some(way) = way {
                // It may have ended while it was parked.
                up.resume(way.as_ref());
            }
        }
        let request = self.requests.remove(&number)?;
        self.schedule.finish(number);
        let service = now.saturating_sub(request.submitted + waiting);
        Some(Measured {
            cpu: request.cpu,
            peak_bytes: peak_bytes.filter(|_| request.is_alone),
            times: Times { waiting, service, preemptions },
        })
    }

    /// Whether the request has a process.
    pub(super) fn is_started(&self, number: u64) -> bool {
        self.process_of(number).is_some()
    }

    /// Whether the request is here.
    pub(super) fn has(&self, number: u64) -> bool {
        self.requests.contains_key(&number)
    }

    pub(super) fn n_requests(&self) -> usize {
        self.requests.len()
    }

    /// Forgets every request that waits.
    pub(super) fn forget_waiting(&mut self, now: Duration) {
        self.event(now, |schedule| {
            let waiting = schedule.waiting();
            waiting.into_iter().flat_map(|number| schedule.abandon(number, now)).collect()
        });
    }

    /// A process takes requests from now on.
    pub(super) fn up(&mut self, up: Up, now: Duration) {
        if let Some(process) = self.processes.get_mut(up.lease.process) {
            process.up = Some(up);
        }
        self.schedule.set_started_max(self.capacity());
        self.event(now, |schedule| schedule.decide(now));
    }

    /// A process has ended, and so have its requests.
    pub(super) fn down(&mut self, index: usize, now: Duration) {
        let Some(process) = self.processes.get_mut(index) else { return };
        let Some(up) = process.up.take() else { return };
        process.spent += up.measure.total();
        for number in &up.requests {
            self.requests.remove(number);
            self.schedule.finish(*number);
        }
        self.schedule.set_started_max(self.capacity());
        self.event(now, |schedule| schedule.decide(now));
    }

    /// Processes that take requests.
    pub(super) fn n_up(&self) -> usize {
        self.processes.iter().filter(|process| process.up.is_some()).count()
    }

    /// What all processes use, and which of them have more than `bytes_max` of memory.
    pub(super) fn usage(&mut self, bytes_max: Option<u64>) -> (Usage, Vec<(Lease, u64)>) {
        let (mut usage, mut too_large) = (Usage::default(), Vec::new());
        for process in &mut self.processes {
            usage.cpu += process.spent;
            let Some(up) = process.up.as_mut() else { continue };
            let advanced = up.measure.advance_exactly();
            share(advanced, &up.requests, &mut self.requests);
            usage.cpu += up.measure.total();
            let bytes = up.measure.resident_bytes();
            usage.resident_bytes += bytes;
            if bytes_max.is_some_and(|bytes_max| bytes_max < bytes) {
                too_large.push((up.lease.clone(), bytes));
            }
        }
        (usage, too_large)
    }

    /// Requests that all processes may have at once.
    fn capacity(&self) -> usize {
        self.n_up() * self.concurrency
    }

    fn process_of(&self, number: u64) -> Option<usize> {
        self.requests.get(&number)?.process
    }

    fn up_mut(&mut self, index: usize) -> Option<&mut Up> {
        self.processes.get_mut(index)?.up.as_mut()
    }
}

/// Adds CPU time that a process has used to the requests that it had meanwhile.
fn share(advanced: Duration, numbers: &[u64], requests: &mut BTreeMap<u64, Request>) {
    let each = advanced / u32::try_from(numbers.len()).unwrap_or(u32::MAX).max(1);
    for number in numbers {
        if let Some(request) = requests.get_mut(number) {
            request.cpu += each;
        }
    }
}
