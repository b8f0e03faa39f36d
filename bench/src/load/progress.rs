//! How far a run is, on standard error: in place on a terminal, else a line now and then.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Shows how far something is.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    n_all: u64,
    n_done: u64,
    shown: Instant,
    is_terminal: bool,
}

/// Between two updates, on a terminal and elsewhere.
const EVERY: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

impl Progress {
    /// Of `n_all` steps.
    pub(crate) fn new(what: &'static str, n_all: u64) -> Progress {
        let is_terminal = std::io::stderr().is_terminal();
        Progress { what, n_all, n_done: 0, shown: Instant::now(), is_terminal }
    }

    /// Tells that `n_done` steps are done, if the last time is long enough ago; `more` is said of
    /// it.
    pub(crate) fn show(&mut self, n_done: u64, more: impl FnOnce() -> String) {
        self.n_done = n_done;
        let every = EVERY[usize::from(!self.is_terminal)];
        if every <= self.shown.elapsed() {
            self.shown = Instant::now();
            self.write(&more(), false);
        }
    }

    /// Tells that it is over.
    pub(crate) fn end(&self) {
        if self.is_terminal {
            self.write("", true);
        }
    }

    fn write(&self, more: &str, is_end: bool) {
        let Progress { what, n_all, n_done, .. } = self;
        let (begin, end) = match (self.is_terminal, is_end) {
            (true, false) => ("\r\x1b[K", ""),
            (true, true) => ("\r\x1b[K", "\n"),
            (false, _) => ("", "\n"),
        };
        let mut out = std::io::stderr().lock();
        // Progress that cannot be shown is no reason to stop.
        let _ = write!(out, "{begin}{what}: {n_done} of {n_all}{more}{end}");
        let _ = out.flush();
    }
}
