//! Every number on the page is what `/fleet`, `/models` and `/metrics` say at that moment.

use std::collections::BTreeMap;

use serde_json::Value;
use weighbridge_proxy::words::{percent, span};

use crate::browser::Browser;
use crate::harness::client::get;
use crate::harness::until;
use crate::scene::Scene;
use crate::service::ask;

/// Numbers by what they are of, by the row or part that they are in.
type Shown = BTreeMap<String, BTreeMap<String, f64>>;

/// The numbers in the part `part`, and their words.
fn shown(browser: &Browser, part: &str) -> (Shown, BTreeMap<String, String>) {
    let script = format!(
        "const numbers = {{}}, words = {{}};
         for (const one of document.querySelectorAll('#{part} data')) {{
           const row = one.closest('[id]').id;
           (numbers[row] ??= {{}})[one.dataset.of] = Number(one.value);
           words[row + ' ' + one.dataset.of] = one.textContent;
         }}
         return [numbers, words];"
    );
    serde_json::from_value(browser.run(&script)).expect("numbers and words")
}

/// Waits for a picture that was begun after now.
fn fresh(browser: &Browser) {
    let frames = || browser.number("return Number(document.body.dataset.frames)");
    let before = frames();
    until("the page has changed twice", || before + 2.0 <= frames());
}

/// A series of `/metrics`, all of whose labels are in `labels`.
fn metric(metrics: &str, name: &str, labels: &str) -> f64 {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
    let values = lines.filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels));
    values.filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// The quantile `q` of a histogram of `/metrics`, as Prometheus makes it.
fn quantile(metrics: &str, name: &str, route: &str, q: f64) -> f64 {
    let (bucket, route) = (format!("{name}_bucket"), format!("route=\"{route}\""));
    let lines = metrics.lines().filter(|line| line.starts_with(&bucket) && line.contains(&route));
    let buckets: Vec<(f64, f64)> = lines
        .map(|line| {
            let bound = line.split("le=\"").nth(1).and_then(|rest| rest.split('"').next());
            let bound = bound.map(|bound| bound.replace("+Inf", "inf")).expect("a bound");
            let count = line.rsplit(' ').next().expect("a number");
            (bound.parse().expect("a number"), count.parse().expect("a number"))
        })
        .collect();
    let rank = q * buckets.last().expect("there are buckets").1;
    let nth = buckets.iter().position(|(_, count)| rank <= *count).expect("it is in one");
    let (lower, below) = if nth == 0 { (0.0, 0.0) } else { buckets[nth - 1] };
    lower + (buckets[nth].0 - lower) * (rank - below) / (buckets[nth].1 - below)
}

fn float(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

#[track_caller]
fn same(shown: f64, told: f64) {
    assert!((shown - told).abs() <= 1e-9 * told.abs().max(1.0), "{shown} is shown, {told} is told");
}

/// What ages, between what was told before and after it was shown.
#[track_caller]
fn between(shown: f64, before: f64, after: f64) {
    assert!(after - 1e-9 <= shown && shown <= before + 1e-9, "{before} {shown} {after}");
}

#[test]
fn every_number_is_what_the_admin_api_says() {
    let scene = Scene::start(3, "", "");
    let browser = Browser::open(scene.balancer.admin);
    // Some have been answered, sooner than was declared, and others are believed to take less for
    // that: still longer than all of this takes.
    scene.gate.open(5);
    for _ in 0..5 {
        assert_eq!(ask(scene.balancer.listen, "POST", "/held?secs=0.01", &[], b"").status, 200);
    }
    let run = ["/held?secs=9000", "/held?secs=8000", "/held?secs=7000"];
    let _running = scene.send_all(&run);
    let _waiting = [scene.send("/held?secs=6000"), scene.send("/held?secs=5000")];
    scene.balancer.has_waiting(2);
    let before = scene.balancer.json("/fleet");
    fresh(&browser);
    let [hosts, requests, routes, summary] =
        ["hosts", "requests", "routes", "summary"].map(|part| shown(&browser, part));
    let metrics = get(scene.balancer.admin, "/metrics").text();
    let (after, models) = (scene.balancer.json("/fleet"), scene.balancer.json("/models"));
    check_hosts(&hosts, (&before, &after), &metrics);
    check_requests(&requests, &scene.balancer.json("/requests"), &after);
    check_routes(&routes.0, &models, &metrics);
    check_summary(&summary.0["summary"], (&before, &after), &metrics);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    scene.gate.open(5);
}

#[test]
fn every_number_of_a_client_is_what_the_admin_api_says() {
    let tables = "[route_defaults]\nclient = \"header.x-api-key\"\n\
                  [clients]\nnames = \"plain\"\nhalf_life = \"1d\"\n";
    let scene = Scene::start(1, "", tables);
    let browser = Browser::open(scene.balancer.admin);
    assert!(browser.text("#clients").contains("No client has asked yet."));
    scene.gate.open(3);
    for client in ["alice", "alice", "<b>bob"] {
        let key = format!("x-api-key: {client}");
        let answer = ask(scene.balancer.listen, "POST", "/held?secs=0.01", &[&key], b"");
        assert_eq!(answer.status, 200);
    }
    scene.balancer.assert_idle();
    let before = scene.balancer.json("/clients");
    fresh(&browser);
    let (numbers, words) = shown(&browser, "clients");
    let after = scene.balancer.json("/clients");
    let list = |told: &Value| told["fleets"][0]["clients"].as_array().expect("a list").clone();
    assert_eq!(list(&after).len(), 2);
    for (before, after) in list(&before).iter().zip(list(&after)) {
        let row = format!("client-main-default-{}", after["client"].as_str().expect("a name"));
        let client = &numbers[&row];
        for of in ["used_cpu_seconds", "running_cpu_seconds", "here", "requests", "refused"] {
            same(client[of], float(&after[of]));
        }
        let of = "attained_cpu_seconds";
        between(client[of], float(&before[of]), float(&after[of]));
        assert_eq!(words[&format!("{row} {of}")], span(client[of]));
    }
    let class = &after["fleets"][0]["classes"][0];
    same(numbers["clients"]["used_cpu_seconds"], float(&class["used_cpu_seconds"]));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

fn check_hosts(
    (numbers, words): &(Shown, BTreeMap<String, String>),
    (before, after): (&Value, &Value),
    metrics: &str,
) {
    let list = |fleet: &Value| fleet["hosts"].as_array().expect("a list").clone();
    assert_eq!(numbers.len(), list(after).len());
    for (before, after) in list(before).iter().zip(list(after)) {
        let row = format!("host-{}", after["id"]);
        let host = &numbers[&row];
        between(
            host["seconds_left"],
            float(&before["seconds_left"]),
            float(&after["seconds_left"]),
        );
        assert_eq!(words[&format!("{row} seconds_left")], span(host["seconds_left"]));
        assert_eq!(words[&format!("{row} utilization")], percent(host["utilization"]));
        let label = format!("host=\"{}\"", after["name"].as_str().expect("a name"));
        for (of, name) in [
            ("in_flight", "weighbridge_host_in_flight"),
            ("utilization", "weighbridge_host_utilization_ratio"),
            ("speed", "weighbridge_host_speed_ratio"),
        ] {
            same(host[of], float(&after[of]));
            same(host[of], metric(metrics, name, &label));
        }
        for of in ["failures_in_row", "weight"] {
            same(host[of], float(&after[of]));
        }
    }
}

fn check_requests(
    (numbers, words): &(Shown, BTreeMap<String, String>),
    requests: &Value,
    fleet: &Value,
) {
    let state = &numbers["requests"];
    for kind in ["running", "waiting"] {
        same(state[kind], float(&requests[kind]["count"]));
        for one in requests[kind]["largest"].as_array().expect("a list") {
            let row = format!("request-{}", one["id"].as_str().expect("an id"));
            let request = &numbers[&row];
            same(request["estimate_seconds"], float(&one["estimate_seconds"]));
            same(request["tries"], float(&one["tries"]));
            // It ages meanwhile.
            assert!(float(&one["work_left_seconds"]) <= request["work_left_seconds"], "{one}");
            assert!(request["age_seconds"] <= float(&one["age_seconds"]), "{one}");
            let left = &words[&format!("{row} work_left_seconds")];
            assert_eq!(*left, span(request["work_left_seconds"]));
        }
    }
    same(state["bytes"], float(&fleet["waiting"]["bytes"]));
    same(state["work_seconds"], float(&fleet["waiting"]["work_seconds"]));
}

fn check_routes(numbers: &Shown, models: &Value, metrics: &str) {
    for route in ["held", "stream"] {
        let (shown, told) = (&numbers[&format!("route-{route}")], &models["routes"][route]);
        let label = format!("route=\"{route}\"");
        same(shown["requests"], metric(metrics, "weighbridge_requests_total", &label));
        same(shown["observations"], float(&told["observations"]));
        for of in ["mdape", "p90_coverage"] {
            assert_eq!(shown.get(of).copied(), told[of].as_f64(), "{of}");
        }
        let error = metric(metrics, "weighbridge_model_error_ratio", &label);
        same(shown.get("mdape").copied().unwrap_or_default(), error);
        if route == "held" {
            let name = "weighbridge_response_seconds";
            same(shown["p50_seconds"], quantile(metrics, name, route, 0.5));
            same(shown["p99_seconds"], quantile(metrics, name, route, 0.99));
            let slowdowns =
                |end| metric(metrics, &format!("weighbridge_slowdown_ratio_{end}"), &label);
            same(shown["slowdown"], slowdowns("sum") / slowdowns("count"));
        }
        same(shown["error_ratio"], 0.0);
    }
}

fn check_summary(shown: &BTreeMap<String, f64>, (before, after): (&Value, &Value), metrics: &str) {
    let hosts = |fleet: &Value| fleet["hosts"].as_array().expect("a list").clone();
    let sum =
        |fleet: &Value, of: &str| hosts(fleet).iter().map(|host| float(&host[of])).sum::<f64>();
    same(shown["hosts"], hosts(after).len() as f64);
    same(shown["running"], sum(after, "in_flight"));
    same(shown["running"], metric(metrics, "weighbridge_host_in_flight", ""));
    same(shown["waiting"], metric(metrics, "weighbridge_waiting_requests", ""));
    same(shown["waiting"], float(&after["waiting"]["requests"]));
    same(shown["work_seconds"], float(&after["waiting"]["work_seconds"]));
    same(shown["utilization"], sum(after, "utilization") / hosts(after).len() as f64);
    let left = "work_left_seconds";
    between(shown[left], sum(before, left), sum(after, left));
    // The scrape was made between the picture and what was told after it.
    let scraped = metric(metrics, "weighbridge_host_work_left_seconds", "");
    between(scraped, shown[left], sum(after, left));
}
