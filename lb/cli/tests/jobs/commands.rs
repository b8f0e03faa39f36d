//! `weighbridge jobs`, and what the admin address says.

use crate::harness::balancer::run;
use crate::harness::until;
use crate::host::{Host, Then, answer};
use crate::service::{Gate, Service, ask, gated, json, text};

/// What `weighbridge jobs ARGUMENTS` prints, and whether it succeeded.
fn jobs(service: &Service, arguments: &[&str]) -> (String, bool) {
    let admin = service.balancer.admin.to_string();
    let all = ["jobs", "--admin", &admin].into_iter().chain(arguments.iter().copied());
    let output = run(all);
    let text = [output.stdout, output.stderr].concat();
    (String::from_utf8_lossy(&text).into_owned(), output.status.success())
}

#[test]
fn operators_list_show_cancel_retry_and_purge() {
    let gate = Gate::default();
    let host = gated(&gate);
    let service = Service::start(&[&host], "", "running_max = 1\n");
    assert_eq!(jobs(&service, &["list"]), ("no jobs\n".to_owned(), true));
    let first = service.accept("/first", &[], b"");
    service.becomes(&first, "running");
    let second = service.accept("/second", &[], b"");
    let [first_id, second_id] = [&first, &second].map(|at| at.trim_start_matches("/jobs/"));
    let (listed, _) = jobs(&service, &["list"]);
    assert!(listed.contains(first_id) && listed.contains(second_id), "{listed}");
    assert!(listed.ends_with("1 queued, 1 running\n"), "{listed}");
    let (listed, _) = jobs(&service, &["list", "--state", "queued"]);
    assert!(!listed.contains(first_id) && listed.contains(second_id), "{listed}");
    let (shown, _) = jobs(&service, &["show", second_id]);
    assert!(shown.contains("\"path\": \"/second\"") && shown.contains("\"ledger\""), "{shown}");
    let cancelled = jobs(&service, &["cancel", second_id]);
    assert_eq!(cancelled, (format!("{second_id} is cancelled\n"), true));
    let (refused, is_good) = jobs(&service, &["retry", second_id]);
    assert!(!is_good && refused.contains("the job is cancelled: expected a dead one"), "{refused}");
    gate.open(1);
    service.result(&first);
    let (refused, is_good) = jobs(&service, &["cancel", first_id]);
    assert!(!is_good && refused.contains("the job has ended: it is succeeded"), "{refused}");
    let (none, _) = jobs(&service, &["purge", "--state", "succeeded", "--older-than", "1h"]);
    assert_eq!(none, "0 jobs are forgotten\n");
    assert_eq!(jobs(&service, &["purge", "--state", "succeeded"]).0, "1 jobs are forgotten\n");
    assert_eq!(service.ask("GET", &first, &[], b"").status, 410);
    let (json, _) = jobs(&service, &["list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(listed["by_state"]["cancelled"], 1);
    assert_eq!(jobs(&service, &["callbacks"]).0, "no dead callbacks\n");
}

#[test]
fn a_dead_job_is_retried_on_the_command_line() {
    let mut failures = 1;
    let failing = std::sync::Mutex::new(move || {
        failures -= 1;
        0 <= failures
    });
    let host = Host::start(move |_, client| {
        let status = if failing.lock().expect("no panic")() { "500 Oops" } else { "200 OK" };
        answer(client, status, &[], b"");
        Then::Keep
    });
    let service = Service::start(&[&host], "", "attempts_max = 1\n");
    let location = service.accept("/a", &[], b"");
    service.becomes(&location, "dead");
    let id = location.trim_start_matches("/jobs/");
    assert_eq!(jobs(&service, &["retry", id]), (format!("{id} is queued again\n"), true));
    assert_eq!(service.result(&location).status, 200);
    until("its end is counted", || {
        let ended = |state| service.balancer.metric("weighbridge_jobs_ended_total", state);
        ended("state=\"dead\"") + ended("state=\"succeeded\"") > 1.5
    });
}

#[test]
fn what_operators_ask_wrongly_is_said() {
    let host = crate::service::echo();
    let service = Service::start(&[&host], "", "");
    let admin = service.balancer.admin;
    for (method, target, status) in [
        ("GET", "/jobs?state=sleeping", 400),
        ("GET", "/jobs?most=0", 400),
        ("GET", "/jobs?colour=red", 400),
        ("GET", "/jobs/xyz", 404),
        ("GET", "/jobs/00000000000000000000000000000000", 404),
        ("POST", "/jobs", 405),
        ("GET", "/jobs/purge", 405),
        ("POST", "/jobs/purge", 400),
        ("POST", "/jobs/purge?state=queued", 400),
        ("POST", "/jobs/purge?state=dead&older_than=x", 400),
    ] {
        let answer = ask(admin, method, target, &[], b"");
        assert_eq!(answer.status, status, "{method} {target}: {}", text(&answer));
        assert_eq!(json(&answer)["status"], status);
    }
    // A page in an operator's browser.
    let page = ask(admin, "POST", "/jobs/purge?state=dead", &["Origin: http://evil.example"], b"");
    assert_eq!(page.status, 403);
    let (refused, is_good) = jobs(&service, &["list", "--state", "sleeping"]);
    assert!(!is_good && refused.contains("expected receiving, queued"), "{refused}");
    let plain = crate::harness::balancer::Place::new("admin_hosts = [\"weighbridge\"]\n");
    let off = plain.up("1..1");
    assert_eq!(ask(off.admin, "GET", "/jobs", &[], b"").status, 404);
}
