//! What Lambda cannot carry, and what it may cost.

use super::{REAL, Stage, create_real};
use crate::emulators::Emulator;
use crate::harness::client::Client;
use crate::harness::load::Load;
use crate::harness::requests::{Request, blur, jobs, mixed};
use crate::harness::until;

#[test]
fn what_is_too_long_for_lambda_is_answered_by_hosts() {
    let emulator = Emulator::ministack();
    create_real(&emulator);
    let stage = Stage::new(&emulator, &REAL, "payload_bytes_max = \"60KiB\"");
    // Nothing is in the scene, but the picture has more than 6 MiB in base64.
    let target = "/raytracer?scols=1300&srows=1300&wcols=1300&wrows=1300&coff=0&roff=0";
    let scene = r#"{"scene": "0 0 5 0 0 0 0 1 0 45  1 0 0 0 1 1 1 1 0 0  0 0 0"}"#;
    let requests = vec![blur(60, 40), Request::post(target, scene), blur(400, 300)];
    let jobs = jobs(&mut Client::new(stage.host), requests);
    let load = Load::closed(stage.balancer.listen, &jobs, 9);
    until("short ones are answered by Lambda, and one is too long to be", || {
        1.0 <= stage.invoked("answered") && 1.0 <= stage.invoked("too_long")
    });
    load.stop().assert_faultless();
    stage.assert_idle();
    let long = stage.place.log().iter().filter(|line| is_long(line)).count();
    assert!(0 < long, "long ones were asked");
    for line in stage.lambda_lines() {
        assert!(!is_long(&line), "{line}");
    }
}

/// Whether the body is longer than what is sent to Lambda, in base64.
fn is_long(line: &serde_json::Value) -> bool {
    line["bytes_in"].as_u64().is_some_and(|bytes| (45 << 10) < bytes)
}

#[test]
fn no_more_is_spent_than_the_hour_may_cost() {
    let emulator = Emulator::ministack();
    create_real(&emulator);
    let prices = "usd_per_request = 0.1\nusd_per_gb_second = 0.0\nusd_per_hour_max = 0.35";
    let stage = Stage::new(&emulator, &REAL, prices);
    let jobs = jobs(&mut Client::new(stage.host), mixed());
    let load = Load::closed(stage.balancer.listen, &jobs, 12);
    until("all is spent", || 3.0 <= stage.invoked("answered"));
    let answered = load.answered();
    until("the host goes on", || answered + 50 < load.answered());
    load.stop().assert_faultless();
    let spent = stage.balancer.metric("weighbridge_lambda_spent_last_hour_usd", "");
    assert!((spent - 0.3).abs() < 1e-9, "{spent}");
    assert!(stage.invoked("answered") < 4.0);
    stage.assert_idle();
}
