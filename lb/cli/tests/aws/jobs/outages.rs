//! Outages of each service: nothing that was acknowledged is lost, and nothing is done twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{accept, place, roto, serve};
use crate::client::pattern;
use crate::emulators::Emulator;
use crate::harness::until;
use crate::host::{Host, Then, answer};
use crate::service::{Gate, ask, echo, gated, result, text};
use crate::wire::Wire;

const PREFER: &str = "Prefer: respond-async";

#[test]
fn while_the_ledger_is_away_nothing_is_accepted_and_what_runs_is_committed_later() {
    let roto = roto();
    let wire = Wire::before(roto.address());
    let gate = Gate::default();
    let host = gated(&gate);
    let place = place(&[&host], (&wire.url(), &roto.url()), "");
    let balancer = serve(&place, 1);
    let location = accept(&balancer, "/a", &[], b"body");
    until("a host has it", || host.heard().len() == 1);
    wire.cut();
    let refused = ask(balancer.listen, "POST", "/a", &[PREFER], b"body");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    // Requests that are no jobs go on.
    gate.open(2);
    assert_eq!(ask(balancer.listen, "POST", "/a", &[], b"plain").status, 200);
    wire.mend();
    let done = result(balancer.listen, &location);
    assert_eq!(text(&done), "body");
    assert_eq!(balancer.json(&location)["attempt"], 1);
    assert_eq!(host.heard().len(), 2);
}

#[test]
fn while_objects_are_away_short_jobs_go_on_and_long_ones_are_refused() {
    let roto = roto();
    let wire = Wire::before(roto.address());
    let host = echo();
    let place = place(&[&host], (&roto.url(), &wire.url()), "");
    let balancer = serve(&place, 1);
    wire.cut();
    let location = accept(&balancer, "/a", &[], b"short");
    assert_eq!(text(&result(balancer.listen, &location)), "POST /a HTTP/1.1|short");
    let refused = ask(balancer.listen, "POST", "/a", &[PREFER], &pattern(300_000));
    assert_eq!(refused.status, 503, "{}", text(&refused));
    wire.mend();
    let location = accept(&balancer, "/a", &[], &pattern(300_000));
    assert_eq!(result(balancer.listen, &location).status, 200);
}

#[test]
fn a_balancer_starts_while_the_ledger_is_away() {
    let roto = roto();
    let wire = Wire::before(roto.address());
    wire.cut();
    let host = echo();
    let place = place(&[&host], (&wire.url(), &roto.url()), "");
    let balancer = serve(&place, 1);
    assert_eq!(ask(balancer.listen, "POST", "/a", &[PREFER], b"").status, 503);
    assert_eq!(ask(balancer.listen, "POST", "/a", &[], b"").status, 200);
    wire.mend();
    let location = accept(&balancer, "/a", &[], b"body");
    assert_eq!(result(balancer.listen, &location).status, 200);
}

#[test]
fn services_that_are_killed_and_come_back_have_every_job() {
    let folder = tempfile::tempdir().expect("a folder");
    let roto = Emulator::roto(Some(folder.path()));
    roto.make_bucket("jobs");
    let wire = Wire::before(roto.address());
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ran);
    let host = Host::start(move |heard, client| {
        std::thread::park_timeout(std::time::Duration::from_millis(20));
        counted.fetch_add(1, Ordering::AcqRel);
        answer(client, "200 OK", &[], &heard.body);
        Then::Keep
    });
    let places = [(); 2].map(|()| place(&[&host], (&wire.url(), &wire.url()), ""));
    let balancers = places.each_ref().map(|place| serve(place, 1));
    let mut locations = Vec::new();
    for n in 0..60 {
        let body = format!("body {n}");
        locations.push(accept(&balancers[n % 2], "/a", &[], body.as_bytes()));
    }
    roto.kill();
    assert_eq!(ask(balancers[0].listen, "POST", "/a", &[PREFER], b"").status, 503);
    let roto = Emulator::roto(Some(folder.path()));
    wire.point_at(roto.address());
    for (n, location) in locations.iter().enumerate() {
        assert_eq!(text(&result(balancers[n % 2].listen, location)), format!("body {n}"));
        let told = balancers[1].json(location);
        assert_eq!((&told["state"], &told["attempt"]), (&"succeeded".into(), &1.into()), "{told}");
    }
    assert_eq!(ran.load(Ordering::Acquire), 60);
}

#[test]
fn a_ledger_that_denies_access_keeps_the_balancer_from_starting() {
    let roto = roto();
    let between = Emulator::microburst(&roto);
    between.rules(
        r#"[{"service":"dynamodb","operation":"DescribeTable",
            "error":{"code":"AccessDeniedException","status":400}}]"#,
    );
    let host = echo();
    let place = place(&[&host], (&between.url(), &roto.url()), "");
    let mut command = crate::harness::balancer::weighbridge(["serve", "-c"]);
    command.arg(place.config()).args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    command.arg("--data-dir").arg(place.data()).envs(crate::emulators::CREDENTIALS);
    let output = command.env("AWS_ENDPOINT_URL_DYNAMODB", between.url()).output().expect("it runs");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the ledger of jobs denies access"), "{said}");
}
