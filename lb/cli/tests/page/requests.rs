//! Requests that are here: which, and how an operator has one given up.

use crate::client::Connection;
use crate::harness::until;
use crate::host::{Host, Then, raw};
use crate::scene::{Scene, ask, told};
use crate::service::{Gate, Service, gated, json, text};

#[test]
fn requests_that_run_and_wait_are_told_of_by_the_work_that_they_have_left() {
    let scene = Scene::start(1, "", "");
    let _first = scene.send_all(&["/held?secs=2&key=secret"]);
    let _rest = [scene.send("/held?secs=1"), scene.send("/held?secs=3")];
    scene.balancer.has_waiting(2);
    let requests = scene.balancer.json("/requests");
    let (running, waiting) = (&requests["running"], &requests["waiting"]);
    assert_eq!((&running["count"], &waiting["count"]), (&1.into(), &2.into()));
    let first = &running["largest"][0];
    assert_eq!(first["path"], "/held", "a query may carry secrets");
    assert_eq!((&first["method"], &first["route"]), (&"POST".into(), &"held".into()));
    assert_eq!((&first["client"], &first["tries"]), (&"127.0.0.1".into(), &1.into()));
    assert_eq!(first["host"], scene.balancer.hosts()[0].0["name"]);
    assert_eq!(first["estimate_source"], "declared");
    assert!((first["estimate_seconds"].as_f64().expect("a number") - 2.0).abs() < 1e-9);
    let left = |nth: usize| waiting["largest"][nth]["work_left_seconds"].as_f64();
    assert_eq!((left(0), left(1)), (Some(3.0), Some(1.0)));
    let few = scene.balancer.json("/requests?most=1");
    assert_eq!(few["waiting"]["largest"].as_array().map(Vec::len), Some(1));
    assert_eq!(few["waiting"]["count"], 2);
    let wrong = scene.operator("GET", "/requests?most=1001", &[]);
    assert!(text(&wrong).contains("most is `1001`: expected from 0 to 1000"), "{}", text(&wrong));
    assert_eq!(wrong.status, 400);
    scene.gate.open(3);
    scene.balancer.assert_idle();
    assert!(scene.ids("running").is_empty());
}

/// What the client of a cancelled request reads.
fn assert_cancelled(client: &mut Connection) {
    let answer = client.response("POST");
    let problem = json(&answer);
    assert_eq!(answer.status, 503, "{problem}");
    assert_eq!(problem["detail"], "an operator has cancelled this request");
}

#[test]
fn one_that_runs_is_given_up_and_so_is_one_that_waits() {
    let scene = Scene::start(1, "", "");
    let mut running = scene.send_all(&["/held?secs=1"]);
    let mut waiting = scene.send("/held?secs=2");
    scene.balancer.has_waiting(1);
    let cancel = |id: &str| scene.operator("DELETE", &format!("/requests/{id}"), &[]);
    let id = scene.ids("waiting").remove(0);
    assert_eq!(told(&cancel(&id), 202)["cancelled"], true);
    assert_cancelled(&mut waiting);
    let id = scene.ids("running").remove(0);
    assert_eq!(told(&cancel(&id), 202)["id"], id.as_str());
    assert_cancelled(&mut running[0]);
    scene.balancer.assert_idle();
    assert_eq!(cancel(&id).status, 410);
    for unknown in ["x", "0-x", "0", "-1-1"] {
        assert_eq!(cancel(unknown).status, 404, "{unknown}");
    }
    assert_eq!(cancel("7-1").status, 410);
    assert_eq!(scene.operator("POST", "/requests/0-1", &[]).status, 405);
    // The host is there for others.
    let mut next = scene.send("/held?secs=1");
    scene.gate.open(2);
    assert_eq!(next.response("POST").status, 200);
}

/// Cancels the request that runs.
fn cancel_the_one(service: &Service) {
    let running = service.balancer.json("/requests")["running"].clone();
    let id = running["largest"][0]["id"].as_str().expect("there is one").to_owned();
    told(&ask(service.balancer.admin, "DELETE", &format!("/requests/{id}"), &[]), 202);
}

#[test]
fn one_whose_answer_has_begun_is_cut_off() {
    let (gate, begun) = (Gate::default(), "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    let goes_on = gate.clone();
    let host = Host::start(move |_, client| {
        raw(client, begun);
        goes_on.pass();
        Then::Close
    });
    let service = Service::start(&[&host], "answer = \"stream\"\n", "");
    let mut client = Connection::open(service.balancer.listen);
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.exactly(4), b"half");
    cancel_the_one(&service);
    assert!(client.ends());
    service.balancer.assert_idle();
    gate.open(1);
}

#[test]
fn one_that_streams_is_given_up_where_it_waits() {
    let scene = Scene::start(1, "", "");
    let _running = scene.send_all(&["/held?secs=1"]);
    let mut waiting = scene.send("/stream");
    scene.balancer.has_waiting(1);
    let id = scene.ids("waiting").remove(0);
    told(&scene.operator("DELETE", &format!("/requests/{id}"), &[]), 202);
    assert_cancelled(&mut waiting);
    scene.balancer.has_waiting(0);
    scene.gate.open(1);
    scene.balancer.assert_idle();
}

#[test]
fn one_that_streams_is_cut_off_at_its_next_piece() {
    let gate = Gate::default();
    let goes_on = gate.clone();
    let host = Host::start(move |_, client| {
        raw(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
        goes_on.pass();
        raw(client, "4\r\nmore\r\n");
        Then::Keep
    });
    let service = Service::start(&[&host], "body = \"stream\"\n", "");
    let mut client = Connection::open(service.balancer.listen);
    client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.chunk(), Ok(Some(b"half".to_vec())));
    cancel_the_one(&service);
    gate.open(1);
    assert_eq!(client.chunk(), Err(()), "the connection ends within the body");
    service.balancer.assert_idle();
}

#[test]
fn an_attempt_of_a_job_is_cancelled_as_a_job() {
    let gate = Gate::default();
    let host = gated(&gate);
    let service = Service::start(&[&host], "", "");
    let job = service.accept("/work", &[], b"");
    service.becomes(&job, "running");
    until("its attempt is here", || service.balancer.json("/requests")["running"]["count"] == 1);
    let attempt = service.balancer.json("/requests")["running"]["largest"][0].clone();
    assert_eq!(attempt["job"].as_str(), job.strip_prefix("/jobs/"));
    let path = format!("/requests/{}", attempt["id"].as_str().expect("an id"));
    let refused = ask(service.balancer.admin, "DELETE", &path, &[]);
    let detail = format!("it is an attempt of a job: expected DELETE {job}");
    assert_eq!(told(&refused, 409)["detail"], detail);
    gate.open(1);
    assert_eq!(service.result(&job).status, 200);
}
