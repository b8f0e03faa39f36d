//! The main job: requests in, right answers out, and everything that is told of it.

use std::process::{Command, Stdio};

use crate::harness::balancer::{Balancer, Place};
use crate::harness::client::{Client, get};
use crate::harness::requests::{Job, Request, blur, enhance, jobs, mixed, png, ray_trace};
use crate::harness::{eventually, until};

/// Models after 20 observations, and hosts that are asked often.
const CONFIG: &str = "[timeouts]\nreport_interval = \"100ms\"\n";

#[test]
fn all_three_operations_give_right_answers_and_everything_tells_of_them() {
    let place = Place::new(CONFIG);
    let balancer = place.up("1..1");
    balancer.has_active(1);
    let mut client = Client::new(balancer.listen);
    let jobs = jobs(&mut client, mixed());
    for job in jobs.iter() {
        job.check(&client.ask(&job.request).expect("it answers")).expect("a right answer");
    }
    assert_operations_are_told_apart(&jobs);
    balancer.assert_idle();
    assert_admin_answers(&balancer);
    assert_metrics_are_well_formed(&balancer, jobs.len());
    assert_explains(&balancer);
}

/// Blurring is not enhancing, and each gives the picture's own format.
fn assert_operations_are_told_apart(jobs: &[Job]) {
    for (nth, job) in jobs.iter().enumerate() {
        for other in &jobs[nth + 1..] {
            assert_ne!(job.expected(), other.expected());
        }
    }
}

fn assert_admin_answers(balancer: &Balancer) {
    assert_eq!(get(balancer.admin, "/healthz").text(), "ok\n");
    assert_eq!(get(balancer.admin, "/readyz").status, 200);
    assert_eq!(get(balancer.admin, "/nothing").status, 404);
    let hosts = balancer.hosts();
    assert_eq!(hosts.len(), 1, "{hosts:?}");
    let host = &hosts[0];
    assert_eq!(host.0["phase"], "active");
    assert!(host.0["speed"].as_f64().is_some_and(|speed| 0.0 < speed), "{host:?}");
    assert!(host.0["address"].as_str().is_some_and(|a| a.starts_with("127.0.0.1:")), "{host:?}");
    let models = balancer.json("/models");
    for (route, observations) in [("blur", 6), ("enhance", 6), ("raytrace", 9)] {
        let model = &models["routes"][route];
        assert_eq!(model["observations"], observations, "{route}: {model}");
        assert!(model["estimator"].is_string(), "{route}: {model}");
    }
}

fn assert_metrics_are_well_formed(balancer: &Balancer, n_jobs: usize) {
    let metrics = get(balancer.admin, "/metrics").text();
    assert_metrics_are_in_the_readme(&metrics);
    let answered = balancer.metric("weighbridge_requests_total", "code=\"200\"");
    assert!((answered - 3.0 * n_jobs as f64).abs() < f64::EPSILON, "{metrics}");
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = promtool.expect("the Debian package prometheus is there");
    let mut input = promtool.stdin.take().expect("it is piped");
    std::io::Write::write_all(&mut input, metrics.as_bytes()).expect("it reads");
    drop(input);
    let checked = promtool.wait_with_output().expect("it ends");
    assert!(checked.status.success(), "{checked:?}");
}

/// The table in `lb/README.md` has every metric, in the words that Prometheus is told.
fn assert_metrics_are_in_the_readme(metrics: &str) {
    let readme = include_str!("../../../README.md");
    let told = metrics.lines().filter_map(|line| line.strip_prefix("# HELP "));
    let told: Vec<(&str, &str)> = told.filter_map(|line| line.split_once(' ')).collect();
    assert!(30 < told.len(), "{metrics}");
    for (name, help) in told {
        let row = format!("| `{name}` | {help} |\n");
        assert!(readme.contains(&row), "lb/README.md has no row {row}");
    }
}

/// `/explain` gives an account, as text and as a value, and sends nothing anywhere.
fn assert_explains(balancer: &Balancer) {
    let before = balancer.json("/models");
    let mut admin = Client::new(balancer.admin);
    let request = Request::post("/explain/blurimage", png(64, 64)).with("Content-Type: image/png");
    let text = admin.ask(&request).expect("it answers").text();
    for part in ["filter active", "added_delay", "body.image.pixels"] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    let value = admin.ask(&request.with("Accept: application/json")).expect("it answers");
    assert!(value.json().is_object());
    assert_eq!(balancer.json("/models"), before);
}

#[test]
fn the_source_of_an_estimate_gets_better_with_every_observation() {
    let place = Place::new(CONFIG);
    let balancer = place.up("1..1");
    balancer.has_active(1);
    let mut client = Client::new(balancer.listen);
    let mut source = |request: Request| {
        let answer = client.ask(&request).expect("it answers");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let timing = answer.headers("server-timing");
        for part in ["wait;dur=", "estimate;dur=", "host;desc=", "queue;dur=", "run;dur="] {
            assert!(timing.contains(part), "no `{part}` in {timing}");
        }
        let of = timing.split("estimate;dur=").nth(1).and_then(|rest| rest.split('"').nth(1));
        of.expect("a source").to_owned()
    };
    assert_eq!(source(enhance(40, 30)), "prior");
    assert_eq!(source(enhance(40, 30)), "repeat");
    assert_eq!(source(enhance(41, 30)), "running_mean");
    let mut side = 20;
    balancer.has_learned("a model of enhance", || {
        side += 1;
        (source(enhance(4 * side, 3 * side)) == "model").then_some(())
    });
    assert_eq!(source(enhance(40, 30)), "repeat");
    assert_eq!(source(blur(40, 30)), "prior");
    let model = &balancer.json("/models")["routes"]["enhance"];
    assert_eq!(model["trusted"], true, "{model}");
    assert!(model["held_back_mdape"].as_f64().is_some_and(|error| error < 0.5), "{model}");
}

#[test]
fn the_access_log_has_estimate_and_measured_cost() {
    let place = Place::new(CONFIG);
    let balancer = place.up("1..1");
    balancer.has_active(1);
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let traceparent = format!("traceparent: 00-{trace}-b7ad6b7169203331-01");
    let answer = balancer.ask(&ray_trace(50, 9).with(&traceparent));
    assert_eq!(answer.status, 200);
    assert_eq!(balancer.ask(&Request::get("/no/such")).status, 404);
    let line = eventually("a line of the access log", || {
        place.log().into_iter().find(|line| line["trace_id"] == trace)
    });
    assert_eq!(line["route"], "raytrace");
    assert_eq!(line["status"], 200);
    assert_eq!(line["tries"], 1);
    assert_eq!(line["estimate_source"], "prior");
    assert_eq!(line["bytes_out"], answer.body.len());
    for number in ["estimate_mean", "estimate_p90", "work", "cpu_seconds", "response_seconds"] {
        assert!(line[number].as_f64().is_some_and(|n| 0.0 < n), "{number} of {line}");
    }
    until("a line for the other", || place.log().iter().any(|line| line["status"] == 404));
}
