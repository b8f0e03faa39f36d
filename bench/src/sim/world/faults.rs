//! What goes wrong: crashes and slow spells, at random instants.

use weighbridge_core::observe::Failure;

use super::{Attempt, Event, World};
use crate::sim::host::Phase;
use crate::sim::random::exponential;

// === impl World ===

impl World<'_> {
    /// The next fault of a kind that comes `every` so many seconds on average.
    pub(super) fn foretell_fault(&mut self, every: f64, fault: Event) {
        if every.is_finite() {
            let at = self.now + every * exponential(&mut self.random);
            self.at(at, fault);
        }
    }

    /// Some active host loses all it has, and refuses connections for a while.
    pub(super) fn crash(&mut self) {
        let faults = self.scenario.faults;
        self.foretell_fault(faults.crash_every, Event::Crash);
        let Some(host) = self.any_active() else { return };
        self.hosts[host].phase = Phase::Down;
        for job in self.hosts[host].clear(self.now) {
            let attempt = Attempt { request: job.request, n: self.flights[job.request].n };
            self.after_trip(Event::Fail(attempt, Failure::BeforeResponse));
        }
        if self.scenario.scale.is_some() {
            // Whoever launches hosts sees that one has ended, and launches another.
            return self.stop(host);
        }
        self.at(self.now + faults.detect, Event::Detect(host, false));
        self.at(self.now + faults.crash_for, Event::Recover(host));
    }

    pub(super) fn recover(&mut self, host: usize) {
        if self.hosts[host].phase == Phase::Down {
            self.hosts[host].phase = Phase::Active;
            self.at(self.now + self.scenario.faults.detect, Event::Detect(host, true));
        }
    }

    /// Some active host gets slow for a while.
    pub(super) fn slow(&mut self) {
        let faults = self.scenario.faults;
        self.foretell_fault(faults.slow_every, Event::Slow);
        let Some(host) = self.any_active() else { return };
        self.hosts[host].slow_to(self.now, faults.slow_part);
        self.foretell(host);
        self.at(self.now + faults.slow_for, Event::Fast(host));
    }

    pub(super) fn fast(&mut self, host: usize) {
        self.hosts[host].slow_to(self.now, 1.0);
        self.foretell(host);
    }

    /// What the health checks find, unless it has changed since.
    pub(super) fn detect(&mut self, host: usize, up: bool) {
        match (self.hosts[host].phase, up) {
            (Phase::Down, false) => {
                let now = self.now;
                for proxy in &mut self.proxies {
                    proxy.down(now, host);
                }
            }
            (Phase::Active, true) => {
                self.tell_all(|proxy, scene, out| proxy.ready(scene, host, out));
                self.ease(host);
            }
            (
                Phase::Starting | Phase::Active | Phase::Draining | Phase::Down | Phase::Gone,
                true | false,
            ) => {}
        }
    }

    fn any_active(&mut self) -> Option<usize> {
        let hosts = self.hosts.iter().enumerate();
        let active: Vec<usize> =
            hosts.filter(|(_, host)| host.phase == Phase::Active).map(|(index, _)| index).collect();
        active.get(self.random.below(active.len())).copied()
    }
}
