//! The scheduling policy `SCHED_IDLE`: a thread runs only while no ordinary one wants its core.
//!
//! Any thread may become idle; to become ordinary again takes a privilege (`CAP_SYS_NICE`, or a
//! `LimitNICE` of systemd that allows its niceness).

use std::io;

use rustix::process::Pid;
use weighbridge_instrument::set_idle;

use super::Way;
use crate::processes::guard::Group;
use crate::processes::tree::{Tree, raw, stat};

pub(super) const NAME: &str = "idle";

/// The number of the policy in `/proc/PID/stat`, and its field.
const SCHED_IDLE: &str = "5";
const POLICY: usize = 41;

/// See the module.
#[derive(Debug)]
struct Idle;

#[expect(clippy::unnecessary_wraps, reason = "ways are prepared alike")]
pub(super) fn prepare() -> Result<Box<dyn Way>, String> {
    Ok(Box::new(Idle))
}

impl Way for Idle {
    fn name(&self) -> &'static str {
        NAME
    }

    fn place(&self, _: &str) -> io::Result<Option<Group>> {
        Ok(None)
    }

    fn park(&self, tree: &Tree, _: Option<&Group>) -> io::Result<()> {
        set_all(tree, true)
    }

    fn resume(&self, tree: &Tree, _: Option<&Group>) -> io::Result<()> {
        set_all(tree, false)
    }

    fn is_parked(&self, pid: Pid, _: Option<&Group>) -> bool {
        stat(pid, POLICY).as_deref() == Some(SCHED_IDLE)
    }

    fn longest(&self) -> Option<std::time::Duration> {
        None
    }
}

/// A policy is that of a thread.
fn set_all(tree: &Tree, idle: bool) -> io::Result<()> {
    super::for_all_threads(tree, |thread| set_idle(raw(thread), idle))
}
