//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).

use crate::client::{Connection, head, request};
use crate::service::{Gate, Service, echo, gated, json, text};

const PREFER: &str = "Prefer: respond-async";

#[test]
fn a_repeat_is_the_same_job_and_another_payload_is_refused() {
    let host = echo();
    let service = Service::start(&[&host], "", "");
    let key = "Idempotency-Key: \"8e03978e-40d5-43e8-bc93-6894a57f9324\"";
    let first = service.accept("/a?b=1", &[key], b"one");
    assert_eq!(service.accept("/a?b=1", &[key], b"one"), first);
    assert_eq!(service.result(&first).status, 200);
    // When it has ended, too.
    assert_eq!(service.accept("/a?b=1", &[key], b"one"), first);
    let waited = service.ask("POST", "/a?b=1", &["Prefer: respond-async, wait=10", key], b"one");
    assert_eq!((waited.status, text(&waited).as_str()), (200, "POST /a?b=1 HTTP/1.1|one"));
    assert_eq!(host.heard().len(), 1, "it ran once");
    for (method, target, body) in
        [("POST", "/a?b=1", "two"), ("POST", "/a?b=2", "one"), ("PUT", "/a?b=1", "one")]
    {
        let other = service.ask(method, target, &[PREFER, key], body.as_bytes());
        assert_eq!(other.status, 422, "{method} {target} {body}: {}", text(&other));
        assert_eq!(json(&other)["field"], "idempotency-key");
    }
    // Another client's key is another key.
    let other = service.accept("/a?b=1", &[key, "Authorization: Bearer other"], b"one");
    assert_ne!(other, first);
    let plain = service.accept("/a", &["Idempotency-Key: plain"], b"");
    assert_eq!(service.accept("/a", &["Idempotency-Key: \"plain\""], b""), plain);
}

#[test]
fn a_key_that_is_none_is_refused() {
    let host = echo();
    let service = Service::start(&[&host], "", "");
    for bad in ["", "\"\"", "\"open", "a b", &"x".repeat(300)] {
        let key = format!("Idempotency-Key: {bad}");
        let refused = service.ask("POST", "/a", &[PREFER, &key], b"");
        assert_eq!(refused.status, 400, "{bad}: {}", text(&refused));
        assert_eq!(json(&refused)["field"], "idempotency-key");
    }
    let twice = ["Idempotency-Key: a", "Idempotency-Key: b", PREFER];
    assert_eq!(service.ask("POST", "/a", &twice, b"").status, 400);
    // Who is answered at once may have any: it is the host's to judge.
    assert_eq!(service.ask("POST", "/a", &["Idempotency-Key: a b"], b"").status, 200);
    assert_eq!(host.last().headers("idempotency-key"), ["a b"]);
}

#[test]
fn a_repeat_that_comes_while_the_first_is_received_is_told_to_wait() {
    let host = echo();
    let service = Service::start(&[&host], "", "");
    let key = "Idempotency-Key: \"same\"";
    let mut first = Connection::open(service.balancer.listen);
    let headers = [PREFER, key, "Content-Length: 4", "Expect: 100-continue"];
    first.send(head("POST", "/a", &headers));
    assert_eq!(first.head().status, 100, "its body is being read");
    let repeat = service.ask("POST", "/a", &[PREFER, key], b"body");
    assert_eq!(repeat.status, 409, "{}", text(&repeat));
    assert!(repeat.header("retry-after").is_some());
    first.send(b"bo");
    first.send(b"dy");
    let accepted = first.response("POST");
    assert_eq!(accepted.status, 202);
    let repeat = service.ask("POST", "/a", &[PREFER, key], b"body");
    assert_eq!(repeat.header("location"), accepted.header("location"));
}

#[test]
fn who_comes_back_with_its_key_finds_what_it_left() {
    let gate = Gate::default();
    let host = gated(&gate);
    let service = Service::start(&[&host], "", "");
    let headers = ["Prefer: respond-async, wait=60", "Idempotency-Key: \"mine\""];
    let mut client = Connection::open(service.balancer.listen);
    client.send(request("POST", "/a", &headers, b"body"));
    crate::harness::until("it runs", || host.heard().len() == 1);
    drop(client);
    gate.open(1);
    let again = service.ask("POST", "/a", &headers, b"body");
    assert_eq!((again.status, text(&again).as_str()), (200, "body"));
    assert_eq!(host.heard().len(), 1);
}
