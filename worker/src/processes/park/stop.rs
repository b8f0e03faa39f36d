//! SIGSTOP and SIGCONT: always allowed.
//!
//! A stopped process uses no core at all, not even an idle one, and keeps what it has: a lock in a
//! database or on a file that others wait for. So after [`LONGEST`] at a time it runs for a moment.

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::Way;
use crate::processes::guard::Group;
use crate::processes::tree::{Tree, stat};

pub(super) const NAME: &str = "stop";

/// See the module.
const LONGEST: Duration = Duration::from_secs(1);

const STATE: usize = 3;

/// See the module.
#[derive(Debug)]
struct Stop;

#[expect(clippy::unnecessary_wraps, reason = "ways are prepared alike")]
pub(super) fn prepare() -> Result<Box<dyn Way>, String> {
    Ok(Box::new(Stop))
}

impl Way for Stop {
    fn name(&self) -> &'static str {
        NAME
    }

    fn place(&self, _: &str) -> io::Result<Option<Group>> {
        Ok(None)
    }

    fn park(&self, tree: &Tree, _: Option<&Group>) -> io::Result<()> {
        signal_all(tree, Signal::STOP)
    }

    fn resume(&self, tree: &Tree, _: Option<&Group>) -> io::Result<()> {
        signal_all(tree, Signal::CONT)
    }

    fn is_parked(&self, pid: Pid, _: Option<&Group>) -> bool {
        stat(pid, STATE).as_deref() == Some("T")
    }

    fn longest(&self) -> Option<Duration> {
        Some(LONGEST)
    }
}

/// Those first that have forked the others: a parent that is stopped forks no more.
fn signal_all(tree: &Tree, signal: Signal) -> io::Result<()> {
    tree.members().iter().try_for_each(|member| match kill_process(member.pid, signal) {
        // One that is gone needs no signal.
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    })
}
