//! What each event does, and each action of a proxy.

use super::{Action, Event, World};

// === impl World ===

impl World<'_> {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive(request) => self.arrive(request),
            Event::Host(host, version) => self.host_event(host, version),
            Event::Reach(attempt) => self.reach(attempt),
            Event::Answer(attempt, cpu_secs, report) => self.answer(attempt, cpu_secs, report),
            Event::Fail(attempt, failure) => self.fail(attempt, failure),
            Event::Invoke(attempt, function) => self.start_run(attempt, function),
            Event::RunEnd(attempt, run) => self.end_run(attempt, run),
            Event::RunAnswer(attempt, run) => self.answer_of_run(attempt, run),
            Event::RunFail(attempt, failure) => self.fail_run(attempt, failure),
            Event::Report(proxy, host, report) => {
                self.tell(proxy, |proxy, scene, out| proxy.report(scene, host, &report, out));
            }
            Event::Poll(proxy) => self.poll(proxy),
            Event::Polled(proxy, host, report) => {
                self.tell(proxy, |proxy, scene, out| {
                    proxy.polled(scene, host, report.as_ref(), out);
                });
            }
            Event::Probe(proxy, host) => self.probe(proxy, host),
            Event::Probed(proxy, host, reply) => {
                let now = self.now;
                self.proxies[proxy].probe_replied(now, host, &reply);
            }
            Event::Idle(proxy, host) => {
                self.tell(proxy, |proxy, scene, out| proxy.idle(scene, host, out));
            }
            Event::Ready(host) => self.ready(host),
            Event::Detect(host, up) => self.detect(host, up),
            Event::Crash => self.crash(),
            Event::Recover(host) => self.recover(host),
            Event::Slow => self.slow(),
            Event::Fast(host) => self.fast(host),
            Event::Tick(proxy) => self.tick(proxy),
            Event::Scale => self.scale(),
            Event::Wake(proxy) => {
                self.wakes[proxy] = f64::INFINITY;
                self.tell(proxy, |proxy, scene, out| proxy.wake(scene, out));
            }
        }
    }

    pub(super) fn act(&mut self, proxy: usize, action: Action) {
        match action {
            Action::Send { request, host, estimate, owner } => {
                self.send(request, host, (estimate, owner));
            }
            Action::Invoke { request, function } => self.invoke(request, function),
            Action::Shed { request } => self.end_request(request, None),
            Action::Probe { host } => self.after_trip(Event::Probe(proxy, host)),
            Action::Launch => self.launch(),
            Action::Drain { host } => self.drain(host),
        }
    }

    /// The first balancer sizes the fleet: it holds the lease.
    fn tick(&mut self, proxy: usize) {
        self.tell(proxy, |one, scene, out| one.tick(scene, proxy == 0, out));
        if let Some(every) = self.proxies[proxy].tick_every() {
            self.at(self.now + every, Event::Tick(proxy));
        }
    }
}
