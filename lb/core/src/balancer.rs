//! The machine that ties the stages together: events in, verdicts out.
//!
//! Sans-IO and deterministic: the same seed and the same events give the same verdicts. Time that
//! runs backwards counts as standing still. Unknown ids are ignored. In debug builds every entry
//! point ends with [`Balancer::check_invariants`].
//!
//! This file has what the balancer keeps and shows. The events are in the folder:
//!
//! ```text
//! request.rs   of requests: arrive, complete, fail, abandon, dispatch
//! fleet.rs     of hosts: join, ready, drain, leave, report; and the tick
//! place.rs     where a request goes: decide and commit
//! explain.rs   what would become of a request
//! here.rs      the requests that are here, for people who look
//! guard.rs     how much what is overdue may go before others
//! learn.rs     what an answer teaches
//! retry.rs     how many failed requests may be tried again
//! share.rs     whose requests are, what they are charged, and until when they are of use
//! reconfigure.rs   another policy, while requests go on
//! counters.rs  what has happened so far
//! ```

mod counters;
mod explain;
mod fleet;
mod give_up;
mod guard;
mod here;
mod learn;
mod place;
mod reconfigure;
mod request;
mod retry;
mod share;

use std::collections::{BTreeMap, VecDeque};

use smallvec::SmallVec;

use crate::admit::concordance::Concordance;
use crate::estimate::Estimate;
use crate::features::Features;
use crate::fleet::{Fleet, Path};
use crate::host::{HostId, HostState};
use crate::jobs::LineWork;
use crate::lambda::{Lambda, Run};
use crate::learn::{Model, Predictor, TrainingSet};
use crate::observe::Observation;
use crate::policy::{HostPolicy, LambdaPolicy, LearnPolicy, QueuePolicy, RetryPolicy, RoutePolicy};
use crate::queue::{Queue, QueueState};
use crate::random::Random;
use crate::request::{RequestId, RouteId};
use crate::scale::{ScalePlan, ScalePolicy, Scaler};
use crate::schedule::{Schedule, SchedulePolicy};
use crate::share::{SharePolicy, Shares, Terms};
use crate::units::{Time, Work};

pub use counters::Counters;
use guard::Guard;
pub use here::{Here, RequestHere, Whereabouts};
use retry::RetryBudget;
use share::Share;

/// How many waiting requests are tried before the rest are taken to fit no better.
const MISSES_MAX: usize = 4;

/// Everything that steers the balancer.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The routes; a [`RouteId`] is an index into this.
    pub routes: Vec<RoutePolicy>,
    /// How hosts are filtered and weighed.
    pub schedule: SchedulePolicy,
    /// The waiting room.
    pub queue: QueuePolicy,
    /// What is believed of hosts, and when one is ejected.
    pub hosts: HostPolicy,
    /// How failed requests are tried again.
    pub retry: RetryPolicy,
    /// How models are trained and trusted.
    pub learn: LearnPolicy,
    /// How the fleet is sized.
    pub scale: ScalePolicy,
    /// How bursts spill over to Lambda. `None`: they do not.
    pub lambda: Option<LambdaPolicy>,
    /// How what there is is shared between clients. `None`: all requests are of one.
    pub share: Option<SharePolicy>,
}

/// What is asked for one request: a place to run.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The route.
    pub route: RouteId,
    /// What the route's model sees.
    pub features: Features,
    /// What is asked for, to tell a host that fails from a request that does.
    pub path: Path,
    /// Whether it may run twice by its method (RFC 9110, section 9.2.2). Its route may know better.
    pub is_idempotent: bool,
    /// The measured cost of an exact repeat.
    pub known: Option<Work>,
    /// Length of the body.
    pub body_bytes: u64,
    /// Length of the event that would carry it to Lambda. `None` where it cannot go there.
    pub event_bytes: Option<u64>,
    /// What a job asks beside. `None`: a client waits for it.
    pub job: Option<JobAsk>,
    /// Whose it is, and until when it is of use.
    pub terms: Terms,
}

/// What a [job](crate::jobs) asks beside. It goes to a host that has room for it, or to Lambda, or
/// is told to come [later](crate::admit::Verdict::Later): the waiting room is for clients.
///
/// A host has room where a core is free; where it orders by size, also while the job would wait
/// there for at most its route's patience; and otherwise where it is open to a request of its size
/// ([`hold`](crate::schedule::hold)). What waits for a host is ordered by work / weight.
///
/// Within one attempt it is sent to another host only where the first has seen nothing of it: what
/// hosts die of is counted by the job, not hidden.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JobAsk {
    /// How much it counts beside a client's request, which has 1: what is not finite or not above
    /// zero counts as 1.
    pub weight: f64,
    /// It goes to a host that has nothing to do, and that host gets nothing else meanwhile.
    pub alone: bool,
}

/// What a tick asks for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tick {
    /// What to launch and drain.
    pub plan: ScalePlan,
    /// Routes whose model should be trained. Each tick names them again, until
    /// [`Balancer::start_training`] is called for them.
    pub train: Vec<RouteId>,
}

/// Decides where every request goes. See the module.
#[derive(Debug)]
pub struct Balancer {
    policy: Policy,
    now: Time,
    random: Random,
    routes: Vec<Route>,
    fleet: Fleet,
    schedule: Schedule,
    queue: Queue,
    concordance: Concordance,
    lambda: Option<Lambda>,
    scaler: Scaler,
    /// The jobs that wait, as last told.
    line: LineWork,
    retries: RetryBudget,
    guard: Guard,
    shares: Shares,
    /// Requests that gave way to one of another client, and are to be told.
    displaced: Vec<RequestId>,
    requests: BTreeMap<RequestId, Request>,
    /// Failed requests that wait, with when they are to be asked whether a host is left for them.
    hoping: VecDeque<(Time, RequestId)>,
    counters: Counters,
}

/// What the balancer keeps of a route.
#[derive(Debug)]
struct Route {
    policy: RoutePolicy,
    predictor: Predictor,
    /// When the training that goes on was started.
    training: Option<Time>,
}

/// What the balancer keeps of a request from its arrival to its end.
#[derive(Debug, Clone)]
struct Request {
    ask: Ask,
    estimate: Estimate,
    arrived: Time,
    tried: SmallVec<[HostId; 4]>,
    tries: usize,
    /// A run on Lambda has failed: it is not tried there again.
    lambda_failed: bool,
    grant: Grant,
    share: Share,
}

/// What a request has been given; it is given back once.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Grant {
    /// A claim on that host.
    Claim(HostId),
    /// A run on Lambda.
    Run(Run),
    /// A place in the waiting room, since then.
    Place { since: Time },
    /// Nothing yet, or its host has left, and the claim with it.
    Nothing,
}

// === impl Route ===

impl Route {
    fn new(policy: &RoutePolicy, learn: &LearnPolicy) -> Route {
        let predictor = Predictor::new(policy, learn);
        Route { policy: policy.clone(), predictor, training: None }
    }
}

// === impl Balancer ===

impl Balancer {
    /// A balancer with no hosts. `seed` is the only source of its random choices.
    pub fn new(policy: Policy, seed: u64) -> Balancer {
        let route = |route: &RoutePolicy| Route::new(route, &policy.learn);
        Balancer {
            now: Time::ZERO,
            random: Random::new(seed),
            // One more than the policy has: it stands for unknown routes.
            routes: policy.routes.iter().chain([&no_route()]).map(route).collect(),
            fleet: Fleet::new(policy.hosts.clone()),
            schedule: Schedule::new(&policy.schedule),
            queue: Queue::new(policy.queue.clone(), policy.share.as_ref().map(|one| one.rule)),
            concordance: Concordance::new(),
            lambda: policy.lambda.clone().map(Lambda::new),
            scaler: Scaler::new(policy.scale.clone()),
            line: LineWork::default(),
            retries: RetryBudget::new(&policy.retry),
            guard: Guard::default(),
            shares: Shares::new(policy.share.clone()),
            displaced: Vec::new(),
            requests: BTreeMap::new(),
            hoping: VecDeque::new(),
            counters: Counters::default(),
            policy,
        }
    }

    /// All hosts that have not left, by ascending id, as of the last event that touched each.
    pub fn hosts(&self) -> impl Iterator<Item = &HostState> {
        self.fleet.hosts().iter()
    }

    /// One host, or `None` where it is not in the fleet.
    pub fn host(&self, id: HostId) -> Option<&HostState> {
        self.fleet.get(id)
    }

    /// How often a host has become ready, or has answered again: there may be room since.
    pub fn n_came(&self) -> u64 {
        self.fleet.n_came()
    }

    /// What has been learned of a route: nothing, where the route is unknown.
    pub fn predictor(&self, route: RouteId) -> &Predictor {
        &self.routes[usize::from(route.0).min(self.policy.routes.len())].predictor
    }

    /// What waits.
    pub fn waiting(&self) -> QueueState {
        self.queue.state()
    }

    /// What is known of Lambda, where the policy has any.
    pub fn lambda(&self) -> Option<&Lambda> {
        self.lambda.as_ref()
    }

    /// When the first waiting request will have waited too long, or is to be given up: the latest
    /// time for the next `dispatch`.
    pub fn next_expiry(&self) -> Option<Time> {
        let expiry = self.queue.next_expiry()?;
        Some(self.next_doubt().map_or(expiry, |doubt| doubt.min(expiry)))
    }

    /// What has happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// A model of `route` is being trained from now on, until `install` or `give_up_training`: what
    /// to train it on.
    pub fn start_training(&mut self, now: Time, route: RouteId) -> TrainingSet {
        self.set_now(now);
        let now = self.now;
        if let Some(route) = self.route_mut(route) {
            route.training = Some(now);
        }
        self.predictor(route).training_set()
    }

    /// Training for `route` gave no model. The next one is due after as many more observations as
    /// if it had: the same ones would not give one either.
    pub fn give_up_training(&mut self, route: RouteId) {
        if let Some(route) = self.route_mut(route) {
            route.training = None;
            route.predictor.give_up_training();
        }
    }

    /// Whether a model of `route` is being trained.
    pub fn is_training(&self, route: RouteId) -> bool {
        self.routes.get(usize::from(route.0)).is_some_and(|route| route.training.is_some())
    }

    /// Uses `model` for `route` from now on. False where it does not fit the route.
    pub fn install(&mut self, route: RouteId, model: Model) -> bool {
        let Some(route) = self.route_mut(route) else { return false };
        route.training = None;
        route.predictor.install(model)
    }

    /// A request of `route` showed facts of these names, which its schema did not have: see
    /// [`auto`](crate::features::auto).
    pub fn discover(&mut self, route: RouteId, unknown: &[String]) {
        if let Some(route) = self.route_mut(route) {
            route.predictor.discover(unknown);
        }
    }

    /// Takes up names of features of `route` that were found in an earlier life or elsewhere.
    pub fn adopt<'a>(&mut self, route: RouteId, names: impl IntoIterator<Item = &'a String>) {
        if let Some(route) = self.route_mut(route) {
            route.predictor.adopt(names);
        }
    }

    /// Learns from an observation of an earlier life. Only the estimators are told. The model that
    /// was kept is installed before, so that it is judged by what is restored.
    pub fn restore(&mut self, observation: &Observation) {
        if let Some(route) = self.route_mut(observation.route) {
            route.predictor.recall(observation);
        }
    }

    /// Panics in debug builds where an invariant does not hold: Σ claims = Σ work left; in flight =
    /// claims; no claim on a gone host; queue and runs ≤ their limits; every number finite.
    pub fn check_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        self.fleet.check_invariants();
        self.queue.check_invariants();
        if let Some(lambda) = &self.lambda {
            lambda.check_invariants();
        }
        let (mut claims, mut places, mut runs) = (0, 0, 0);
        for (id, request) in &self.requests {
            match request.grant {
                Grant::Claim(host) => {
                    let host = self.fleet.get(host);
                    let held = host.is_some_and(|host| {
                        host.claims.iter().any(|claim| claim.request == Some(*id))
                    });
                    debug_assert!(held, "a request on a host has its claim there");
                    claims += 1;
                }
                Grant::Place { .. } => places += 1,
                Grant::Run(_) => runs += 1,
                Grant::Nothing => {}
            }
        }
        let in_flight: usize = self.hosts().map(|host| host.in_flight as usize).sum();
        debug_assert!(claims == in_flight, "each claim belongs to one request");
        self.shares.check_invariants(self.requests.len());
        debug_assert!(places == self.queue.state().requests, "each place belongs to one request");
        let running = self.lambda.as_ref().map_or(0, Lambda::running);
        debug_assert!(runs == running, "each run belongs to one request");
    }

    fn route_mut(&mut self, route: RouteId) -> Option<&mut Route> {
        let n_routes = self.policy.routes.len();
        self.routes.get_mut(..n_routes)?.get_mut(usize::from(route.0))
    }

    /// Time does not run backwards.
    fn set_now(&mut self, now: Time) {
        self.now = self.now.max(now);
        if self.shares.is_far(self.now) {
            let factor = self.shares.move_origin(self.now);
            self.queue.rescale(factor);
        }
    }
}

// === impl JobAsk ===

impl JobAsk {
    /// The weight, where it is one.
    fn weight(&self) -> f64 {
        if self.weight.is_finite() && 0.0 < self.weight { self.weight } else { 1.0 }
    }
}

/// The policy of an unknown route.
fn no_route() -> RoutePolicy {
    RoutePolicy {
        name: String::new(),
        features: crate::features::FeatureSet::default(),
        prior: Work::saturating(1.0),
        work_min: Work::ZERO,
        work_max: Work::saturating(1.0),
        patience: std::time::Duration::ZERO,
        idempotent: Some(false),
        tries_max: None,
        function: None,
    }
}

#[cfg(test)]
mod tests;
