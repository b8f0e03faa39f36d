//! By mean CPU utilization.
//!
//! Over the stable window; [`occupancy`](crate::host::HostState::occupancy) says what counts as
//! busy. Above `cpu_high`, or below `cpu_low`: `⌈active × utilization / cpu_target⌉`. As many as
//! there are between the two.

use super::{Desire, Rule, ScaleReason, View};
use crate::scale::ScalePolicy;

/// See the module.
#[derive(Debug)]
pub(super) struct Cpu;

impl Rule for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn desired(&self, view: &View, policy: &ScalePolicy) -> Desire {
        let hosts = view.hosts_for(view.utilization, policy.cpu_target);
        if view.active != 0 && policy.cpu_high < view.utilization {
            return Desire { hosts: hosts.max(view.active + 1), reason: ScaleReason::CpuHigh };
        }
        if view.utilization < policy.cpu_low {
            return Desire { hosts: hosts.min(view.kept), reason: ScaleReason::CpuLow };
        }
        Desire { hosts: view.kept, reason: ScaleReason::Steady }
    }
}
