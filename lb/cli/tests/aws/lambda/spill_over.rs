//! What the hosts cannot do in time is done on Lambda.

use serde_json::json;

use super::{ANY, REAL, Stage, create_obedient, create_real, place};
use crate::emulators::Emulator;
use crate::functions::Bootstrap;
use crate::harness::balancer::worker;
use crate::harness::client::Client;
use crate::harness::load::Load;
use crate::harness::requests::{Request, jobs, mixed};
use crate::harness::until;

#[test]
fn a_burst_beyond_the_hosts_spills_over_and_every_answer_is_right() {
    let emulator = Emulator::ministack();
    create_real(&emulator);
    let stage = Stage::new(&emulator, &REAL, "");
    let jobs = jobs(&mut Client::new(stage.host), mixed());
    let mut quiet = Client::new(stage.balancer.listen);
    assert_eq!(quiet.ask(&jobs[0].request).expect("it answers").status, 200);
    assert!(stage.invoked("answered") < 1.0, "an idle host is used");

    let load = Load::closed(stage.balancer.listen, &jobs, 12);
    until("every function has answered", || {
        REAL.iter().all(|(.., name)| {
            let label = format!("function=\"{name}\",outcome=\"answered\"");
            1.0 <= stage.balancer.metric("weighbridge_lambda_invocations_total", &label)
        })
    });
    let tally = load.stop();
    let invoked = stage.invoked("answered");
    println!("{} right, {invoked} of them by Lambda", tally.right);
    tally.assert_faultless();
    assert!(invoked < tally.right as f64, "the host did its part");
    stage.assert_idle();
    until("they are logged", || invoked <= stage.lambda_lines().len() as f64);
    for line in stage.lambda_lines() {
        assert_eq!(line["status"], 200, "{line}");
        assert!(0.0 < line["cpu_seconds"].as_f64().unwrap_or(0.0), "its cost is known: {line}");
        assert!(0.0 < line["work"].as_f64().unwrap_or(0.0), "and learned: {line}");
    }
    let metric = |name: &str| stage.balancer.metric(&format!("weighbridge_lambda_{name}"), "");
    assert!(0.0 < metric("spent_usd") && 0.0 < metric("spent_last_hour_usd"));
    assert!(1.0 <= metric("cold_starts_total"), "environments had to be started");
}

#[test]
fn any_function_for_a_function_url_can_stand_behind_a_route() {
    let emulator = Emulator::ministack();
    let obedient = Bootstrap::obedient();
    for what in ["echo", "plain"] {
        create_obedient(&emulator, &obedient, what);
    }
    // Nobody listens there: no host is ever active, and Lambda answers at once.
    let (gone, nobody) = worker(ANY);
    drop(gone);
    let routes = [("echo", "/echo", "echo"), ("plain", "/plain", "plain")];
    let place = place(&emulator.url(), nobody, &routes, "");
    let balancer = place.serve();
    let request = Request::post("/echo/x?a=1&a=%41", [0xff, 0x00, 0x01])
        .with("Cookie: c=1")
        .with("weighbridge-estimate: 7")
        .with("Connection: keep-alive, x-hop")
        .with("x-hop: 1")
        .with("x-kept: 1");
    let answer = balancer.ask(&request);
    assert_eq!(answer.status, 203, "{}", answer.text());
    assert_eq!(answer.header("set-cookie"), Some("seen=1"));
    assert_eq!(answer.header("access-control-allow-origin"), None, "nobody says so");
    let timing = answer.headers("server-timing");
    assert!(timing.contains("host;desc=\"lambda\""), "{timing}");
    let event = answer.json();
    assert_eq!(event["rawPath"], "/echo/x");
    assert_eq!(event["queryStringParameters"], json!({ "a": "1,A" }));
    assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("/wAB"), &json!(true)));
    assert_eq!(event["cookies"], json!(["c=1"]));
    let headers = event["headers"].as_object().expect("an object");
    assert_eq!(headers["x-kept"], "1");
    for hidden in ["weighbridge-estimate", "x-hop", "connection"] {
        assert!(!headers.contains_key(hidden), "{hidden}");
    }
    assert_eq!(event["requestContext"]["http"]["sourceIp"], "127.0.0.1");

    let plain = balancer.ask(&Request::post("/plain", "x"));
    assert_eq!((plain.status, plain.json()), (200, json!({ "hello": "world" })));
    let explained = crate::harness::client::get(balancer.admin, "/explain/plain").text();
    assert!(explained.contains("verdict lambda (plain)"), "{explained}");
}
