//! `Prefer`, 202, 303, 404, 405, 409, 410 and long polls, row by row.

use crate::client::Connection;
use crate::client::request;
use crate::harness::until;
use crate::host::{Host, Then, answer};
use crate::service::{Gate, Service, echo, gated, json, text};

#[test]
fn what_is_preferred_is_followed_where_the_route_allows_it() {
    let host = echo();
    for (route, method, prefer, status, applied) in [
        ("", "POST", "", 200, None),
        ("", "POST", "Prefer: respond-async", 202, Some("respond-async")),
        ("", "PUT", "prefer: RESPOND-ASYNC", 202, Some("respond-async")),
        ("", "GET", "Prefer: respond-async", 202, Some("respond-async")),
        ("", "POST", "Prefer: return=minimal", 200, None),
        ("", "POST", "Prefer: wait=10", 200, None),
        ("", "POST", "Prefer: respond-async, wait=10", 200, Some("wait=10")),
        ("", "POST", "Prefer: foo=\"respond-async\"", 200, None),
        ("", "HEAD", "Prefer: respond-async", 200, None),
        ("jobs = \"never\"", "POST", "Prefer: respond-async", 200, None),
        ("jobs = \"always\"", "POST", "", 202, None),
        ("jobs = \"always\"", "POST", "Prefer: wait=10", 200, Some("wait=10")),
        ("async_above = \"1s\"\nprior = \"2s\"", "POST", "", 202, None),
        ("async_above = \"3s\"\nprior = \"2s\"", "POST", "", 200, None),
    ] {
        let service = Service::start(&[&host], route, "");
        let headers: Vec<&str> =
            Some(prefer).filter(|prefer| !prefer.is_empty()).into_iter().collect();
        let answer = service.ask(method, "/a?b=1", &headers, b"");
        let row = (route, method, prefer);
        assert_eq!(answer.status, status, "{row:?}: {}", text(&answer));
        assert_eq!(answer.header("preference-applied"), applied, "{row:?}");
        assert_eq!(answer.header("location").is_some(), status == 202, "{row:?}");
    }
}

#[test]
fn a_job_is_told_of_until_its_result_is_there() {
    let gate = Gate::default();
    let host = gated(&gate);
    let service = Service::start(&[&host], "prior = \"5s\"", "");
    let accepted = service.ask("POST", "/a", &["Prefer: respond-async"], b"body");
    assert_eq!(accepted.status, 202);
    let location = accepted.header("location").expect("a place").to_owned();
    let id = location.strip_prefix("/jobs/").expect("it is below the path of jobs");
    assert_eq!(id.len(), 32);
    let secs: u64 = accepted.header("retry-after").and_then(|s| s.parse().ok()).expect("seconds");
    assert!(4 <= secs, "predicted to take 5 s: {secs}");
    let told = json(&accepted);
    assert_eq!((told["id"].as_str(), told["route"].as_str()), (Some(id), Some("work")));

    let told = service.becomes(&location, "running");
    assert_eq!(told["attempt"], 1);
    assert!(told["predicted_finish"].is_string(), "{told}");
    let part = told["progress"].as_f64().expect("a number");
    assert!((0.0..1.0).contains(&part), "{told}");
    let early = service.ask("GET", &format!("{location}/result"), &[], b"");
    assert_eq!(early.status, 409, "{}", text(&early));
    assert!(early.header("retry-after").is_some());
    let page = service.ask("GET", &location, &["Accept: text/html,*/*"], b"");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(text(&page).contains("<progress") && text(&page).contains("predicted to end"));
    // A long poll ends when the job does.
    let mut poll = Connection::open(service.balancer.listen);
    poll.send(request("GET", &location, &["Prefer: wait=60"], b""));
    gate.open(1);
    let ended = poll.response("GET");
    assert_eq!(ended.status, 303, "{}", text(&ended));
    assert_eq!(ended.header("preference-applied"), Some("wait=60"));
    assert_eq!(ended.header("location"), Some(format!("{location}/result").as_str()));
    let result = service.ask("GET", &format!("{location}/result"), &[], b"");
    assert_eq!((result.status, text(&result).as_str()), (200, "body"));
    let head = service.ask("HEAD", &format!("{location}/result"), &[], b"");
    assert_eq!((head.status, head.header("content-length")), (200, Some("4")));
    let told = service.operators(&location);
    assert_eq!((told["state"].as_str(), told["progress"].as_f64()), (Some("succeeded"), Some(1.0)));
}

#[test]
fn a_result_is_the_answer_of_the_host_and_the_host_sees_the_request() {
    let host = echo();
    let service = Service::start(&[&host], "", "");
    let location = service.accept("/a%20b?x=1&x=2", &["X-Own: 1", "Authorization: me"], b"body");
    let result = service.result(&location);
    assert_eq!(text(&result), "POST /a%20b?x=1&x=2 HTTP/1.1|body");
    assert_eq!((result.status, result.header("x-kept")), (200, Some("yes")));
    let heard = host.last();
    assert_eq!(heard.headers("x-own"), ["1"]);
    assert_eq!(heard.headers("authorization"), ["me"]);
    assert_eq!(heard.headers("content-length"), ["4"]);
    assert_eq!(heard.headers("prefer"), [""; 0], "a host that followed it would answer too soon");
    let id = location.trim_start_matches("/jobs/");
    assert_eq!(heard.headers("weighbridge-job"), [id], "so it can tell attempts from jobs");
    assert_eq!(heard.headers("x-forwarded-for"), ["127.0.0.1"]);
    // What a client says of jobs is not believed.
    let _direct = service.ask("POST", "/a", &["weighbridge-job: mine"], b"");
    assert_eq!(host.last().headers("weighbridge-job"), [""; 0]);
}

#[test]
fn what_is_no_job_is_said_so() {
    let host = echo();
    let service = Service::start(&[&host], "cors = true", "retention = \"1s\"\n");
    let unknown = "/jobs/00000000000000000000000000000000";
    for (method, target, status) in [
        ("GET", unknown, 404),
        ("GET", &format!("{unknown}/result"), 404),
        ("DELETE", unknown, 404),
        ("GET", "/jobs", 404),
        ("GET", "/jobs/", 404),
        ("GET", "/jobs/xyz", 404),
        ("GET", &format!("{unknown}/other"), 404),
        ("GET", &unknown.to_uppercase(), 200),
        ("POST", unknown, 405),
        ("DELETE", &format!("{unknown}/result"), 405),
        ("OPTIONS", unknown, 204),
    ] {
        let answer = service.ask(method, target, &[], b"");
        assert_eq!(answer.status, status, "{method} {target}: {}", text(&answer));
        match status {
            404 => answer.assert_problem(404, Some("path")),
            405 => assert!(answer.header("allow").is_some()),
            _ => {}
        }
    }
    let location = service.accept("/a", &[], b"");
    assert_eq!(service.result(&location).status, 200);
    until("the job is forgotten", || service.ask("GET", &location, &[], b"").status == 410);
    let result = service.ask("GET", &format!("{location}/result"), &[], b"");
    result.assert_problem(410, Some("path"));
    assert_eq!(service.ask("DELETE", &location, &[], b"").status, 410);
}

#[test]
fn a_job_that_waits_is_cancelled_and_never_runs() {
    let gate = Gate::default();
    let host = gated(&gate);
    let service = Service::start(&[&host], "", "running_max = 1\n");
    let first = service.accept("/first", &[], b"");
    service.becomes(&first, "running");
    let second = service.accept("/second", &[], b"");
    let told = service.status(&second);
    assert_eq!((told["state"].as_str(), told["attempt"].as_u64()), (Some("queued"), Some(0)));
    assert!(told["ahead"]["jobs"].is_u64() && told["predicted_start"].is_string(), "{told}");
    for _ in 0..2 {
        let cancelled = service.ask("DELETE", &second, &[], b"");
        assert_eq!(
            (cancelled.status, json(&cancelled)["state"].as_str()),
            (202, Some("cancelled"))
        );
    }
    let result = service.ask("GET", &format!("{second}/result"), &[], b"");
    assert_eq!(result.status, 404, "{}", text(&result));
    gate.open(1);
    assert_eq!(service.result(&first).status, 200);
    assert_eq!(service.ask("DELETE", &first, &[], b"").status, 409);
    assert_eq!(host.heard().len(), 1);
}

#[test]
fn jobs_are_where_the_configuration_says_and_off_by_default() {
    let host = echo();
    let service = Service::start(&[&host], "", "path = \"/own/jobs\"\n");
    let location = service.accept("/a", &[], b"");
    assert!(location.starts_with("/own/jobs/"), "{location}");
    assert_eq!(service.result(&location).status, 200);
    assert_eq!(service.ask("GET", "/jobs/x", &[], b"").status, 200, "it is the host's");

    let host = Host::start(|_, client| {
        answer(client, "201 Created", &[], b"");
        Then::Keep
    });
    let text = crate::service::config(&[host.address], "", "");
    let place = crate::harness::balancer::Place::new(&text.replace("enabled = true", ""));
    let balancer = place.serve();
    balancer.has_active(1);
    let answer =
        crate::service::ask(balancer.listen, "POST", "/a", &["Prefer: respond-async"], b"");
    assert_eq!((answer.status, answer.header("location")), (201, None));
}
