//! Launches, drains and pays for hosts.

use super::{Event, World};
use crate::sim::autoscalers::FleetView;
use crate::sim::cost::Prices;
use crate::sim::host::{Host, HostKind, Phase, Preemption};
use crate::sim::measure::{Sample, Usage};

/// The books of the fleet.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Requests that have come since the last tick of the autoscaler.
    pub(super) arrivals: usize,
    /// Of hosts that have stopped.
    stopped: Usage,
    samples: Vec<Sample>,
    /// Seconds from a sample until the next one is taken: all of a long run are evenly thin.
    gap: f64,
    /// Busy core-seconds until the last tick of the autoscaler.
    busy: f64,
    ticked: f64,
}

/// More samples than this are thinned out.
const SAMPLES_MAX: usize = 4096;

// === impl Account ===

impl Account {
    pub(super) fn take_samples(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.samples)
    }

    fn sample(&mut self, sample: Sample) {
        if self.samples.last().is_some_and(|last| sample.at - last.at < self.gap) {
            return;
        }
        self.samples.push(sample);
        if SAMPLES_MAX < self.samples.len() {
            let mut n = 0;
            self.samples.retain(|_| {
                n += 1;
                n % 2 == 1
            });
            self.gap = 2.0 * sample.at / SAMPLES_MAX as f64;
        }
    }
}

// === impl World ===

impl World<'_> {
    /// The hosts of the scenario, ready at once; or one that has all their cores.
    pub(super) fn start_fleet(&mut self) {
        let hosts = &self.scenario.hosts;
        let kinds: Vec<HostKind> = if self.shape.pooled {
            vec![self.pooled()]
        } else {
            (0..hosts.count).map(|host| hosts.kind(host, self.shape.discipline)).collect()
        };
        for kind in kinds {
            let host = self.join(kind);
            self.hosts[host].phase = Phase::Active;
            self.tell_all(|proxy, scene, out| proxy.ready(scene, host, out));
            self.ease(host);
        }
        self.sample();
    }

    /// As many cores of the fastest speed as have the capacity of all.
    fn pooled(&self) -> HostKind {
        let hosts = &self.scenario.hosts;
        let kinds = (0..hosts.count).map(|host| hosts.kind(host, self.shape.discipline));
        let speed = kinds.map(|kind| kind.speed).fold(0.0, f64::max);
        let cores = (hosts.capacity() / speed).ceil() as u32;
        let (discipline, preemption) = (self.shape.discipline, Preemption::EXACT);
        HostKind { cores, speed, discipline, preemption }
    }

    fn join(&mut self, kind: HostKind) -> usize {
        self.hosts.push(Host::new(self.now, kind));
        let now = self.now;
        for proxy in &mut self.proxies {
            proxy.join(now, &kind);
        }
        self.hosts.len() - 1
    }

    pub(super) fn launch(&mut self) {
        let kind = self.scenario.hosts.kind(self.hosts.len(), self.shape.discipline);
        let host = self.join(kind);
        self.at(self.now + self.scenario.hosts.boot, Event::Ready(host));
        self.sample();
    }

    pub(super) fn ready(&mut self, host: usize) {
        match self.hosts[host].phase {
            Phase::Starting => {
                self.hosts[host].phase = Phase::Active;
                self.tell_all(|proxy, scene, out| proxy.ready(scene, host, out));
                self.ease(host);
                self.sample();
            }
            Phase::Active | Phase::Draining | Phase::Down | Phase::Gone => {}
        }
    }

    pub(super) fn drain(&mut self, host: usize) {
        match self.hosts[host].phase {
            Phase::Starting | Phase::Active | Phase::Down => {
                self.hosts[host].phase = Phase::Draining;
                let now = self.now;
                for proxy in &mut self.proxies {
                    proxy.drain(now, host);
                }
                self.ease(host);
            }
            Phase::Draining | Phase::Gone => {}
        }
    }

    /// A host stops for good: it is paid until now.
    pub(super) fn stop(&mut self, host: usize) {
        self.hosts[host].phase = Phase::Gone;
        self.hosts[host].stopped = Some(self.now);
        let now = self.now;
        for proxy in &mut self.proxies {
            proxy.leave(now, host);
        }
        let paid = paid(&self.hosts[host], now);
        self.fleet.stopped.host_seconds += paid.host_seconds;
        self.fleet.stopped.core_seconds += paid.core_seconds;
        self.sample();
    }

    /// The end of the run: what it used.
    pub(super) fn stop_fleet(&mut self) -> Usage {
        self.fleet.gap = 0.0;
        self.sample();
        self.usage()
    }

    /// The autoscaler's tick: launches what is missing, drains the idlest of those that are too
    /// many.
    pub(super) fn scale(&mut self) {
        let Some(scale) = self.scenario.scale else { return };
        let view = self.fleet_view();
        let desired = self.autoscaler.as_mut().map(|autoscaler| autoscaler.desired(&view));
        if let Some(desired) = desired {
            let desired = desired.clamp(scale.hosts_min, scale.hosts_max);
            self.bring_to(desired, view.active + view.starting);
        }
        self.sample();
        self.at(self.now + scale.tick, Event::Scale);
    }

    fn bring_to(&mut self, desired: usize, kept: usize) {
        for _ in kept..desired {
            self.launch();
        }
        for _ in desired..kept {
            let kept = self.hosts.iter().enumerate().filter(|(_, host)| match host.phase {
                Phase::Starting | Phase::Active => true,
                Phase::Draining | Phase::Down | Phase::Gone => false,
            });
            // Of equally idle hosts, the one that joined last.
            let idlest = kept.min_by_key(|(index, host)| (host.n_requests(), usize::MAX - index));
            if let Some((idlest, _)) = idlest {
                self.drain(idlest);
            }
        }
    }

    fn fleet_view(&mut self) -> FleetView {
        let now = self.now;
        let busy: f64 = self.hosts.iter_mut().map(|host| host.busy_seconds(now)).sum();
        let active = self.count(Phase::Active);
        let cores = (active as f64 * f64::from(self.scenario.hosts.cores)).max(1.0);
        let span = (now - self.fleet.ticked).max(1e-9);
        let utilization = ((busy - self.fleet.busy) / span / cores).min(1.0);
        (self.fleet.busy, self.fleet.ticked) = (busy, now);
        let arrivals = std::mem::take(&mut self.fleet.arrivals);
        FleetView {
            now,
            active,
            starting: self.count(Phase::Starting),
            draining: self.count(Phase::Draining),
            cores: self.scenario.hosts.cores,
            utilization,
            requests: self.n_requests(),
            arrivals,
            hosts_min: self.scenario.scale.map_or(0, |scale| scale.hosts_min),
            hosts_max: self.scenario.scale.map_or(0, |scale| scale.hosts_max),
        }
    }

    fn count(&self, phase: Phase) -> usize {
        self.hosts.iter().filter(|host| host.phase == phase).count()
    }

    fn n_requests(&self) -> usize {
        let running: usize = self.hosts.iter().map(Host::n_requests).sum();
        running + self.proxies.iter().map(|proxy| proxy.n_waiting()).sum::<usize>()
    }

    fn usage(&self) -> Usage {
        let there = self.hosts.iter().filter(|host| host.stopped.is_none());
        let mut usage = self.fleet.stopped;
        let Usage { lambda_requests, lambda_gb_seconds, .. } = self.used_by_functions();
        (usage.lambda_requests, usage.lambda_gb_seconds) = (lambda_requests, lambda_gb_seconds);
        for host in there {
            let paid = paid(host, self.now);
            usage.host_seconds += paid.host_seconds;
            usage.core_seconds += paid.core_seconds;
        }
        usage
    }

    fn sample(&mut self) {
        let paid = self.hosts.iter().filter(|host| host.stopped.is_none()).count();
        let sample = Sample {
            at: self.now,
            active: self.count(Phase::Active),
            paid,
            requests: self.n_requests() + self.n_invoked,
            usage: self.usage(),
        };
        self.fleet.sample(sample);
    }
}

/// What is billed of a host by `now`.
fn paid(host: &Host, now: f64) -> Usage {
    let host_seconds = match host.stopped {
        Some(stopped) => Prices::listed().vm.billed_secs(stopped - host.launched),
        None => now - host.launched,
    };
    let core_seconds = host_seconds * f64::from(host.kind.cores);
    Usage { host_seconds, core_seconds, ..Usage::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_long_run_are_evenly_thin() {
        let mut account = Account::default();
        // Twenty changes a second for a thousand seconds, then one.
        let crowded = (0..20_000).map(|n| f64::from(n) * 0.05);
        for at in crowded.chain((1000..4000).map(f64::from)) {
            let usage = Usage::default();
            account.sample(Sample { at, active: 1, paid: 1, requests: 0, usage });
        }
        let samples = account.take_samples();
        let apart = samples.windows(2).map(|pair| pair[1].at - pair[0].at).fold(0.0, f64::max);
        assert!((1000..=SAMPLES_MAX).contains(&samples.len()), "{}", samples.len());
        assert!(apart < 4.0, "{apart} s");
    }
}
