//! The way of a request to a function on Lambda and back, as the proxy carries it. The balancer
//! learns at once of a run that is throttled or crashes. It does not wait longer than its timeout
//! for one that takes too long.

use weighbridge_core::observe::Failure;

use super::{Attempt, Event, World};
use crate::sim::functions::{Function, Run};
use crate::sim::measure::{RunCounts, Usage};
use crate::sim::proxy::Ran;

// === impl World ===

impl World<'_> {
    /// A balancer sends a request to a function.
    pub(super) fn invoke(&mut self, request: usize, function: usize) {
        let flight = &mut self.flights[request];
        flight.n += 1;
        (flight.sent, flight.is_invoked) = (self.now, true);
        let attempt = Attempt { request, n: flight.n };
        self.n_invoked += 1;
        self.after_half_trip(function, Event::Invoke(attempt, function));
    }

    /// A request reaches its function: it runs there, or is throttled.
    pub(super) fn start_run(&mut self, attempt: Attempt, function: usize) {
        let work = self.workload.requests[attempt.request].work;
        let started =
            self.functions[function].start(function, (self.now, work), &mut self.of_functions);
        let Some(run) = started else {
            let throttled = Event::RunFail(attempt, Failure::Refused);
            return self.after_half_trip(function, throttled);
        };
        self.at(self.now + run.length, Event::RunEnd(attempt, run));
        if self.is_too_long(&run) {
            let given_up = self.flights[attempt.request].sent + self.timeout();
            self.at(given_up, Event::RunFail(attempt, Failure::Timeout));
        }
    }

    /// A run ends: its answer is on its way, unless it crashed, or nobody waits for it.
    pub(super) fn end_run(&mut self, attempt: Attempt, run: Run) {
        self.functions[run.function].end(self.now, &run);
        if self.is_too_long(&run) {
            return;
        }
        let told = if run.crashes {
            Event::RunFail(attempt, Failure::BeforeResponse)
        } else {
            Event::RunAnswer(attempt, run)
        };
        self.after_half_trip(run.function, told);
    }

    /// The answer of a function reaches the balancer.
    pub(super) fn answer_of_run(&mut self, attempt: Attempt, run: Run) {
        let request = attempt.request;
        let response = self.now - self.flights[request].sent;
        self.leave_function(request);
        self.end_request(request, Some(self.now));
        let Run { cpu_secs, is_cold, .. } = run;
        let ran = Ran { request, response, cpu_secs, is_cold };
        let proxy = usize::from(self.workload.requests[request].balancer);
        self.tell(proxy, |proxy, scene, out| proxy.ran(scene, &ran, out));
    }

    /// The balancer learns that a function brings no answer.
    pub(super) fn fail_run(&mut self, attempt: Attempt, failure: Failure) {
        let request = attempt.request;
        self.leave_function(request);
        let proxy = usize::from(self.workload.requests[request].balancer);
        self.tell(proxy, |proxy, scene, out| proxy.run_failed(scene, request, failure, out));
    }

    /// What the functions have used.
    pub(super) fn used_by_functions(&self) -> Usage {
        let mut used = Usage::default();
        for function in self.functions.iter().map(Function::used) {
            used.lambda_requests += function.lambda_requests;
            used.lambda_gb_seconds += function.lambda_gb_seconds;
        }
        used
    }

    /// What has come of runs.
    pub(super) fn counts_of_runs(&self) -> RunCounts {
        let counts = self.functions.iter().map(Function::counts);
        counts.fold(RunCounts::default(), |sum, one| RunCounts {
            started: sum.started + one.started,
            cold: sum.cold + one.cold,
            crashed: sum.crashed + one.crashed,
            throttled: sum.throttled + one.throttled,
        })
    }

    /// Panics in debug builds where an invariant does not hold: no more run at once than may, every
    /// run is one that a balancer counts, and none has begun that it may not pay for.
    pub(super) fn check_functions(&self) {
        if !cfg!(debug_assertions) || self.functions.is_empty() {
            return;
        }
        self.functions.iter().for_each(Function::check_invariants);
        let counted: usize = self.proxies.iter().map(|proxy| proxy.n_invoked()).sum();
        debug_assert!(counted == self.n_invoked, "each claim on a function belongs to a request");
    }

    /// Whether the balancer gives up a run before its answer is there.
    fn is_too_long(&self, run: &Run) -> bool {
        let round_trip = self.functions[run.function].kind.round_trip;
        self.timeout() < round_trip + run.length
    }

    /// How long the balancer waits for an answer, in seconds.
    fn timeout(&self) -> f64 {
        self.scenario.weighbridge.lambda_timeout.as_secs_f64()
    }

    fn leave_function(&mut self, request: usize) {
        debug_assert!(self.flights[request].is_invoked, "an attempt ends once");
        self.flights[request].is_invoked = false;
        self.n_invoked -= 1;
    }

    fn after_half_trip(&mut self, function: usize, event: Event) {
        let round_trip = self.functions[function].kind.round_trip;
        self.at(self.now + round_trip / 2.0, event);
    }
}
