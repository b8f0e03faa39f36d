//! By mean CPU utilization, and by predicted backlog where that asks for more.
//!
//! Down only as far as both agree.

use super::backlog::Backlog;
use super::cpu::Cpu;
use super::{Desire, Rule, View};
use crate::scale::ScalePolicy;

/// See the module.
#[derive(Debug)]
pub(super) struct CpuAndBacklog;

impl Rule for CpuAndBacklog {
    fn name(&self) -> &'static str {
        "cpu_and_backlog"
    }

    fn desired(&self, view: &View, policy: &ScalePolicy) -> Desire {
        let cpu = Cpu.desired(view, policy);
        let backlog = Backlog.desired(view, policy);
        if cpu.hosts < backlog.hosts { backlog } else { cpu }
    }
}
