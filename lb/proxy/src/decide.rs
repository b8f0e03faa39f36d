//! The only place that locks the balancer. The lock is held for one decision and never across an
//! await.
//!
//! A [`Ticket`] stands for one request inside the balancer: its claim on a host or its place in the
//! waiting room. Dropping it gives both back, so no path can lose one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use weighbridge_core::admit::Verdict;
use weighbridge_core::balancer::{Ask, Balancer};
use weighbridge_core::features::auto::Schema;
use weighbridge_core::host::HostId;
use weighbridge_core::observe::{Failure, HostReport, Observation, Outcome};
use weighbridge_core::request::{RequestId, RouteId};
use weighbridge_core::share::Terms;
use weighbridge_core::units::{Speed, Time, Work};

use crate::record::Record;
use crate::register::{Entry, Register};

/// The balancer behind its lock, with the requests that wait for its word.
#[derive(Debug)]
pub(crate) struct Decide {
    locked: Mutex<Locked>,
    origin: Instant,
    next: AtomicU64,
    bells: Bells,
    register: Register,
}

/// What is told to those who wait for something to happen. All fleets share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bells {
    /// Told when a request gives back what it held, and when a host comes.
    pub(crate) freed: Arc<Notify>,
    /// Told when a request begins to wait.
    pub(crate) waits: Arc<Notify>,
}

#[derive(Debug)]
struct Locked {
    balancer: Balancer,
    waiters: HashMap<RequestId, oneshot::Sender<Verdict>>,
}

/// One request inside the balancer. Dropped without [`Ticket::complete`]: the client is gone.
#[derive(Debug)]
pub(crate) struct Ticket {
    id: RequestId,
    decide: Arc<Decide>,
    open: bool,
    /// Where the next verdict arrives while the request waits.
    waiting: Option<oneshot::Receiver<Verdict>>,
    /// Whether the register has it.
    is_entered: bool,
}

// === impl Decide ===

impl Decide {
    /// Takes over `balancer`; its time starts now. What happens to it is told by `bells`.
    pub(crate) fn new(balancer: Balancer, bells: Bells) -> Arc<Decide> {
        Arc::new(Decide {
            locked: Mutex::new(Locked { balancer, waiters: HashMap::new() }),
            origin: Instant::now(),
            next: AtomicU64::new(1),
            bells,
            register: Register::default(),
        })
    }

    /// The balancer's time.
    pub(crate) fn now(&self) -> Time {
        Time::from_nanos(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Asks for a host. The ticket holds what the verdict took.
    pub(crate) fn arrive(self: &Arc<Self>, ask: Ask) -> (Ticket, Verdict) {
        let id = RequestId(self.next.fetch_add(1, Ordering::Relaxed));
        let now = self.now();
        let mut locked = self.locked.lock();
        let verdict = locked.balancer.arrive(now, id, ask);
        let waiting = locked.wait_for(id, &verdict);
        if locked.balancer.has_displaced() {
            locked.dispatch(now);
        }
        drop(locked);
        if waiting.is_some() {
            self.bells.waits.notify_one();
        }
        // What the balancer has forgotten holds nothing, and makes no room.
        let open = match verdict {
            Verdict::Forward(_) | Verdict::Lambda(_) | Verdict::Queue { .. } => true,
            Verdict::Shed(_) | Verdict::Later => false,
        };
        let is_entered = false;
        (Ticket { id, decide: self.clone(), open, waiting, is_entered }, verdict)
    }

    /// What is known of the requests that are here.
    pub(crate) fn register(&self) -> &Register {
        &self.register
    }

    /// What the features of a route are, where they are found by themselves.
    pub(crate) fn schema(&self, route: RouteId) -> Arc<Schema> {
        Arc::clone(self.locked.lock().balancer.predictor(route).schema())
    }

    /// A request showed facts of these names, which its schema did not have.
    pub(crate) fn discover(&self, route: RouteId, unknown: &[String]) {
        self.locked.lock().balancer.discover(route, unknown);
    }

    /// Believes the load report of an answer that is still to end. Returns the cost in it as work.
    pub(crate) fn believe(&self, record: &Record) -> Option<Work> {
        let (host, route, heard) = (record.host?, record.route?, record.heard?);
        self.with(|balancer, now| {
            balancer.report(now, host, &heard.host);
            balancer.predictor(route).price(&heard.cost, Speed::ONE)
        })
    }

    /// Looks at the balancer or changes it, then lets those go that may go now.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut Balancer, Time) -> R) -> R {
        let now = self.now();
        let mut locked = self.locked.lock();
        let n_came = locked.balancer.n_came();
        let result = act(&mut locked.balancer, now);
        locked.dispatch(now);
        let has_come = n_came != locked.balancer.n_came();
        drop(locked);
        if has_come {
            self.bells.freed.notify_one();
        }
        result
    }

    /// Where a job stands in its line; see [`Balancer::turn_in_line`].
    pub(crate) fn turn_in_line(&self, terms: &Terms, work: Work) -> Option<(u8, (u64, u64))> {
        let now = self.now();
        self.locked.lock().balancer.turn_in_line(now, terms, work)
    }

    /// Whether any request waits for a verdict.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.locked.lock().waiters.is_empty()
    }

    /// Looks at the balancer.
    pub(crate) fn look<R>(&self, look: impl FnOnce(&Balancer, Time) -> R) -> R {
        let now = self.now();
        look(&self.locked.lock().balancer, now)
    }
}

// === impl Locked ===

impl Locked {
    fn wait_for(&mut self, id: RequestId, verdict: &Verdict) -> Option<oneshot::Receiver<Verdict>> {
        match verdict {
            Verdict::Queue { .. } => {
                let (sender, receiver) = oneshot::channel();
                self.waiters.insert(id, sender);
                Some(receiver)
            }
            Verdict::Forward(_) | Verdict::Lambda(_) | Verdict::Shed(_) | Verdict::Later => None,
        }
    }

    fn dispatch(&mut self, now: Time) {
        if self.waiters.is_empty() && !self.balancer.has_displaced() {
            return;
        }
        for (id, verdict) in self.balancer.dispatch(now) {
            // A waiter that has just left drops its ticket, which gives back what this verdict
            // took.
            if let Some(waiter) = self.waiters.remove(&id) {
                let _left = waiter.send(verdict);
            }
        }
    }
}

// === impl Ticket ===

impl Ticket {
    /// Operators are told what is known of the request for as long as it has its ticket.
    pub(crate) fn enter(&mut self, entry: &Arc<Entry>) {
        if self.open {
            self.decide.register.insert(self.id, entry);
            self.is_entered = true;
        }
    }

    /// The verdict that ends the waiting. Pends for ever where the request does not wait.
    pub(crate) async fn verdict(&mut self) -> Option<Verdict> {
        match &mut self.waiting {
            Some(waiting) => {
                let verdict = waiting.await.ok();
                self.waiting = None;
                verdict
            }
            None => std::future::pending().await,
        }
    }

    /// A host failed the request: what now?
    pub(crate) fn fail(&mut self, failure: Failure) -> Verdict {
        let now = self.decide.now();
        let mut locked = self.decide.locked.lock();
        let verdict = locked.balancer.fail(now, self.id, failure);
        self.waiting = locked.wait_for(self.id, &verdict);
        locked.dispatch(now);
        drop(locked);
        if self.waiting.is_some() {
            self.decide.bells.waits.notify_one();
        }
        verdict
    }

    /// A host answered the request, and said how it is without it. What was learned, if anything.
    pub(crate) fn complete(
        mut self,
        outcome: &Outcome,
        report: Option<(HostId, HostReport)>,
    ) -> Option<Observation> {
        self.open = false;
        let learned = self.decide.with(|balancer, now| {
            let learned = balancer.complete(now, self.id, outcome);
            // The report was made when the host had done with the request: its claim is gone first.
            if let Some((host, report)) = report {
                balancer.report(now, host, &report);
            }
            learned
        });
        self.decide.bells.freed.notify_one();
        learned
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.is_entered {
            self.decide.register.remove(self.id);
        }
        if !self.open {
            return;
        }
        let now = self.decide.now();
        let mut locked = self.decide.locked.lock();
        locked.waiters.remove(&self.id);
        locked.balancer.abandon(now, self.id);
        locked.dispatch(now);
        drop(locked);
        self.decide.bells.freed.notify_one();
    }
}
