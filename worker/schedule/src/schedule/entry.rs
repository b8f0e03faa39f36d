//! One request of a schedule.

use std::time::Duration;

use crate::progress::Progress;

/// A request, where it is, and how long it has been in no slot.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) progress: Progress,
    pub(super) phase: Phase,
    /// Its client is gone.
    pub(super) abandoned: bool,
    /// Its client is gone, and it goes on for nobody.
    pub(super) lingers: bool,
    /// How often it has parked for another one.
    pub(super) preemptions: u64,
    /// When it last entered or left a slot, or arrived.
    since: Duration,
    /// Time in no slot before `since`.
    waited: Duration,
}

/// ```text
/// Waiting ──► Running ◄──► Asked ──► Parked ──► Leaving
///                ▲           │         ▲
///                └─────── Yielding ────┘
/// ```
/// A parked request resumes as a running one. All but the waiting ones may end at any time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not started.
    Waiting,
    /// In a slot.
    Running,
    /// In a slot, and to park at its next checkpoint.
    Asked { since: Duration },
    /// To park at its next checkpoint; until then it runs at the lowest priority, in no slot.
    Yielding,
    /// At a checkpoint.
    Parked,
    /// Abandoned while parked: on its way out, which takes no time to speak of.
    Leaving,
}

impl Entry {
    /// Arrives.
    pub(super) fn new(progress: Progress, now: Duration) -> Entry {
        Entry {
            progress,
            phase: Phase::Waiting,
            abandoned: false,
            lingers: false,
            preemptions: 0,
            since: now,
            waited: Duration::ZERO,
        }
    }

    /// Enters a slot.
    pub(super) fn step_in(&mut self, now: Duration) {
        debug_assert!(!self.is_in_slot(), "a request enters one slot");
        self.waited = self.waited(now);
        self.since = now;
        self.phase = Phase::Running;
    }

    /// Becomes `phase`, which has no slot.
    pub(super) fn step_out(&mut self, phase: Phase, now: Duration) {
        if self.is_in_slot() {
            self.since = now;
        }
        self.phase = phase;
    }

    /// Time in no slot since it arrived.
    pub(super) fn waited(&self, now: Duration) -> Duration {
        let more = if self.is_in_slot() { Duration::ZERO } else { now.saturating_sub(self.since) };
        self.waited + more
    }

    /// When it last waited.
    pub(super) fn waited_until(&self, now: Duration) -> Duration {
        if self.is_in_slot() { self.since } else { now }
    }

    /// When it has waited `patience_secs`, or had when it entered its slot, in seconds.
    pub(super) fn deadline_secs(&self, patience_secs: f64) -> f64 {
        self.since.as_secs_f64() + patience_secs - self.waited.as_secs_f64()
    }

    /// The work that is believed to be left for clients, in CPU-seconds of the reference core.
    pub(super) fn work_left_secs(&self) -> f64 {
        if self.abandoned || self.lingers { 0.0 } else { self.progress.remaining_secs() }
    }

    pub(super) fn is_in_slot(&self) -> bool {
        match self.phase {
            Phase::Running | Phase::Asked { .. } => true,
            Phase::Waiting | Phase::Yielding | Phase::Parked | Phase::Leaving => false,
        }
    }

    /// Whether it is to park.
    pub(super) fn is_asked(&self) -> bool {
        match self.phase {
            Phase::Asked { .. } => true,
            Phase::Waiting | Phase::Running | Phase::Yielding | Phase::Parked | Phase::Leaving => {
                false
            }
        }
    }

    /// Whether it holds a thread and memory.
    pub(super) fn is_started(&self) -> bool {
        self.phase != Phase::Waiting
    }
}
