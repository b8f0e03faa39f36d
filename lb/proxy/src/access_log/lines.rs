//! Lines that wait to be written, bounded.
//!
//! They gather for a moment, because waking a thread costs more than writing a line, and writing
//! many lines at once costs hardly more than writing one.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How long lines gather, at most.
const GATHER: Duration = Duration::from_millis(20);

/// The writer wakes for this many lines, or for half of those that may wait.
const ENOUGH_LINES: usize = 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Lines {
    state: Mutex<Gathered>,
    changed: Condvar,
    room: usize,
}

#[derive(Debug, Default)]
struct Gathered {
    text: Vec<u8>,
    n_lines: usize,
    /// Set when the file is to be opened again, after these lines.
    reopens: bool,
    /// Set when no more lines are taken.
    is_closed: bool,
    /// Set when all lines have been written.
    is_ended: bool,
}

/// What the writer has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) n_lines: usize,
    /// Whether the file is to be opened again, after these lines.
    pub(super) reopens: bool,
}

impl Lines {
    /// Room for `room`, and for one at least.
    pub(super) fn new(room: usize) -> Lines {
        Lines { state: Mutex::default(), changed: Condvar::new(), room: room.max(1) }
    }

    /// Takes `line`, which ends in a line break. False where there is no room, or after the close.
    /// Never waits for the writer.
    pub(super) fn add(&self, line: &[u8]) -> bool {
        let mut state = self.state.lock();
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

    /// Lets the writer open its file again, once it has written the lines that are here now.
    pub(super) fn reopen(&self) {
        self.state.lock().reopens = true;
        self.changed.notify_all();
    }

    /// Waits for lines, and replaces `text` by all of them, which may be none where the file is to
    /// be opened again. `None` after the last one.
    pub(super) fn take(&self, text: &mut Vec<u8>) -> Option<Taken> {
        text.clear();
        let mut state = self.state.lock();
        let idles = |state: &mut Gathered| state.n_lines == 0 && !state.reopens && !state.is_closed;
        self.changed.wait_while(&mut state, idles);
        let enough = self.enough();
        let gathers =
            |state: &mut Gathered| state.n_lines < enough && !state.reopens && !state.is_closed;
        self.changed.wait_while_for(&mut state, gathers, GATHER);
        std::mem::swap(text, &mut state.text);
        let taken = Taken {
            n_lines: std::mem::take(&mut state.n_lines),
            reopens: std::mem::take(&mut state.reopens),
        };
        Some(taken).filter(|taken| taken.n_lines != 0 || taken.reopens)
    }

    /// Says that all lines have been written.
    pub(super) fn end(&self) {
        self.state.lock().is_ended = true;
        self.changed.notify_all();
    }

    /// Takes no more lines, and waits until all are written, for `wait_max` at most. Returns
    /// whether they are.
    pub(super) fn close(&self, wait_max: Duration) -> bool {
        self.state.lock().is_closed = true;
        self.changed.notify_all();
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, |state| !state.is_ended, wait_max);
        state.is_ended
    }

    fn enough(&self) -> usize {
        self.room.div_ceil(2).min(ENOUGH_LINES)
    }
}
