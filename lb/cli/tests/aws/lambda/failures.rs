//! Functions that fail, and a Lambda that is not there: nothing is lost.

use super::{ANY, REAL, Stage, create_obedient, create_real, place};
use crate::emulators::Emulator;
use crate::functions::{Bootstrap, reserve};
use crate::harness::balancer::worker;
use crate::harness::client::Client;
use crate::harness::load::Load;
use crate::harness::requests::{Request, jobs, mixed, png};
use crate::harness::until;

#[test]
fn functions_that_crash_fail_hang_or_answer_nonsense_lose_nothing() {
    let emulator = Emulator::ministack();
    let obedient = Bootstrap::obedient();
    // The function `missing` is not there.
    let routes = [
        ("crash", "/blurimage/crash", "crash"),
        ("error", "/blurimage/error", "error"),
        ("hang", "/blurimage/hang", "hang"),
        ("wrong", "/blurimage/wrong", "wrong"),
        ("missing", "/blurimage/missing", "missing"),
    ];
    for (what, ..) in &routes[..4] {
        create_obedient(&emulator, &obedient, what);
    }
    let stage = Stage::new(&emulator, &routes, "timeout = \"4s\"");
    let blur = |path| Request::post(path, png(320, 240)).with("Content-Type: image/png");
    let requests = routes.iter().map(|(_, path, _)| blur(path)).collect();
    let jobs = jobs(&mut Client::new(stage.host), requests);
    let load = Load::closed(stage.balancer.listen, &jobs, 6);
    let failed = |function: &str, outcome: &str| {
        let label = format!("function=\"{function}\",outcome=\"{outcome}\"");
        stage.balancer.metric("weighbridge_lambda_invocations_total", &label)
    };
    let expected = [
        ("crash", "function_error"),
        ("error", "function_error"),
        ("hang", "timeout"),
        ("wrong", "function_error"),
        ("missing", "rejected"),
    ];
    until("each has failed as it does", || {
        expected.iter().all(|(function, outcome)| 1.0 <= failed(function, outcome))
    });
    let tally = load.stop();
    println!("{} right, slowest {:?}", tally.right, tally.slowest);
    tally.assert_faultless();
    stage.assert_idle();
}

#[test]
fn a_throttled_function_loses_nothing_and_is_used_as_far_as_it_goes() {
    let emulator = Emulator::ministack();
    create_real(&emulator);
    for (.., name) in REAL {
        reserve(&emulator, name, 1);
    }
    let stage = Stage::new(&emulator, &REAL, "");
    let jobs = jobs(&mut Client::new(stage.host), mixed());
    let load = Load::closed(stage.balancer.listen, &jobs, 12);
    until("it is throttled, and answers", || {
        1.0 <= stage.invoked("throttled") && 3.0 <= stage.invoked("answered")
    });
    let tally = load.stop();
    let (throttled, answered) = (stage.invoked("throttled"), stage.invoked("answered"));
    println!("{} right, {answered} by Lambda, {throttled} throttled", tally.right);
    tally.assert_faultless();
    stage.assert_idle();
}

#[test]
fn a_lambda_that_goes_away_loses_nothing() {
    let emulator = Emulator::ministack();
    create_real(&emulator);
    let stage = Stage::new(&emulator, &REAL, "");
    let jobs = jobs(&mut Client::new(stage.host), mixed());
    let load = Load::closed(stage.balancer.listen, &jobs, 8);
    until("it is used", || 2.0 <= stage.invoked("answered"));
    emulator.kill();
    until("it is missed", || 1.0 <= stage.invoked("unavailable"));
    let answered = load.answered();
    until("the host goes on", || answered + 20 < load.answered());
    load.stop().assert_faultless();
    stage.assert_idle();
}

#[test]
fn a_client_that_hangs_up_gives_its_run_back() {
    let emulator = Emulator::ministack();
    create_obedient(&emulator, &Bootstrap::obedient(), "hang");
    // Nobody listens there: no host is ever active.
    let (gone, nobody) = worker(ANY);
    drop(gone);
    let place = place(&emulator.url(), nobody, &[("hang", "/hang", "hang")], "");
    let balancer = place.serve();
    let mut client = Client::new(balancer.listen);
    client.send(&Request::post("/hang", "x")).expect("it is sent");
    let running = || balancer.metric("weighbridge_lambda_running", "function=\"hang\"");
    until("it runs", || 1.0 <= running());
    client.hang_up();
    until("its run is given back", || running() < 1.0);
    let abandoned =
        balancer.metric("weighbridge_lambda_invocations_total", "outcome=\"abandoned\"");
    assert!((abandoned - 1.0).abs() < f64::EPSILON, "{abandoned}");
}
