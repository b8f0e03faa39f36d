//! The stream of events, without a browser.

use rustix::process::Signal;
use serde_json::Value;

use crate::client::Connection;
use crate::harness::balancer::Balancer;
use crate::harness::until;
use crate::scene::Scene;

/// A reader of the stream.
struct Reader {
    connection: Connection,
    said: String,
}

impl Reader {
    fn start(balancer: &Balancer) -> Reader {
        let mut connection = Connection::open(balancer.admin);
        connection.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let head = connection.head();
        assert_eq!(head.status, 200);
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        assert_eq!(head.header("cache-control"), Some("no-store"));
        assert_eq!(head.header("x-content-type-options"), Some("nosniff"));
        Reader { connection, said: String::new() }
    }

    /// The parts of the next event; `None` at the end.
    fn next(&mut self) -> Option<Value> {
        while !self.said.contains("\n\n") {
            let piece = self.connection.chunk().ok()??;
            self.said.push_str(&String::from_utf8(piece).expect("text"));
        }
        let (event, rest) = self.said.split_once("\n\n").expect("there is an end");
        let (event, rest) = (event.to_owned(), rest.to_owned());
        self.said = rest;
        assert!(event.contains("event: parts\n"), "{event}");
        let data = event.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
        Some(serde_json::from_str(data).expect("JSON"))
    }
}

fn names(parts: &Value) -> Vec<&String> {
    parts.as_object().expect("parts by name").keys().collect()
}

#[test]
fn all_parts_come_first_and_then_those_that_change() {
    let scene = Scene::start(1, "", "");
    let mut reader = Reader::start(&scene.balancer);
    let first = reader.next().expect("an event");
    assert_eq!(names(&first), ["hosts", "requests", "routes", "summary", "timeline"]);
    let _request = scene.send_all(&["/held?secs=1"]);
    let mut requests = None;
    while requests.is_none() {
        let event = reader.next().expect("an event");
        requests =
            event["requests"].as_str().filter(|html| html.contains("/held")).map(str::to_owned);
    }
    let requests = requests.expect("it was found");
    assert!(requests.contains("data-delete=\"/requests/0-"), "{requests}");
    scene.gate.open(1);
    scene.balancer.assert_idle();
}

#[test]
fn so_many_read_at_once_and_places_become_free() {
    let scene = Scene::start(1, "", "");
    let mut readers: Vec<Reader> = (0..16).map(|_| Reader::start(&scene.balancer)).collect();
    let refused = scene.operator("GET", "/events", &[]);
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("retry-after"), Some("5"));
    readers.pop();
    until("a place is free", || {
        let mut connection = Connection::open(scene.balancer.admin);
        connection.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        connection.head().status == 200
    });
}

#[test]
fn readers_do_not_keep_a_balancer_from_its_end() {
    let mut scene = Scene::start(1, "", "");
    let mut reader = Reader::start(&scene.balancer);
    reader.next().expect("an event");
    scene.balancer.process.send(Signal::TERM);
    while reader.next().is_some() {}
    assert_eq!(scene.balancer.process.ends().code(), Some(0));
}
