//! Bodies in every form that they come in.

use std::time::Duration;

use crate::client::{Connection, post, request};
use crate::fixture::{Running, bmp, data_url, raytrace_target};

#[test]
fn a_client_that_waits_for_100_continue_gets_it() {
    let worker = Running::start(1);
    let body = data_url("bmp", &bmp(1600, 1600));
    assert!(10_000_000 < body.len());
    let head = format!(
        "POST /blurimage HTTP/1.1\r\nHost: worker\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut connection = Connection::open(worker.address);
    connection.send(head.as_bytes());
    assert_eq!(connection.response().status, 100);
    connection.send(&body);
    let answer = connection.response();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.len(), body.len());
}

#[test]
fn a_client_that_waits_for_100_continue_is_refused_before_it_sends() {
    let worker = Running::start(1);
    let mut connection = Connection::open(worker.address);
    connection.send(
        b"POST /blurimage HTTP/1.1\r\nHost: w\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n",
    );
    connection.response().assert_problem(413, Some("body"));
    assert!(connection.ends());
}

#[test]
fn a_chunked_body_is_as_good_as_one_of_known_length() {
    let worker = Running::start(1);
    let body = data_url("bmp", &bmp(1200, 1100));
    assert!(5_000_000 < body.len());
    let mut connection = Connection::open(worker.address);
    connection.send(b"POST /blurimage HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n");
    for chunk in body.chunks(77_777) {
        connection.send(format!("{:x}\r\n", chunk.len()).as_bytes());
        connection.send(chunk);
        connection.send(b"\r\n");
    }
    connection.send(b"0\r\n\r\n");
    let answer = connection.response();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, post(worker.address, "/blurimage", &body).body);
}

#[test]
fn a_body_that_is_announced_too_long_is_refused_and_the_client_sees_it() {
    let worker = Running::configured(|config| config.limits.body_bytes = 1 << 20);
    let mut connection = Connection::open(worker.address);
    connection.request("POST", "/blurimage", &[], &vec![b'x'; 16 << 20]);
    let detail = connection.response().assert_problem(413, Some("body"));
    assert_eq!(detail, "the body has more than `1048576` bytes");
}

#[test]
fn a_chunked_body_is_refused_where_it_grows_too_long() {
    let worker = Running::configured(|config| config.limits.body_bytes = 1 << 20);
    let mut connection = Connection::open(worker.address);
    connection.send(b"POST /blurimage HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send(b"100001\r\n");
    connection.send(&vec![b'x'; 0x10_0001]);
    connection.response().assert_problem(413, Some("body"));
}

#[test]
fn a_body_that_does_not_come_in_time_is_not_waited_for() {
    let worker = Running::configured(|config| config.front.body_read = Duration::from_millis(10));
    let mut connection = Connection::open(worker.address);
    connection.send(b"POST /blurimage HTTP/1.1\r\nHost: worker\r\nContent-Length: 10\r\n\r\nhalf");
    let detail = connection.response().assert_problem(408, Some("body"));
    assert_eq!(detail, "the body did not arrive within `10ms`");
}

#[test]
fn a_head_that_does_not_come_in_time_is_not_waited_for() {
    let worker = Running::configured(|config| config.front.header_read = Duration::from_millis(10));
    // The first two could still become HTTP/2, or nothing at all.
    for sent in ["", "PRI * HT", "POST /blurimage HTTP/1.1\r\nHost: w"] {
        let mut connection = Connection::open(worker.address);
        connection.send(sent.as_bytes());
        assert!(connection.ends(), "after `{sent}`");
    }
}

#[test]
fn bodies_have_a_budget_together() {
    let worker = Running::configured(|config| config.front.bodies_bytes = 1 << 20);
    let refused = post(worker.address, "/blurimage", &vec![b'x'; 1_100_000]);
    let detail = refused.assert_problem(503, Some("body"));
    assert_eq!(detail, "the bodies of all requests together have more than `1048576` bytes");
    assert_eq!(refused.header("retry-after"), Some("1"));

    // What the refused one held is free again.
    post(worker.address, "/blurimage", &vec![b'x'; 1_000_000]).assert_problem(400, Some("body"));
}

#[test]
fn an_empty_body_is_refused_at_once_even_where_the_queue_is_busy() {
    let worker = Running::start(1);
    for target in ["/blurimage", "/enhanceimage", &raytrace_target(4, 3)] {
        for method in ["POST", "GET"] {
            let answer = request(worker.address, method, target, &[], b"");
            assert_eq!(answer.assert_problem(400, Some("body")), "the body is empty");
        }
    }
    assert!(worker.metric("weighbridge_worker_waiting_seconds_count{operation=\"blur\"}") < 1.0);
}

#[test]
fn a_body_that_breaks_off_disturbs_nobody() {
    let worker = Running::start(1);
    let mut connection = Connection::open(worker.address);
    connection.send(b"POST /blurimage HTTP/1.1\r\nHost: worker\r\nContent-Length: 10\r\n\r\nhalf");
    drop(connection);
    let name = "weighbridge_worker_requests_total{code=\"400\",operation=\"blur\"}";
    worker.wait_for(name, 1.0);
    worker.wait_for("weighbridge_worker_connections", 1.0);
    assert_eq!(post(worker.address, "/blurimage", &data_url("bmp", &bmp(4, 4))).status, 200);
}
