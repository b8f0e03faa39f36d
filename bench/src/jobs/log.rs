//! The file in which hosts note what they begin and end. Each line is written at once and at the
//! end of the file (`O_APPEND`), so nothing that was begun is missing, whoever is killed.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// The file, open to write.
#[derive(Debug, Clone)]
pub(super) struct Log {
    file: Arc<File>,
    host: String,
}

/// What is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    End,
}

/// One execution of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Execution {
    pub(super) job: String,
    /// Of this execution alone: when it began, in nanoseconds of the system's monotonic clock.
    pub(super) token: u64,
    pub(super) host: String,
    /// `None`: it has not ended.
    pub(super) end: Option<u64>,
}

/// The system's monotonic clock, in nanoseconds: the same in all processes.
pub(super) fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

// === impl Log ===

impl Log {
    /// Opens the file for the host of that name.
    pub(super) fn open(file: &Path, host: &str) -> io::Result<Log> {
        let file = OpenOptions::new().append(true).create(true).open(file)?;
        Ok(Log { file: Arc::new(file), host: host.to_owned() })
    }

    pub(super) fn note(&self, kind: Kind, job: &str, token: u64) -> io::Result<()> {
        let (kind, host) = (kind.name(), &self.host);
        let line = format!("{kind} {job} {token} {host} {}\n", monotonic());
        (&*self.file).write_all(line.as_bytes())
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Start => "start",
            Kind::End => "end",
        }
    }
}

/// The executions in `file`, in the order in which they began; none where there is no file.
pub(super) fn executions(file: &Path) -> io::Result<Vec<Execution>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(parse(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Lines that cannot be read are of somebody who was killed while writing.
fn parse(text: &str) -> Vec<Execution> {
    let mut executions: BTreeMap<(u64, String), Execution> = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [kind, job, token, host, at] = words[..] else { continue };
        let (Ok(token), Ok(at)) = (token.parse(), at.parse()) else { continue };
        let (job, host) = (job.to_owned(), host.to_owned());
        let key = (token, job.clone());
        let one = executions.entry(key).or_insert(Execution { job, token, host, end: None });
        if kind == "end" {
            one.end = Some(at);
        }
    }
    executions.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_is_an_execution_whether_it_ended_or_not() {
        let text = "start 1 10 a 10\nstart 2 20 b 20\nend 1 10 a 30\nstart 1 40 b 40\nsta";
        let found: Vec<(String, u64, Option<u64>)> =
            parse(text).into_iter().map(|one| (one.job, one.token, one.end)).collect();
        let expected = [("1", 10, Some(30)), ("2", 20, None), ("1", 40, None)];
        assert_eq!(found, expected.map(|(job, token, end)| (job.to_owned(), token, end)));
    }
}
