//! The page as whoever has no script gets it, and what is beside it.

use crate::harness::until;
use crate::scene::{Scene, ask, told};
use crate::service::text;

const HTML: &str = "Accept: text/html,application/xhtml+xml";

#[test]
fn browsers_get_a_page_that_may_load_nothing_from_elsewhere() {
    let scene = Scene::start(2, "", "");
    let page = scene.operator("GET", "/", &[HTML]);
    let policy = page.header("content-security-policy").expect("a policy");
    for part in
        ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let html = text(&page);
    assert!(html.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{}", &html[..80]);
    for forbidden in ["<style", " style=", "javascript:", "http://", "https://", " onclick"] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    for host in scene.balancer.hosts() {
        assert!(html.contains(host.address()), "{html}");
    }
    for (path, kind) in [
        ("/page.css", "text/css; charset=utf-8"),
        ("/page.js", "text/javascript; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let asset = scene.operator("GET", path, &[]);
        assert_eq!((asset.status, asset.header("content-type")), (200, Some(kind)), "{path}");
        assert!(html.contains(&format!("\"{path}\"")), "{path}");
    }
    // Whoever asks for no HTML gets what there is to be asked for.
    let listed = scene.operator("GET", "/", &["Accept: */*"]);
    assert_eq!(listed.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(text(&listed).contains("/snapshot"), "{}", text(&listed));
    assert_eq!(scene.operator("POST", "/", &[HTML]).status, 405);
    assert_eq!(scene.operator("GET", "/", &[HTML, "Host: evil.example"]).status, 421);
}

/// Clients choose paths; operators' browsers must not run them.
#[test]
fn what_clients_send_is_text_on_the_page() {
    let scene = Scene::start(1, "", "");
    let _request = scene.send_all(&["/held/\"onload=x\"&lt;{b}?secs=1"]);
    let html = text(&scene.operator("GET", "/", &[HTML]));
    assert!(!html.contains("/held/\"onload"), "{html}");
    assert!(html.contains("/held/&quot;onload=x&quot;&amp;lt;{b}"), "{html}");
    scene.gate.open(1);
    scene.balancer.assert_idle();
}

#[test]
fn the_time_line_and_the_routes_tell_of_the_last_minute() {
    let scene = Scene::start(1, "", "");
    scene.gate.open(3);
    for _ in 0..3 {
        let answer = crate::service::ask(scene.balancer.listen, "POST", "/held?secs=0", &[], b"");
        assert_eq!(answer.status, 200);
    }
    until("a sample is taken", || {
        let past = scene.balancer.json("/timeline");
        past["samples"]
            .as_array()
            .is_some_and(|samples| samples.iter().any(|one| one["active"] == 1))
    });
    let past = scene.balancer.json("/timeline");
    assert_eq!(past["every_seconds"], 2.0);
    let routes = scene.balancer.json("/routes");
    let held = &routes["routes"][0];
    assert_eq!((&held["name"], &held["fleet"]), (&"held".into(), &"main".into()));
    assert_eq!((&held["requests"], &held["errors"]), (&3.into(), &0.into()));
    let per_second = held["per_second"].as_f64().expect("a number");
    let window = held["window_seconds"].as_f64().expect("a number");
    assert!((per_second * window - 3.0).abs() < 1e-6, "{held}");
    assert!(held["p99_seconds"].as_f64() >= held["p50_seconds"].as_f64(), "{held}");
    assert_eq!(routes["routes"][1]["p50_seconds"], serde_json::Value::Null);
    let all = scene.balancer.json("/snapshot?most=0");
    assert_eq!(all["routes"][0]["requests"], 3);
    assert_eq!((&all["ready"], &all["hosts"][0]["is_listed"]), (&true.into(), &true.into()));
    assert!(!all["timeline"]["samples"].as_array().expect("a list").is_empty());
}

#[test]
fn jobs_are_shown_where_there_are_any() {
    let host = crate::service::echo();
    let service = crate::service::Service::start(&[&host], "", "");
    let job = service.accept("/work?key=secret", &[], b"");
    assert_eq!(service.result(&job).status, 200);
    let html = text(&ask(service.balancer.admin, "GET", "/", &[HTML]));
    let id = job.strip_prefix("/jobs/").expect("an id");
    assert!(html.contains(&format!("id=\"job-{id}\"")), "{html}");
    assert!(html.contains("<data value=\"1\" data-of=\"succeeded\">1</data>"), "{html}");
    assert!(!html.contains("secret"), "{html}");
}

#[test]
fn only_the_pages_of_this_address_may_change_something() {
    let scene = Scene::start(1, "", "");
    let admin = scene.balancer.admin;
    let change = |headers: &[&str]| scene.operator("DELETE", "/requests/0-999999", headers).status;
    let own = format!("Origin: http://{admin}");
    // It is let through: there is no such request.
    assert_eq!(change(&[&own, "Sec-Fetch-Site: same-origin"]), 410);
    assert_eq!(change(&[&own]), 410);
    let port = admin.port();
    for elsewhere in [
        "Origin: http://127.0.0.1".to_owned(),
        format!("Origin: http://localhost:{port}"),
        format!("Origin: http://127.0.0.1:{}", scene.balancer.listen.port()),
        "Origin: null".to_owned(),
        format!("Origin: ftp://{admin}"),
    ] {
        assert_eq!(change(&[&elsewhere]), 403, "{elsewhere}");
    }
    assert_eq!(change(&[&own, "Sec-Fetch-Site: cross-site"]), 403);
    let refused = scene.operator("DELETE", "/requests/0-1", &["Origin: http://evil.example"]);
    let detail = "a page from elsewhere may change nothing: `Origin` is not this address";
    assert_eq!(told(&refused, 403)["detail"], detail);
}
