//! The niceness 19: an ordinary thread that wants the same core leaves it 1.5 % of the time.
//!
//! Any process may become nicer; to take that back takes a privilege (`CAP_SYS_NICE`, or a
//! `LimitNICE` of systemd that allows the niceness before).

use std::io;

use rustix::process::{Pid, getpriority_process, setpriority_process};

use super::{NICER, Way};
use crate::processes::guard::Group;
use crate::processes::tree::Tree;

pub(super) const NAME: &str = "nice";

const LOWEST: i32 = 19;

/// See the module.
#[derive(Debug)]
struct Nice {
    /// What processes have that run.
    normal: i32,
}

pub(super) fn prepare() -> Result<Box<dyn Way>, String> {
    let own = getpriority_process(None).map_err(|error| error.to_string())?;
    let normal = own + NICER;
    if LOWEST <= normal {
        return Err(format!("the worker's own niceness is `{own}`"));
    }
    Ok(Box::new(Nice { normal }))
}

impl Way for Nice {
    fn name(&self) -> &'static str {
        NAME
    }

    fn place(&self, _: &str) -> io::Result<Option<Group>> {
        Ok(None)
    }

    fn park(&self, tree: &Tree, _: Option<&Group>) -> io::Result<()> {
        set_all(tree, LOWEST)
    }

    fn resume(&self, tree: &Tree, _: Option<&Group>) -> io::Result<()> {
        set_all(tree, self.normal)
    }

    fn is_parked(&self, pid: Pid, _: Option<&Group>) -> bool {
        getpriority_process(Some(pid)).is_ok_and(|niceness| niceness == LOWEST)
    }

    fn longest(&self) -> Option<std::time::Duration> {
        None
    }
}

/// On Linux a niceness is that of a thread.
fn set_all(tree: &Tree, niceness: i32) -> io::Result<()> {
    super::for_all_threads(tree, |thread| Ok(setpriority_process(Some(thread), niceness)?))
}
