//! What goes well.

use std::io::Write;
use std::process::{Command, Stdio};

use image::ImageFormat;

use crate::client::{Connection, get, post, request};
use crate::fixture::{Running, bmp, data_url, file_of, png, raytrace_target, sphere};

#[test]
fn an_image_is_blurred_and_enhanced_in_the_form_it_came() {
    let worker = Running::start(2);
    for target in ["/blurimage", "/enhanceimage", "/blurimage/", "/enhanceimageX"] {
        let answer = post(worker.address, target, &data_url("jpg", &png(40, 30)));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let file = file_of("jpg", answer.text());
        let image = image::load_from_memory_with_format(&file, ImageFormat::Jpeg).expect("a JPEG");
        assert_eq!((image.width(), image.height()), (40, 30));
    }
}

#[test]
fn a_raw_image_gets_a_raw_image() {
    let worker = Running::start(1);
    let headers = ["Content-Type: image/png"];
    let answer = request(worker.address, "POST", "/blurimage", &headers, &png(20, 10));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("image/png"));
    image::load_from_memory_with_format(&answer.body, ImageFormat::Png).expect("a PNG");

    let headers = ["Content-Type: image/png", "Accept: image/bmp"];
    let answer = request(worker.address, "POST", "/blurimage", &headers, &png(20, 10));
    assert_eq!(answer.header("content-type"), Some("image/bmp"));
}

#[test]
fn a_scene_is_rendered_to_a_bitmap() {
    let worker = Running::start(1);
    let answer = post(worker.address, &raytrace_target(40, 30), &sphere());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let file = file_of("bmp", answer.text());
    assert_eq!(file.len(), 54 + 40 * 30 * 3);
}

#[test]
fn the_method_of_an_operation_does_not_matter() {
    let worker = Running::start(1);
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let target = raytrace_target(4, 3);
        let answer = request(worker.address, method, &target, &[], &sphere());
        assert_eq!(answer.status, 200, "{method}: {}", answer.text());
    }
}

#[test]
fn options_tells_what_other_origins_may_do() {
    let worker = Running::start(1);
    for target in ["/blurimage", "/", "/nowhere"] {
        let answer = request(worker.address, "OPTIONS", target, &[], b"");
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET, POST, OPTIONS"));
        let headers = answer.header("access-control-allow-headers");
        assert_eq!(headers, Some("Content-Type,Authorization"));
    }
}

#[test]
fn health_checks_get_a_finished_empty_body() {
    let worker = Running::start(1);
    let mut connection = Connection::open(worker.address);
    for target in ["/", "/test", "/healthz", "/readyz"] {
        connection.request("GET", target, &[], b"");
        let answer = connection.response();
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{target}");
        assert_eq!(answer.header("content-length"), Some("0"), "{target}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{target}");
    }
}

#[test]
fn a_connection_carries_many_requests() {
    let worker = Running::start(1);
    let mut connection = Connection::open(worker.address);
    for _ in 0..10 {
        connection.request("POST", "/blurimage", &[], &data_url("bmp", &bmp(4, 4)));
        assert_eq!(connection.response().status, 200);
        connection.request("POST", "/blurimage", &[], b"no image");
        assert_eq!(connection.response().status, 400);
        connection.request("POST", "/nowhere", &[], &vec![7; 100_000]);
        assert_eq!(connection.response().status, 404);
    }
}

#[test]
fn metrics_are_as_prometheus_wants_them() {
    let worker = Running::start(3);
    post(worker.address, &raytrace_target(4, 3), &sphere());
    post(worker.address, "/blurimage", b"no image");
    let name = "weighbridge_worker_requests_total{code=\"200\",operation=\"raytrace\"}";
    assert!((worker.metric(name) - 1.0).abs() < f64::EPSILON);
    let name = "weighbridge_worker_requests_total{code=\"400\",operation=\"blur\"}";
    assert!((worker.metric(name) - 1.0).abs() < f64::EPSILON);
    assert!((worker.metric("weighbridge_worker_slots") - 3.0).abs() < f64::EPSILON);

    let metrics = get(worker.address, "/metrics");
    assert!(metrics.header("content-type").is_some_and(|value| value.starts_with("text/plain")));
    check_by_promtool(&metrics.body);
}

fn check_by_promtool(metrics: &[u8]) {
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = promtool.expect("the Debian package prometheus is there");
    promtool.stdin.take().expect("it is a pipe").write_all(metrics).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    assert_eq!(String::from_utf8_lossy(&said), "", "promtool has nothing to say");
}
