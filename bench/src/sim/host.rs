//! A simulated host: cores of a speed that run what they are given, exactly and event by event.
//!
//! Work is in CPU-seconds of the reference core, time in seconds since the start. Between two
//! events of a host every rate is constant, so the instant of the next one is known in closed form.

mod history;
mod report;
mod run_queue;

use weighbridge_core::host::Discipline;
use weighbridge_schedule::{ORDERS, Order, Owner};

use history::History;
pub use report::LoadReport;
use report::Rates;
pub use run_queue::Preemption;
use run_queue::RunQueue;

/// What a host is given to run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assignment {
    /// Index of the request in the workload.
    pub request: usize,
    /// What it truly takes.
    pub work: f64,
    /// What the host believes that it takes; above zero.
    pub estimate: f64,
    /// Where its client stands.
    pub owner: Owner,
}

/// Where a host is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Launched, not ready.
    Starting,
    /// Takes requests.
    Active,
    /// Finishes what it has, takes nothing new.
    Draining,
    /// Crashed: refuses connections, and may come back.
    Down,
    /// Stopped for good.
    Gone,
}

/// How a host is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HostKind {
    /// Cores that run requests; at least 1.
    pub cores: u32,
    /// Speed of one core, in reference cores.
    pub speed: f64,
    /// How it orders its requests.
    pub discipline: Discipline,
    /// How exactly it does so where it runs the shortest first.
    pub preemption: Preemption,
}

/// One host.
#[derive(Debug)]
pub struct Host {
    /// How it was made.
    pub kind: HostKind,
    /// Where it is in its life.
    pub phase: Phase,
    /// When it was launched.
    pub launched: f64,
    /// When it stopped for good.
    pub stopped: Option<f64>,
    /// Speed of one core now: slower than `kind.speed` in a slow spell.
    speed: f64,
    queue: RunQueue,
    as_of: f64,
    /// Changes whenever what was foretold no longer holds.
    version: u64,
    rates: Rates,
    /// Busy core-seconds since its launch.
    busy: f64,
    history: History,
}

// === impl Host ===

impl Host {
    /// A host that was launched at `now`.
    pub fn new(now: f64, kind: HostKind) -> Host {
        let (order, cores) = (order_of(kind.discipline), kind.cores as usize);
        Host {
            kind,
            phase: Phase::Starting,
            launched: now,
            stopped: None,
            speed: kind.speed,
            queue: RunQueue::new(order, kind.preemption, cores, kind.speed),
            as_of: now,
            version: 0,
            rates: Rates::new(now),
            busy: 0.0,
            history: History::default(),
        }
    }

    /// Takes a request.
    pub fn push(&mut self, now: f64, assignment: Assignment) {
        self.advance(now);
        self.queue.push(now, assignment);
        self.version += 1;
    }

    /// When its next event is, and the version in which that holds.
    pub fn next(&self) -> Option<(f64, u64)> {
        Some((self.queue.next(self.as_of, self.speed)?, self.version))
    }

    /// The event that [`Host::next`] foretold at `now`; nothing where it no longer holds. Returns
    /// the request that ended.
    pub fn happen(&mut self, now: f64, version: u64) -> Option<Assignment> {
        if version != self.version {
            return None;
        }
        self.advance(now);
        self.version += 1;
        let ended = self.queue.happen(now, self.speed);
        if ended.is_some() {
            self.rates.completed(now);
        }
        ended
    }

    /// Loses all requests.
    pub fn clear(&mut self, now: f64) -> Vec<Assignment> {
        self.advance(now);
        self.version += 1;
        self.queue.clear()
    }

    /// Runs at this part of its speed from now on.
    pub fn slow_to(&mut self, now: f64, part: f64) {
        self.advance(now);
        self.speed = self.kind.speed * part;
        self.version += 1;
    }

    /// Whether it takes connections.
    pub fn is_up(&self) -> bool {
        match self.phase {
            Phase::Active | Phase::Draining => true,
            Phase::Starting | Phase::Down | Phase::Gone => false,
        }
    }

    /// How many requests it has.
    pub fn n_requests(&self) -> usize {
        self.queue.n_requests()
    }

    /// Speed of one core now, in reference cores.
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// The version in which what is foretold holds.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// What its requests truly have left at `now`: of those that are there since its last event.
    pub fn work_left_at(&self, now: f64) -> f64 {
        let busy = self.queue.n_requests().min(self.kind.cores as usize) as f64;
        (self.queue.work_left() - busy * (now - self.as_of) * self.speed).max(0.0)
    }

    /// What it says of itself.
    pub fn report(&mut self, now: f64) -> LoadReport {
        self.advance(now);
        self.rates.report(now, self.kind.cores, &mut self.queue)
    }

    /// Core-seconds that it was busy from its launch to `now`.
    pub fn busy_seconds(&mut self, now: f64) -> f64 {
        self.advance(now);
        self.busy
    }

    /// A request of `route` took `work`; it found so many there, and was answered after so long.
    pub(super) fn learn(&mut self, route: u16, work: f64, latency: (u32, f64)) {
        self.history.learn(self.as_of, route, work, latency);
    }

    /// What requests of `route` take here on average: what is believed of one that comes without an
    /// estimate.
    pub(super) fn usual(&self, route: u16) -> f64 {
        self.history.usual(route)
    }

    /// See [`ProbeReply::latency`](super::policies::ProbeReply::latency).
    pub(super) fn latency(&self, now: f64) -> f64 {
        self.history.latency(now, self.n_requests() as u32, self.kind.cores)
    }

    fn advance(&mut self, now: f64) {
        let span = now - self.as_of;
        if 0.0 < span {
            let busy = self.queue.n_requests().min(self.kind.cores as usize);
            self.rates.busy(span, busy as f64);
            self.busy += span * busy as f64;
            self.queue.run(span * self.speed);
            self.as_of = now;
        }
    }
}

/// The worker's order of that name: every discipline has one, as tests see.
fn order_of(discipline: Discipline) -> &'static dyn Order {
    let named = ORDERS.iter().find(|order| order.name() == discipline.name());
    *named.unwrap_or(&ORDERS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disciplines_that_the_balancer_knows_are_the_orders_of_the_worker() {
        let disciplines = Discipline::ALL.map(Discipline::name);
        let orders: Vec<&str> = ORDERS.iter().map(|order| order.name()).collect();
        assert_eq!(orders, disciplines);
    }
}
