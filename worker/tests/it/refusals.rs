//! What goes wrong, and what the client is told.

use crate::client::{Connection, post, request};
use crate::fixture::{Running, bmp, data_url, raytrace_target, sphere};

#[test]
fn an_unknown_path_is_not_found() {
    let worker = Running::start(1);
    for target in ["/nowhere", "/blur", "/healthz/deep"] {
        let detail = post(worker.address, target, b"x").assert_problem(404, None);
        assert_eq!(detail, format!("no operation is served at `{target}`"));
    }
}

#[test]
fn a_bad_image_is_the_bodys_fault() {
    let worker = Running::start(1);
    for body in ["no data URL", "data:image/png;base64,!!!", "data:image/png;base64,QUJD"] {
        post(worker.address, "/blurimage", body.as_bytes()).assert_problem(400, Some("body"));
    }
}

#[test]
fn a_format_that_cannot_be_written_is_unsupported() {
    let worker = Running::start(1);
    let answer = post(worker.address, "/blurimage", &data_url("webp", &bmp(4, 4)));
    assert_eq!(answer.status, 415, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
}

#[test]
fn a_bad_parameter_is_named() {
    let worker = Running::start(1);
    let target = "/raytracer?scols=4&srows=3&wcols=4&wrows=three&coff=0&roff=0";
    let answer = post(worker.address, target, &sphere());
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["field"], "wrows");
}

#[test]
fn too_much_output_is_refused() {
    let worker = Running::configured(|config| config.limits.output_pixels = 100);
    let answer = post(worker.address, &raytrace_target(11, 10), &sphere());
    answer.assert_problem(422, Some("wcols"));
    assert_eq!(post(worker.address, &raytrace_target(10, 10), &sphere()).status, 200);
}

#[test]
fn a_head_that_is_too_long_is_refused() {
    let worker = Running::configured(|config| config.front.header_bytes = 8 << 10);
    let header = format!("X-Long: {}", "x".repeat(9 << 10));
    let answer = request(worker.address, "POST", "/blurimage", &[&header], b"x");
    let detail = answer.assert_problem(431, None);
    assert_eq!(detail, "the head has more than `8192` bytes");
}

#[test]
fn what_is_not_http_is_refused() {
    let worker = Running::start(1);
    let mut connection = Connection::open(worker.address);
    connection.send(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n");
    assert_eq!(connection.response().status, 400);
    assert!(connection.ends());
}
