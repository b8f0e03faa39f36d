//! As many hosts as there were at the start.

use super::{Autoscaler, FleetView, Rule};

pub(super) const RULE: Rule = Rule {
    name: "fixed",
    about: "as many hosts as at the start",
    make: |future| Box::new(Fixed { hosts: future.hosts }),
};

/// See the module.
#[derive(Debug)]
struct Fixed {
    hosts: usize,
}

impl Autoscaler for Fixed {
    fn desired(&mut self, _: &FleetView) -> usize {
        self.hosts
    }
}
