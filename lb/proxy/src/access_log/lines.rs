//! Lines that wait to be written, bounded.
//!
//! They gather for a moment: to wake a thread costs more than a line does, and to write many at once
//! costs hardly more than to write one.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long lines gather, at most.
const GATHER: Duration = Duration::from_millis(20);

/// So many lines, or half of those that may wait, are enough.
const ENOUGH_LINES: usize = 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Lines {
    state: Mutex<State>,
    changed: Condvar,
    room: usize,
}

#[derive(Debug, Default)]
struct State {
    text: Vec<u8>,
    n_lines: usize,
    /// Nothing more is taken.
    is_closed: bool,
    /// Everything has been written.
    is_ended: bool,
}

impl Lines {
    /// Room for `room`, and for one at least.
    pub(super) fn new(room: usize) -> Lines {
        Lines { state: Mutex::default(), changed: Condvar::new(), room: room.max(1) }
    }

    /// Takes `line`, which ends in a line break, for writing. False where there is no room, or after
    /// the close. Never waits for the writing.
    pub(super) fn add(&self, line: &[u8]) -> bool {
        let mut state = self.lock();
        if state.is_closed || self.room <= state.n_lines {
            return false;
        }
        state.text.extend_from_slice(line);
        state.n_lines += 1;
        let wakes = state.n_lines == 1 || state.n_lines == self.enough();
        drop(state);
        if wakes {
            self.changed.notify_all();
        }
        true
    }

    /// Waits for lines and puts all there are into `text`, in place of what was in it. Returns how
    /// many; `None` after the last one.
    pub(super) fn take(&self, text: &mut Vec<u8>) -> Option<usize> {
        text.clear();
        let wait =
            self.changed.wait_while(self.lock(), |state| state.n_lines == 0 && !state.is_closed);
        let state = wait.unwrap_or_else(PoisonError::into_inner);
        let enough = self.enough();
        let wait = self
            .changed
            .wait_timeout_while(state, GATHER, |state| state.n_lines < enough && !state.is_closed);
        let (mut state, _) = wait.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(text, &mut state.text);
        Some(std::mem::take(&mut state.n_lines)).filter(|n_lines| *n_lines != 0)
    }

    /// Everything has been written.
    pub(super) fn end(&self) {
        self.lock().is_ended = true;
        self.changed.notify_all();
    }

    /// Takes no more, and waits until everything has been written, for `wait_max` at most. Whether
    /// it has been.
    pub(super) fn close(&self, wait_max: Duration) -> bool {
        self.lock().is_closed = true;
        self.changed.notify_all();
        let wait = self.changed.wait_timeout_while(self.lock(), wait_max, |state| !state.is_ended);
        wait.unwrap_or_else(PoisonError::into_inner).0.is_ended
    }

    fn enough(&self) -> usize {
        self.room.div_ceil(2).min(ENOUGH_LINES)
    }

    /// Whoever panicked with the lock left whole lines behind.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
