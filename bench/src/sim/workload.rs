//! The requests of a run, drawn before it begins: every policy gets the same ones.

use weighbridge_core::random::Random;

use super::arrivals::{Arrivals, Clock};
use super::predict::Predictions;
use super::random::stream;
use super::scenario::Scenario;

/// One request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Request {
    /// When it comes, in seconds since the start.
    pub at: f64,
    /// What it truly takes, in CPU-seconds of the reference core.
    pub work: f64,
    /// What is predicted of that.
    pub predicted: f64,
    /// Index of its route.
    pub route: u16,
    /// The balancer that it comes to.
    pub balancer: u16,
    /// Index of its client in the scenario; 0 where there are none.
    pub client: u16,
    /// After so many seconds its answer is of no use; `None`: it always is.
    pub time_left: Option<f64>,
}

/// All requests of a run, in order of arrival.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// The requests.
    pub requests: Vec<Request>,
    /// Those that are measured; the others only keep the fleet busy before and after.
    pub measured: std::ops::Range<usize>,
    /// Names of the routes.
    pub routes: Vec<String>,
}

/// After those that are measured come so many more, as a part of them, so that the last ones are
/// measured among others, too.
const COOL_DOWN: f64 = 0.05;

// === impl Workload ===

impl Workload {
    /// The same without the requests of the client of that name. The others come as before.
    #[must_use]
    pub fn without(&self, scenario: &Scenario, client: &str) -> Workload {
        let stays = |request: &Request| {
            let its = scenario.clients.get(usize::from(request.client));
            its.is_none_or(|its| its.name != client)
        };
        let before = self.requests[..self.measured.start].iter().filter(|one| stays(one)).count();
        let measured = self.requests[self.measured.clone()].iter().filter(|one| stays(one)).count();
        Workload {
            requests: self.requests.iter().copied().filter(stays).collect(),
            measured: before..before + measured,
            routes: self.routes.clone(),
        }
    }

    /// The requests of a scenario. The same scenario and seed give the same ones.
    pub fn draw(scenario: &Scenario) -> Workload {
        let sizes = &scenario.sizes;
        let rate = scenario.load * scenario.hosts.capacity() / sizes.mean();
        let gaps = sizes.trace.as_ref().map(super::sizes::Trace::gaps).unwrap_or_default();
        let mut clock = Clock::new(scenario.arrivals, rate, &gaps, stream(scenario.seed, 1));
        // A stream for each, so that another error leaves the requests as they are.
        let mut random = Random::new(stream(scenario.seed, 2));
        let mut of_errors = Random::new(stream(scenario.seed, 3));
        let mut of_balancers = Random::new(stream(scenario.seed, 4));
        let mut of_clients = Random::new(stream(scenario.seed, 9));
        let predictions = Predictions::new(scenario.errors, scenario.sigma, sizes);
        let warm_up = (scenario.requests as f64 * scenario.warm_up) as usize;
        let cool_down = (scenario.requests as f64 * COOL_DOWN) as usize;
        let n_all = warm_up + scenario.requests + cool_down;
        let requests = (0..n_all).map(|index| {
            let (route, work) = match (scenario.arrivals, &sizes.trace) {
                (Arrivals::Trace, Some(trace)) => {
                    let recorded = trace.requests[index % trace.requests.len()];
                    (usize::from(recorded.route), recorded.work * sizes.scale)
                }
                (
                    Arrivals::Poisson
                    | Arrivals::Bursty { .. }
                    | Arrivals::Diurnal { .. }
                    | Arrivals::Trace,
                    _,
                ) => sizes.draw(&mut random),
            };
            let client = scenario.draw_client(&mut of_clients);
            let time_left = scenario.clients.get(usize::from(client)).and_then(|one| one.time_left);
            Request {
                at: clock.tick(),
                work,
                predicted: predictions.predict(work, &mut of_errors),
                route: route as u16,
                balancer: of_balancers.below(scenario.balancers) as u16,
                client,
                time_left: time_left.map(|(floor, factor)| floor + factor * work),
            }
        });
        Workload {
            requests: requests.collect(),
            measured: warm_up..warm_up + scenario.requests,
            routes: sizes.classes.iter().map(|class| class.route.clone()).collect(),
        }
    }
}
