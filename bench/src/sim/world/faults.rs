//! What goes wrong: crashes and slow spells, at random instants.

use weighbridge_core::observe::Failure;
use weighbridge_core::random::Random;

use super::{Attempt, Event, World};
use crate::sim::host::Phase;
use crate::sim::random::exponential;

// === impl World ===

impl World<'_> {
    pub(super) fn foretell_crash(&mut self) {
        let gap = gap(self.scenario.faults.crash_every, &mut self.crashes);
        if let Some(gap) = gap {
            self.at(self.now + gap, Event::Crash);
        }
    }

    pub(super) fn foretell_slow(&mut self) {
        let gap = gap(self.scenario.faults.slow_every, &mut self.slow_spells);
        if let Some(gap) = gap {
            self.at(self.now + gap, Event::Slow);
        }
    }

    /// Some active host loses all it has, and refuses connections for a while.
    pub(super) fn crash(&mut self) {
        let faults = self.scenario.faults;
        self.foretell_crash();
        let active = self.active();
        let Some(host) = active.get(self.crashes.below(active.len())).copied() else { return };
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
        self.foretell_slow();
        let active = self.active();
        let Some(host) = active.get(self.slow_spells.below(active.len())).copied() else { return };
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

    fn active(&self) -> Vec<usize> {
        let hosts = self.hosts.iter().enumerate();
        hosts.filter(|(_, host)| host.phase == Phase::Active).map(|(index, _)| index).collect()
    }
}

/// Seconds to the next fault of a kind that comes `every` so many on average; `None`: it never
/// does.
fn gap(every: f64, random: &mut Random) -> Option<f64> {
    every.is_finite().then(|| every * exponential(random))
}
