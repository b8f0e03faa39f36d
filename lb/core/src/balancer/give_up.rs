//! Requests that every host has failed. They are given up soon, for no host is left that might do
//! better; but not at once, for a host that has just died is still believed to be well.

use std::time::Duration;

use super::{Balancer, Grant};
use crate::admit::{ShedReason, Verdict};
use crate::host::{HostState, Phase};
use crate::request::RequestId;
use crate::units::Time;

/// How long a failed request waits for a host before it is asked whether any is left to wait for.
/// By then a host that has died has been found out: hosts are asked for their load each second.
const HOPE: Duration = Duration::from_millis(1500);

// === impl Balancer ===

impl Balancer {
    /// Notes that a failed request has begun to wait.
    pub(super) fn hope_for(&mut self, id: RequestId) {
        self.hoping.push_back((self.now + HOPE, id));
    }

    /// When the first failed request is to be asked whether any host is left for it.
    pub(super) fn next_doubt(&self) -> Option<Time> {
        self.hoping.front().map(|(until, _)| *until)
    }

    /// The first waiting request that no host is left for, shed.
    pub(super) fn give_up_one(&mut self) -> Option<(RequestId, Verdict)> {
        while let Some((until, id)) = self.hoping.front().copied() {
            if self.now < until {
                return None;
            }
            self.hoping.pop_front();
            if self.is_hopeless(id, until) {
                self.forget_waiting(id);
                return Some((id, self.shed(ShedReason::TriesExhausted)));
            }
        }
        None
    }

    /// Whether the request still waits as it did then, and every host has failed it: none is to
    /// come, or is back, or may come back.
    fn is_hopeless(&self, id: RequestId, until: Time) -> bool {
        let Some(request) = self.requests.get(&id) else { return false };
        let since = match request.grant {
            Grant::Place { since } if since + HOPE == until => since,
            // It has been tried again since.
            Grant::Place { .. } | Grant::Claim(_) | Grant::Run(_) | Grant::Nothing => return false,
        };
        let has_failed_it = |host: &HostState| {
            !host.is_down() && request.tried.contains(&host.id) && !self.is_back(host.id, since)
        };
        let is_no_hope = |host: &HostState| match host.phase {
            Phase::Active => has_failed_it(host),
            Phase::Starting => false,
            Phase::Draining | Phase::Gone => true,
        };
        self.hosts().any(|host| host.phase == Phase::Active) && self.hosts().all(is_no_hope)
    }
}
