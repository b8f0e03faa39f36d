//! Transcripts: events in, verdicts out.
//!
//! A line is `SECONDS EVENT ARGUMENTS`; hosts and requests are numbers. Sizes are given as the
//! known cost of a repeat, so that they are believed.

mod facts;
mod here;
mod hold;
mod jobs;
mod reconfigure;
mod share;
mod training;

use std::fmt::Write;
use std::time::Duration;

use super::*;
use crate::admit::Verdict;
use crate::features::FeatureSet;
use crate::fleet::Path;
use crate::host::{Discipline, HostSpec, Phase};
use crate::observe::{Failure, HostReport, Outcome, RequestCost};
use crate::policy::{FunctionId, QueueDiscipline};
use crate::scale::rules;
use crate::schedule::{filters, weighers};
use crate::share::Terms;
use crate::units::{Seconds, Speed};

fn secs(secs: f64) -> Duration {
    Duration::from_secs_f64(secs)
}

fn route(name: &str, idempotent: bool) -> RoutePolicy {
    RoutePolicy {
        name: name.to_owned(),
        features: FeatureSet::default(),
        prior: Work::saturating(1.0),
        work_min: Work::saturating(1e-4),
        work_max: Work::saturating(1e3),
        patience: secs(0.1),
        idempotent: Some(idempotent),
        tries_max: None,
        function: None,
    }
}

fn policy() -> Policy {
    let filters = ["active", "not_tried", "in_flight", "memory", "ejected"];
    let weighers = ["added_delay", "warm_up", "failures", "round_trip"];
    Policy {
        routes: vec![route("blur", true), route("order", false)],
        schedule: SchedulePolicy {
            filters: filters.map(|name| filters::by_name(name).unwrap()).to_vec(),
            weighers: weighers.map(|name| (weighers::by_name(name).unwrap(), 1.0)).to_vec(),
            host_subset_size: 1,
            shuffle_best_same_weighed_hosts: false,
            hold: None,
        },
        queue: QueuePolicy {
            discipline: QueueDiscipline::Sept,
            requests_max: 3,
            bytes_max: 1000,
            wait_max: secs(30.0),
            age_floor: secs(5.0),
            age_factor: 2.0,
        },
        hosts: HostPolicy {
            in_flight_max_per_core: 4,
            memory_utilization_max: 0.9,
            eject_failures: 2,
            eject_base: secs(10.0),
            eject_max: secs(60.0),
            eject_fraction_max: 0.5,
            warm_up: Duration::ZERO,
            report_age_max: secs(5.0),
        },
        retry: RetryPolicy { tries_max: 3, budget_fraction: 0.2, budget_floor: 4 },
        learn: LearnPolicy {
            window: 100,
            observations_min: 20,
            retrain_after: 50,
            drift_error_max: 1.0,
        },
        scale: ScalePolicy {
            rule: rules::ALL[0],
            hosts_min: 1,
            hosts_max: 4,
            cpu_high: 0.7,
            cpu_low: 0.2,
            cpu_target: 0.6,
            backlog_max: secs(10.0),
            stable_window: secs(60.0),
            panic_window: secs(5.0),
            panic_factor: 3.0,
            boot_time: secs(2.0),
            boot_timeout: secs(20.0),
        },
        lambda: None,
        share: None,
    }
}

/// With a function for each route beside the hosts, as fast as they are.
fn with_lambda() -> Policy {
    let mut policy = Policy { lambda: Some(crate::lambda::tests::policy()), ..policy() };
    for (route, function) in policy.routes.iter_mut().zip([FunctionId(0), FunctionId(1)]) {
        route.function = Some(function);
    }
    policy
}

/// Plays `script` against a new balancer and compares what it says.
fn check(script: &str, expected: &str) {
    check_with(policy(), script, expected);
}

fn check_with(policy: Policy, script: &str, expected: &str) {
    let mut balancer = Balancer::new(policy, 1);
    let mut said = String::new();
    for line in script.trim().lines() {
        play(&mut balancer, &mut said, line);
    }
    assert_eq!(said.trim(), expected.trim(), "said:\n{said}");
}

/// One line of a script, read.
struct Line<'a> {
    words: Vec<&'a str>,
    now: Time,
}

impl Line<'_> {
    /// A word as a number; 0 where it is none.
    fn number(&self, n: usize) -> f64 {
        self.words.get(n).and_then(|word| word.parse().ok()).unwrap_or(0.0)
    }

    fn host(&self) -> HostId {
        HostId(self.number(2) as u32)
    }

    fn id(&self) -> RequestId {
        RequestId(self.number(2) as u64)
    }
}

fn play(balancer: &mut Balancer, said: &mut String, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let now = Time::from_secs_f64(words[0].parse().unwrap());
    let line = Line { words, now };
    let says = match line.words[1] {
        "join" | "launch" | "ready" | "drain" | "leave" | "answers" | "is_gone" | "report"
        | "describe" | "tick" | "hosts" => play_host(balancer, &line),
        _ => play_request(balancer, &line),
    };
    for says in says {
        writeln!(said, "{} {}: {says}", line.words[0], line.words[1..].join(" ")).unwrap();
    }
    balancer.check_invariants();
}

fn play_host(balancer: &mut Balancer, line: &Line<'_>) -> Vec<String> {
    let (now, host) = (line.now, line.host());
    match line.words[1] {
        // join NAME CORES SPEED DISCIPLINE
        "join" => {
            let id = balancer.join(now, spec(&line.words));
            balancer.ready(now, id);
        }
        "launch" => drop(balancer.join(now, spec(&line.words))),
        "ready" => balancer.ready(now, host),
        "drain" => balancer.drain(now, host),
        "leave" => balancer.leave(now, host),
        "answers" => balancer.probed(now, host, true),
        "is_gone" => balancer.probed(now, host, false),
        // report HOST IN_FLIGHT WORK [CPU MEMORY]
        "report" => {
            let report = HostReport {
                in_flight: Some(line.number(3) as u32),
                work_left: Work::from_cpu_secs(line.number(4)),
                cpu_utilization: line.words.get(5).map(|_| line.number(5)),
                mem_utilization: line.words.get(6).map(|_| line.number(6)),
                ..HostReport::default()
            };
            balancer.report(now, host, &report);
        }
        // describe HOST DISCIPLINE SPEED SLOTS
        "describe" => {
            let report = HostReport {
                discipline: line.words.get(3).copied().and_then(discipline),
                speed: Speed::from_reference_cores(line.number(4)),
                slots: Some(line.number(5) as u32),
                ..HostReport::default()
            };
            balancer.report(now, host, &report);
        }
        "tick" => {
            let plan = balancer.tick(now).plan;
            let ids = |hosts: &[HostId]| hosts.iter().map(|host| host.0).collect::<Vec<_>>();
            let (drain, replace) = (ids(&plan.drain), ids(&plan.replace));
            let (launch, reason) = (plan.launch, plan.reason);
            return vec![format!("{reason} launch {launch} drain {drain:?} replace {replace:?}")];
        }
        _ => {
            balancer.fleet.advance(now);
            return balancer.hosts().map(host_text).collect();
        }
    }
    Vec::new()
}

fn play_request(balancer: &mut Balancer, line: &Line<'_>) -> Vec<String> {
    let (now, id) = (line.now, line.id());
    let verdict = match line.words[1] {
        // arrive ID [SIZE [BYTES]]; order is a route that is not idempotent
        "arrive" | "order" => {
            let ask = Ask {
                path: Path::UNKNOWN,
                is_idempotent: true,
                route: RouteId(u16::from(line.words[1] == "order")),
                features: Features::default(),
                known: line.words.get(3).and_then(|_| Work::from_cpu_secs(line.number(3))),
                body_bytes: line.number(4) as u64,
                event_bytes: Some(line.number(4) as u64),
                job: None,
                terms: Terms::default(),
            };
            balancer.arrive(now, id, ask)
        }
        // job ID SIZE [WEIGHT]; alone is one that is to be alone
        "job" | "alone" => {
            let weight = if line.words.len() < 5 { 1.0 } else { line.number(4) };
            let ask = Ask {
                path: Path::UNKNOWN,
                is_idempotent: true,
                route: RouteId(0),
                features: Features::default(),
                known: Work::from_cpu_secs(line.number(3)),
                body_bytes: 0,
                event_bytes: Some(0),
                job: Some(JobAsk { weight, alone: line.words[1] == "alone" }),
                terms: Terms::default(),
            };
            balancer.arrive(now, id, ask)
        }
        "refuse" => balancer.fail(now, id, Failure::Connect),
        "throttle" => balancer.fail(now, id, Failure::Refused),
        "break" => balancer.fail(now, id, Failure::BeforeResponse),
        "stale" => balancer.fail(now, id, Failure::Stale),
        "late" => balancer.fail(now, id, Failure::AfterResponse),
        "abandon" => {
            balancer.abandon(now, id);
            return Vec::new();
        }
        // complete ID CPU_SECONDS
        "complete" => {
            let cpu_seconds = Some(line.number(3));
            let cost = Some(RequestCost { cpu_seconds, ..RequestCost::default() });
            let elapsed = secs(line.number(3));
            let outcome = Outcome { success: true, cost, elapsed, build: 0, cold_start: None };
            let learned = balancer.complete(now, id, &outcome).is_some();
            return vec![if learned { "learned" } else { "nothing" }.to_owned()];
        }
        "dispatch" => {
            let verdicts = balancer.dispatch(now).into_iter();
            return verdicts.map(|(id, verdict)| format!("{} {}", id.0, text(&verdict))).collect();
        }
        // explain SIZE
        "explain" => {
            let known = Work::from_cpu_secs(line.number(2));
            let ask = Ask {
                path: Path::UNKNOWN,
                is_idempotent: true,
                route: RouteId(0),
                features: Features::default(),
                known,
                body_bytes: 0,
                event_bytes: Some(0),
                job: None,
                terms: Terms::default(),
            };
            return vec![balancer.explain(now, &ask).to_string()];
        }
        other => panic!("no event `{other}`"),
    };
    vec![text(&verdict)]
}

fn host_text(host: &HostState) -> String {
    let (left, phase, n) = (host.work_left.as_cpu_secs(), host.phase, host.in_flight);
    format!("{} {phase:?} {n} in flight, {left:.3} s left", host.id.0)
}

fn spec(words: &[&str]) -> HostSpec {
    let discipline = discipline(words[5]);
    let speed = Speed::from_reference_cores(words[4].parse().unwrap()).unwrap();
    let cores = words[3].parse().unwrap();
    HostSpec { name: words[2].to_owned(), cores, speed, discipline, price: 1.0 }
}

/// `auto` is none.
fn discipline(word: &str) -> Option<Discipline> {
    Discipline::by_name(word)
}

fn text(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Forward(placement) => format!("to {}", placement.host.0),
        Verdict::Lambda(invocation) if invocation.function == FunctionId(0) => "lambda".to_owned(),
        Verdict::Lambda(invocation) => format!("lambda {}", invocation.function.0),
        Verdict::Queue { until } => format!("waits until {}", until.as_secs_f64()),
        Verdict::Shed(reason) => format!("shed, {reason}"),
        Verdict::Later => "later".to_owned(),
    }
}

#[test]
fn the_fastest_answer_wins_and_ties_go_to_the_lower_id() {
    check(
        "
0 join a 1 1.0 fcfs
0 join b 1 1.0 fcfs
0 join c 1 2.0 fcfs
1 arrive 1 4.0
1 arrive 2 4.0
1 arrive 3 4.0
",
        "
1 arrive 1 4.0: to 2
1 arrive 2 4.0: to 0
1 arrive 3 4.0: to 1
",
    );
}

#[test]
fn short_requests_wait_here_while_all_workers_are_busy_and_go_shortest_first() {
    check(
        "
0 join a 1 1.0 fcfs
0 arrive 1 1.0
0 arrive 2 3.0
0 arrive 3 2.0
0.5 dispatch
0.95 dispatch
1 complete 1 1.0
1 dispatch
",
        "
0 arrive 1 1.0: to 0
0 arrive 2 3.0: waits until 30
0 arrive 3 2.0: waits until 30
0.95 dispatch: 3 to 0
1 complete 1 1.0: learned
",
    );
}

#[test]
fn what_has_waited_too_long_for_its_size_goes_before_a_shorter_one() {
    check(
        "
0 join a 1 1.0 fcfs
0 arrive 1 12.0
0 arrive 2 3.0
10.5 arrive 3 1.0
12 complete 1 12.0
12 dispatch
",
        "
0 arrive 1 12.0: to 0
0 arrive 2 3.0: waits until 30
10.5 arrive 3 1.0: waits until 40.5
12 complete 1 12.0: learned
12 dispatch: 2 to 0
",
    );
}

#[test]
fn the_waiting_room_is_bounded_in_requests_bytes_and_time() {
    check(
        "
0 arrive 1 1.0 600
0 arrive 2 1.0 600
0 arrive 3 1.0 100
0 arrive 4 1.0 100
0 arrive 5 1.0 100
30 dispatch
",
        "
0 arrive 1 1.0 600: waits until 30
0 arrive 2 1.0 600: shed, queue_bytes
0 arrive 3 1.0 100: waits until 30
0 arrive 4 1.0 100: waits until 30
0 arrive 5 1.0 100: shed, queue_full
30 dispatch: 1 shed, waited_too_long
30 dispatch: 3 shed, waited_too_long
30 dispatch: 4 shed, waited_too_long
",
    );
}

#[test]
fn without_a_host_requests_wait_for_one() {
    check(
        "
0 arrive 1 1.0
0 launch a 1 1.0 fcfs
1 dispatch
2 ready 0
2 dispatch
",
        "
0 arrive 1 1.0: waits until 30
2 dispatch: 1 to 0
",
    );
}

#[test]
fn a_broken_request_goes_to_a_host_that_has_not_seen_it() {
    check(
        "
0 join a 1 1.0 fcfs
0 join b 1 1.0 fcfs
0 arrive 1 1.0
0.1 break 1
0.2 break 1
1.6 dispatch
1.7 dispatch
1.7 hosts
",
        "
0 arrive 1 1.0: to 0
0.1 break 1: to 1
0.2 break 1: waits until 30.2
1.7 dispatch: 1 shed, tries_exhausted
1.7 hosts: 0 Active 0 in flight, 0.000 s left
1.7 hosts: 1 Active 0 in flight, 0.000 s left
",
    );
}

#[test]
fn a_failed_request_waits_on_for_a_host_that_is_gone_or_to_come() {
    check(
        "
0 join a 1 1.0 fcfs
0 arrive 1 1.0
0.1 break 1
1 is_gone 0
2 dispatch
3 answers 0
3 dispatch
3.1 break 1
4 launch b 1 1.0 fcfs
5 dispatch
",
        "
0 arrive 1 1.0: to 0
0.1 break 1: waits until 30.1
3 dispatch: 1 to 0
3.1 break 1: waits until 33.1
",
    );
}

#[test]
fn a_stale_connection_is_a_try_and_no_failure_of_its_host() {
    check(
        "
0 join a 1 1.0 fcfs
0 join b 1 1.0 fcfs
0 arrive 1 1.0
0 stale 1
0 stale 1
0 stale 1
1 order 2 1.0
1 stale 2
1 arrive 3 1.0
",
        "
0 arrive 1 1.0: to 0
0 stale 1: to 0
0 stale 1: to 0
0 stale 1: shed, tries_exhausted
1 order 2 1.0: to 0
1 stale 2: shed, not_retriable
1 arrive 3 1.0: to 0
",
    );
}

#[test]
fn what_is_not_idempotent_is_tried_again_only_where_nothing_was_sent() {
    check(
        "
0 join a 1 1.0 fcfs
0 join b 1 1.0 fcfs
0 order 1 1.0
0.1 refuse 1
0.2 break 1
0.3 arrive 2 1.0
0.4 late 2
",
        "
0 order 1 1.0: to 0
0.1 refuse 1: to 1
0.2 break 1: shed, not_retriable
0.3 arrive 2 1.0: to 0
0.4 late 2: shed, not_retriable
",
    );
}

#[test]
fn retries_have_a_budget() {
    let mut policy = policy();
    policy.retry.budget_fraction = 0.1;
    policy.retry.budget_floor = 1;
    check_with(
        policy,
        "
0 join a 4 1.0 ps
0 join b 4 1.0 ps
0 arrive 1 1.0
0 arrive 2 1.0
0 arrive 3 1.0
0 refuse 1
0 refuse 2
1 refuse 3
",
        "
0 arrive 1 1.0: to 0
0 arrive 2 1.0: to 0
0 arrive 3 1.0: to 0
0 refuse 1: to 1
0 refuse 2: shed, retry_budget
1 refuse 3: to 1
",
    );
}

#[test]
fn a_failing_host_is_ejected_returns_and_is_ejected_for_longer() {
    let mut policy = policy();
    policy.hosts.eject_failures = 1;
    check_with(
        policy,
        "
0 join a 1 1.0 fcfs
0 join b 1 1.0 fcfs
0 arrive 1 0.1
0 refuse 1
0 complete 1 0.1
9 arrive 2 0.1
9 complete 2 0.1
11 leave 1
11 arrive 4 0.1
11 refuse 4
11 abandon 4
11 join c 1 1.0 fcfs
30 arrive 5 0.1
30 complete 5 0.1
31 arrive 6 0.1
",
        "
0 arrive 1 0.1: to 0
0 refuse 1: to 1
0 complete 1 0.1: learned
9 arrive 2 0.1: to 1
9 complete 2 0.1: learned
11 arrive 4 0.1: to 0
11 refuse 4: waits until 41
30 arrive 5 0.1: to 2
30 complete 5 0.1: learned
31 arrive 6 0.1: to 0
",
    );
}

#[test]
fn a_host_that_was_gone_is_tried_with_one_request_when_it_answers() {
    check(
        "
0 join a 1 1.0 ps
0 join b 1 1.0 ps
0 is_gone 0
1 arrive 1 0.1
1.5 complete 1 0.1
2 answers 0
2 arrive 2 9.0
2 arrive 3 0.1
2.5 complete 3 0.1
3 arrive 4 0.1
3.5 complete 4 0.1
3.5 complete 2 1.5
4 arrive 5 0.1
",
        "
1 arrive 1 0.1: to 1
1.5 complete 1 0.1: learned
2 arrive 2 9.0: to 0
2 arrive 3 0.1: to 1
2.5 complete 3 0.1: learned
3 arrive 4 0.1: to 1
3.5 complete 4 0.1: learned
3.5 complete 2 1.5: learned
4 arrive 5 0.1: to 0
",
    );
}

#[test]
fn a_request_that_waits_goes_to_the_host_that_failed_it_and_is_back() {
    check(
        "
0 join a 1 1.0 ps
0 arrive 1 0.1
0 refuse 1
0 is_gone 0
1 dispatch
2 answers 0
2 dispatch
",
        "
0 arrive 1 0.1: to 0
0 refuse 1: waits until 30
2 dispatch: 1 to 0
",
    );
}

#[test]
fn a_fleet_that_is_ejected_as_a_whole_is_used() {
    check(
        "
0 join a 1 1.0 fcfs
0 arrive 1 0.1
0 refuse 1
0 abandon 1
1 arrive 2 0.1
1 refuse 2
1 abandon 2
2 arrive 3 0.1
2 explain 0.1
",
        "
0 arrive 1 0.1: to 0
0 refuse 1: waits until 30
1 arrive 2 0.1: to 0
1 refuse 2: waits until 31
2 arrive 3 0.1: to 0
2 explain 0.1: route blur
estimate 0.100000 s, p90 0.110000 s, by repeat
model prior of 0 observations
filter active: 1 left
filter not_tried: 1 left
filter in_flight: 1 left
filter memory: 1 left
filter ejected: 1 left, waived
host 0 a -0.200000 added_delay -0.200000
verdict forward to 0 (a)
",
    );
}

#[test]
fn a_host_that_leaves_releases_its_claims_once() {
    check(
        "
0 join a 1 1.0 fcfs
0 join b 1 1.0 fcfs
0 arrive 1 1.0
0 hosts
0.1 leave 0
0.1 hosts
0.2 break 1
0.2 hosts
0.3 complete 1 1.0
0.3 complete 1 1.0
0.3 break 1
",
        "
0 arrive 1 1.0: to 0
0 hosts: 0 Active 1 in flight, 1.000 s left
0 hosts: 1 Active 0 in flight, 0.000 s left
0.1 hosts: 1 Active 0 in flight, 0.000 s left
0.2 break 1: to 1
0.2 hosts: 1 Active 1 in flight, 1.000 s left
0.3 complete 1 1.0: learned
0.3 complete 1 1.0: nothing
0.3 break 1: shed, unknown_request
",
    );
}

#[test]
fn a_draining_host_finishes_and_takes_nothing_new() {
    check(
        "
0 join a 1 1.0 fcfs
0 arrive 1 1.0
0 drain 0
0.5 arrive 2 1.0
1 complete 1 1.0
1 dispatch
1 hosts
",
        "
0 arrive 1 1.0: to 0
0.5 arrive 2 1.0: waits until 30.5
1 complete 1 1.0: learned
1 hosts: 0 Draining 0 in flight, 0.000 s left
",
    );
}

#[test]
fn an_outlived_estimate_doubles() {
    check(
        "
0 join a 1 1.0 fcfs
0 arrive 1 1.0
0.75 hosts
1.5 hosts
3 hosts
",
        "
0 arrive 1 1.0: to 0
0.75 hosts: 0 Active 1 in flight, 0.250 s left
1.5 hosts: 0 Active 1 in flight, 0.500 s left
3 hosts: 0 Active 1 in flight, 1.000 s left
",
    );
}

#[test]
fn requests_of_other_balancers_count_until_the_report_is_too_old() {
    check(
        "
0 join a 1 1.0 fcfs
0 join b 1 1.0 fcfs
0 report 0 2 20.0
0 arrive 1 1.0
0 abandon 1
6 tick
6 arrive 2 1.0
",
        "
0 arrive 1 1.0: to 1
6 tick: steady launch 0 drain [] replace []
6 arrive 2 1.0: to 0
",
    );
}

#[test]
fn a_host_is_what_its_load_report_says_unless_it_was_told() {
    check(
        "
0 join a 1 1.0 auto
0 arrive 1 10.0
0 arrive 2 1.0
0 describe 0 srpt 1.0 1
0 dispatch
0 describe 0 - 1.0 2
0 arrive 3 1.0
0 describe 0 fcfs 1.0 3
0 arrive 4 1.0
0 join b 1 1.0 fcfs
0 describe 1 srpt 4.0 1
0 dispatch
0 arrive 5 0.4
",
        "
0 arrive 1 10.0: to 0
0 arrive 2 1.0: waits until 30
0 dispatch: 2 to 0
0 arrive 3 1.0: to 0
0 arrive 4 1.0: waits until 30
0 dispatch: 4 to 1
0 arrive 5 0.4: waits until 30
",
    );
}

#[test]
fn a_host_without_memory_to_spare_is_not_used() {
    check(
        "
0 join a 1 1.0 fcfs
0 join b 1 1.0 fcfs
0 report 0 0 0 0.1 0.95
0 arrive 1 1.0
",
        "
0 arrive 1 1.0: to 1
",
    );
}

#[test]
fn a_request_of_unknown_size_goes_where_fewest_are() {
    check(
        "
0 join a 2 1.0 ps
0 join b 2 1.0 ps
0 arrive 1 9.0
0 arrive 2
0 arrive 3
0 arrive 4
0 arrive 5
0 arrive 6
",
        "
0 arrive 1 9.0: to 0
0 arrive 2: to 1
0 arrive 3: to 0
0 arrive 4: to 1
0 arrive 5: to 0
0 arrive 6: to 1
",
    );
}

#[test]
fn an_explanation_tells_filters_weighers_and_the_estimate() {
    check(
        "
0 join a 1 1.0 srpt
0 join b 1 4.0 srpt
0 launch c 1 1.0 srpt
0 arrive 1 8.0
0 explain 4.0
",
        "
0 arrive 1 8.0: to 1
0 explain 4.0: route blur
estimate 4.000000 s, p90 4.400000 s, by repeat
model prior of 0 observations
filter active: 2 left
filter not_tried: 2 left
filter in_flight: 2 left
filter memory: 2 left
filter ejected: 2 left
host 1 b -2.000000 added_delay -2.000000
host 0 a -4.000000 added_delay -4.000000
verdict forward to 1 (b)
",
    );
}

#[test]
fn events_that_make_no_sense_are_ignored() {
    check(
        "
5 complete 1 1.0
5 break 1
5 abandon 1
5 ready 7
5 drain 7
5 leave 7
5 report 7 1 1.0
5 dispatch
5 join a 1 1.0 fcfs
1 arrive 1 1.0
1 arrive 1 1.0
",
        "
5 complete 1 1.0: nothing
5 break 1: shed, unknown_request
1 arrive 1 1.0: to 0
1 arrive 1 1.0: shed, unknown_request
",
    );
}

#[test]
fn a_lost_host_is_replaced_and_one_that_never_boots_too() {
    check(
        "
0 tick
0 launch a 1 1.0 fcfs
1 tick
20 tick
20 leave 0
20 launch b 1 1.0 fcfs
22 ready 1
22 tick
23 leave 1
23 tick
",
        "
0 tick: hosts_min launch 1 drain [] replace []
1 tick: steady launch 0 drain [] replace []
20 tick: hosts_min launch 1 drain [] replace [0]
22 tick: steady launch 0 drain [] replace []
23 tick: hosts_min launch 1 drain [] replace []
",
    );
}

#[test]
fn a_host_that_has_not_answered_for_long_is_replaced() {
    check(
        "
0 join a 1 1.0 fcfs
1 tick
2 is_gone 0
13 tick
13.9 is_gone 0
15 tick
",
        "
1 tick: steady launch 0 drain [] replace []
13 tick: steady launch 0 drain [] replace []
15 tick: hosts_min launch 1 drain [] replace [0]
",
    );
}

#[test]
fn a_host_that_was_running_before_it_joined_teaches_nothing_of_booting() {
    let mut balancer = Balancer::new(policy(), 1);
    let found = balancer.join(Time::ZERO, spec(&["0", "join", "a", "1", "1.0", "srpt"]));
    balancer.resume(Time::from_secs_f64(19.0), found);
    assert_eq!(balancer.host(found).unwrap().phase, Phase::Active);
    assert_eq!(balancer.scaler.boot_time(), Seconds(2.0));
    let launched = balancer.join(Time::ZERO, spec(&["0", "join", "b", "1", "1.0", "srpt"]));
    balancer.ready(Time::from_secs_f64(19.0), launched);
    assert_ne!(balancer.scaler.boot_time(), Seconds(2.0));
}

#[test]
fn bounds_that_others_set_go_before_those_of_the_policy() {
    let mut balancer = Balancer::new(policy(), 1);
    let mut launched = |least, most| {
        balancer.bound_fleet(least, most);
        balancer.tick(Time::ZERO).plan.launch
    };
    assert_eq!(launched(0, 10), 1);
    assert_eq!(launched(3, 10), 3);
    assert_eq!(launched(5, 10), 5);
    assert_eq!(launched(0, 0), 0);
}

#[test]
fn the_fleet_grows_with_the_backlog_and_shrinks_after_the_stable_window() {
    check(
        "
0 join a 1 1.0 srpt
0 tick
1 arrive 1 30.0
1 arrive 2 30.0
1 tick
2 launch b 1 1.0 srpt
2 launch c 1 1.0 srpt
5 ready 1
5 ready 2
5 dispatch
5 tick
31 complete 1 30.0
31 complete 2 26.0
31 tick
61 tick
92 tick
122 tick
",
        "
0 tick: steady launch 0 drain [] replace []
1 arrive 1 30.0: to 0
1 arrive 2 30.0: waits until 31
1 tick: backlog launch 2 drain [] replace []
5 dispatch: 2 to 1
5 tick: steady launch 0 drain [] replace []
31 complete 1 30.0: learned
31 complete 2 26.0: learned
31 tick: steady launch 0 drain [] replace []
61 tick: steady launch 0 drain [] replace []
92 tick: steady launch 0 drain [] replace []
122 tick: cpu_low launch 0 drain [2, 1] replace []
",
    );
}

#[test]
fn giants_that_have_a_core_each_want_no_further_host() {
    check(
        "
0 join a 4 1.0 srpt
0 arrive 1 900.0
0 arrive 2 900.0
1 tick
",
        "
0 arrive 1 900.0: to 0
0 arrive 2 900.0: to 0
1 tick: steady launch 0 drain [] replace []
",
    );
}

#[test]
fn a_burst_is_met_at_once_with_all_that_it_wants() {
    check(
        "
0 join a 1 1.0 ps
0 arrive 1 0.1
0 arrive 2 0.1
0 arrive 3 0.1
0 arrive 4 0.1
0 tick
",
        "
0 arrive 1 0.1: to 0
0 arrive 2 0.1: to 0
0 arrive 3 0.1: waits until 30
0 arrive 4 0.1: waits until 30
0 tick: panic launch 3 drain [] replace []
",
    );
}

#[test]
fn a_request_with_a_giant_ahead_goes_first_on_an_srpt_host() {
    check(
        "
0 join a 1 1.0 srpt
0 arrive 1 10.0
1 arrive 2 0.05
1 arrive 3 0.2
1 arrive 4 20.0
1 hosts
1.3 hosts
",
        "
0 arrive 1 10.0: to 0
1 arrive 2 0.05: to 0
1 arrive 3 0.2: to 0
1 arrive 4 20.0: waits until 31
1 hosts: 0 Active 3 in flight, 9.250 s left
1.3 hosts: 0 Active 3 in flight, 9.300 s left
",
    );
}

#[test]
fn two_of_the_same_seed_pick_the_same_random_hosts() {
    let mut policy = policy();
    policy.schedule.host_subset_size = 2;
    policy.schedule.shuffle_best_same_weighed_hosts = true;
    check_with(
        policy,
        "
0 join a 1 1.0 ps
0 join b 1 1.0 ps
0 join c 1 1.0 ps
0 join d 1 0.5 ps
0 arrive 1 1.0
0 abandon 1
0 arrive 1 1.0
0 abandon 1
0 arrive 1 1.0
0 abandon 1
0 arrive 1 1.0
",
        "
0 arrive 1 1.0: to 0
0 arrive 1 1.0: to 2
0 arrive 1 1.0: to 0
0 arrive 1 1.0: to 0
",
    );
}

/// Ends a request of 0.1 s of work on a host of that many reference cores: its counts are those of
/// the work, its CPU time is a fifth off.
fn complete_counted(balancer: &mut Balancer, now: Time, id: RequestId, cores: f64) {
    let noise = if id.0 % 4 < 2 { 1.2 } else { 0.8 };
    let cost = RequestCost {
        instructions: Some(1e8),
        cpu_seconds: Some(0.1 / cores * noise),
        ..RequestCost::default()
    };
    let (cost, elapsed) = (Some(cost), secs(0.1 / cores));
    let outcome = Outcome { success: true, cost, elapsed, build: 1, cold_start: None };
    balancer.complete(now, id, &outcome);
}

fn arrive_at(balancer: &mut Balancer, now: Time, id: RequestId) -> HostId {
    let (known, features) = (Work::from_cpu_secs(0.1), Features::default());
    let ask = Ask {
        path: Path::UNKNOWN,
        is_idempotent: true,
        route: RouteId(0),
        features,
        known,
        body_bytes: 0,
        event_bytes: None,
        job: None,
        terms: Terms::default(),
    };
    match balancer.arrive(now, id, ask) {
        Verdict::Forward(placement) => placement.host,
        other => panic!("a host is idle, and yet {other:?}"),
    }
}

#[test]
fn a_host_four_times_as_fast_is_found_within_fifty_requests() {
    let mut policy = policy();
    policy.routes[0].patience = secs(1.0);
    let mut balancer = Balancer::new(policy, 1);
    for _ in 0..2 {
        let host = balancer.join(Time::ZERO, spec(&["", "", "", "1", "1.0", "srpt"]));
        balancer.ready(Time::ZERO, host);
    }
    let now = |group: u64| Time::from_secs_f64(group as f64);
    for group in 0..10 {
        // As many at once as keep both busy.
        let ids: Vec<RequestId> = (0..5).map(|n| RequestId(5 * group + n)).collect();
        let hosts: Vec<HostId> =
            ids.iter().map(|id| arrive_at(&mut balancer, now(group), *id)).collect();
        for (id, host) in ids.into_iter().zip(hosts) {
            let cores = if host == HostId(1) { 4.0 } else { 1.0 };
            complete_counted(&mut balancer, now(group), id, cores);
        }
    }
    let speeds: Vec<f64> = balancer.hosts().map(|host| host.speed.as_reference_cores()).collect();
    let factor = speeds[1] / speeds[0];
    assert!((3.5..4.5).contains(&factor), "{speeds:?}");
    assert_eq!(arrive_at(&mut balancer, now(10), RequestId(50)), HostId(1), "the fast one first");
}

#[test]
fn a_new_host_gets_little_until_it_is_warm() {
    let mut policy = policy();
    policy.hosts.warm_up = secs(10.0);
    check_with(
        policy,
        "
0 join a 1 1.0 srpt
20 join b 1 1.0 srpt
20 arrive 1 0.1
20 arrive 2 0.1
20.1 abandon 1
20.1 abandon 2
29 arrive 3 0.1
29 arrive 4 0.1
29.1 abandon 3
29.1 abandon 4
",
        "
20 arrive 1 0.1: to 0
20 arrive 2 0.1: to 0
29 arrive 3 0.1: to 0
29 arrive 4 0.1: to 1
",
    );
}

#[test]
fn what_would_wait_longer_than_a_run_takes_spills_over_to_lambda() {
    check_with(
        with_lambda(),
        "
0 join a 1 1.0 fcfs
0 arrive 1 4.0
0 arrive 2 1.0
0 arrive 3 1.0 501
0 arrive 4 0.5
0 arrive 5 2.0
0 explain 1.0
2 complete 2 1.0
2 dispatch
2 arrive 6 3.0
",
        "
0 arrive 1 4.0: to 0
0 arrive 2 1.0: lambda
0 arrive 3 1.0 501: waits until 30
0 arrive 4 0.5: lambda
0 arrive 5 2.0: waits until 30
0 explain 1.0: route blur
estimate 1.000000 s, p90 1.100000 s, by repeat
model prior of 0 observations
filter active: 1 left
filter not_tried: 1 left
filter in_flight: 1 left
filter memory: 1 left
filter ejected: 1 left
host 0 a -5.000000 added_delay -5.000000
verdict queue: requests that wait go before it
2 complete 2 1.0: learned
2 dispatch: 5 lambda
2 arrive 6 3.0: waits until 32
",
    );
}

#[test]
fn a_run_that_fails_goes_to_the_fleet_and_lambda_is_left_alone_for_a_while() {
    check_with(
        with_lambda(),
        "
0 join a 1 1.0 fcfs
0 arrive 1 8.0
0 arrive 2 1.0
0 break 2
9.9 arrive 3 1.0
10 complete 1 8.0
10 dispatch
10 arrive 4 1.0
10 abandon 4
",
        "
0 arrive 1 8.0: to 0
0 arrive 2 1.0: lambda
0 break 2: waits until 30
9.9 arrive 3 1.0: waits until 39.9
10 complete 1 8.0: learned
10 dispatch: 2 to 0
10 arrive 4 1.0: lambda
",
    );
}

#[test]
fn no_more_is_spent_on_lambda_than_the_hour_may_cost() {
    check_with(
        with_lambda(),
        "
0 arrive 1 5.0
0 arrive 2 5.0
0 arrive 3 2.9
5 complete 1 5.0
5 complete 3 2.9
30 dispatch
3599 arrive 4 5.0
3599 abandon 4
3660 arrive 5 5.0
",
        "
0 arrive 1 5.0: lambda
0 arrive 2 5.0: waits until 30
0 arrive 3 2.9: lambda
5 complete 1 5.0: learned
5 complete 3 2.9: learned
30 dispatch: 2 shed, waited_too_long
3599 arrive 4 5.0: waits until 3629
3660 arrive 5 5.0: lambda
",
    );
}

#[test]
fn what_lambda_throttles_is_as_if_it_had_not_been_sent_there() {
    let mut policy = with_lambda();
    policy.retry = RetryPolicy { tries_max: 1, budget_fraction: 0.0, budget_floor: 0 };
    check_with(
        policy,
        "
0 join a 1 1.0 fcfs
0 arrive 1 8.0
0 arrive 2 1.0
0.1 throttle 2
0.15 arrive 3 1.0
0.15 abandon 3
0.3 arrive 4 1.0
0.3 dispatch
0.4 break 4
8 complete 1 8.0
8 dispatch
",
        "
0 arrive 1 8.0: to 0
0 arrive 2 1.0: lambda
0.1 throttle 2: waits until 30.1
0.15 arrive 3 1.0: waits until 30.15
0.3 arrive 4 1.0: lambda
0.4 break 4: shed, tries_exhausted
8 complete 1 8.0: learned
8 dispatch: 2 to 0
",
    );
}

#[test]
fn each_route_spills_over_to_its_own_function() {
    check_with(
        with_lambda(),
        "
0 arrive 1 0.1
0 arrive 2 0.1
0 arrive 3 0.1
0 order 4 0.1
0 order 5 0.1
0 order 6 0.1
1 complete 1 0.1
1 arrive 7 0.1
",
        "
0 arrive 1 0.1: lambda
0 arrive 2 0.1: lambda
0 arrive 3 0.1: waits until 30
0 order 4 0.1: lambda 1
0 order 5 0.1: lambda 1
0 order 6 0.1: waits until 30
1 complete 1 0.1: learned
1 arrive 7 0.1: lambda
",
    );
}

#[test]
fn counts_of_another_build_on_lambda_do_not_unsettle_the_prices() {
    let mut balancer = Balancer::new(with_lambda(), 1);
    let host = balancer.join(Time::ZERO, spec(&["", "", "a", "1", "1.0", "fcfs"]));
    balancer.ready(Time::ZERO, host);
    let mut send = |n: u64, build: u64, instructions: f64| {
        let (id, features) = (RequestId(n), Features::default());
        let known = Work::from_cpu_secs(3.0);
        let (body_bytes, event_bytes) = (0, Some(0));
        let route = RouteId(0);
        let ask = Ask {
            path: Path::UNKNOWN,
            is_idempotent: true,
            route,
            features,
            known,
            body_bytes,
            event_bytes,
            job: None,
            terms: Terms::default(),
        };
        let verdict = balancer.arrive(Time::ZERO, id, ask);
        let cost = RequestCost {
            instructions: Some(instructions),
            cpu_seconds: Some(0.5),
            ..RequestCost::default()
        };
        let (cost, elapsed) = (Some(cost), secs(0.5));
        let outcome = Outcome { success: true, cost, elapsed, build, cold_start: None };
        (verdict, id, outcome)
    };
    let (on_host, first, outcome) = send(1, 7, 1e9);
    let (on_lambda, second, of_lambda) = send(2, 8, 5.0);
    assert!(matches!(on_host, Verdict::Forward(_)), "{on_host:?}");
    assert!(matches!(on_lambda, Verdict::Lambda(_)), "{on_lambda:?}");
    balancer.complete(Time::ZERO, first, &outcome);
    let learned = balancer.complete(Time::ZERO, second, &of_lambda).unwrap();
    assert_eq!(learned.cost.instructions, None);
    assert_eq!(balancer.start_training(Time::ZERO, RouteId(0)).build, 7);
}
