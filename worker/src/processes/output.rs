//! What processes print, line by line, in the log with their name. The lines have a longest, and
//! there are only so many a second; the last ones are kept for when a process fails.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Of a longer line this much is written.
const LINE_BYTES_MAX: usize = 4096;
/// Lines of one process a second; what comes beyond is counted.
const LINES_PER_SEC: u32 = 200;
/// Lines that are kept.
const KEPT: usize = 8;

/// The last lines of a process.
#[derive(Debug, Clone, Default)]
pub(super) struct LastLines {
    lines: Arc<Mutex<VecDeque<String>>>,
}

/// How many lines may still be written in this second.
#[derive(Debug)]
struct Allowance {
    since: Instant,
    lines: u32,
    left_out: u64,
}

/// Writes all that comes from `output` to the log, as of the process `name`, until it ends.
pub(super) async fn log(output: impl AsyncRead + Unpin, name: usize, last: LastLines) {
    let mut output = output;
    let (mut line, mut is_cut) = (Vec::new(), false);
    let mut buffer = vec![0; 16 << 10];
    let mut allowance = Allowance { since: Instant::now(), lines: 0, left_out: 0 };
    // An error ends the output as well.
    while let Ok(length @ 1..) = output.read(&mut buffer).await {
        for &byte in &buffer[..length] {
            if byte == b'\n' {
                allowance.write(name, &line, is_cut, &last);
                line.clear();
                is_cut = false;
            } else if line.len() < LINE_BYTES_MAX {
                line.push(byte);
            } else {
                is_cut = true;
            }
        }
    }
    if !line.is_empty() {
        allowance.write(name, &line, is_cut, &last);
    }
    allowance.tell(name);
}

// === impl LastLines ===

impl LastLines {
    fn push(&self, line: String) {
        let mut lines = self.lines.lock();
        if KEPT <= lines.len() {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// They, in one line; empty where there are none.
    pub(super) fn joined(&self) -> String {
        self.lines.lock().iter().map(String::as_str).collect::<Vec<_>>().join(" | ")
    }
}

// === impl Allowance ===

impl Allowance {
    fn write(&mut self, process: usize, line: &[u8], is_cut: bool, last: &LastLines) {
        let mut text = String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
        if is_cut {
            text.push('…');
        }
        last.push(text.clone());
        if Duration::from_secs(1) <= self.since.elapsed() {
            self.tell(process);
            (self.since, self.lines) = (Instant::now(), 0);
        }
        if LINES_PER_SEC <= self.lines {
            self.left_out += 1;
            return;
        }
        self.lines += 1;
        tracing::info!(process, "{text}");
    }

    fn tell(&mut self, process: usize) {
        if 0 < self.left_out {
            tracing::warn!(process, lines = self.left_out, "prints too much: left lines out");
            self.left_out = 0;
        }
    }
}

#[cfg(test)]
mod tests;
