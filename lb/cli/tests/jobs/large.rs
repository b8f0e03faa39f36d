//! Bodies and answers that are longer than what is held in memory.

use crate::client::{Connection, chunked, head, pattern};
use crate::host::{Host, Then, raw};
use crate::service::{Service, text};

/// More than any limit on what is held.
const LONG: usize = 9 << 20;

const ROUTE: &str = "body_bytes = \"1MiB\"\n";

/// A host that sends the body back, in chunks.
fn mirror() -> Host {
    Host::start(|heard, client| {
        raw(client, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        raw(client, chunked(&heard.body, 60_000));
        Then::Keep
    })
}

#[test]
fn a_body_longer_than_memory_goes_to_a_host_and_back_through_objects() {
    let host = mirror();
    let service = Service::start(&[&host], ROUTE, "");
    let body = pattern(LONG);
    // By its length, and without one.
    let announced = service.accept("/a", &[], &body);
    let mut connection = Connection::open(service.balancer.listen);
    connection.send(head("POST", "/b", &["Prefer: respond-async", "Transfer-Encoding: chunked"]));
    connection.send(chunked(&body, 50_000));
    let accepted = connection.response("POST");
    assert_eq!(accepted.status, 202, "{}", text(&accepted));
    for location in [&announced, accepted.header("location").expect("a place")] {
        let result = service.result(location);
        assert_eq!((result.status, result.body.len()), (200, LONG));
        assert!(result.body == body, "other bytes");
        let head = service.ask("HEAD", &format!("{location}/result"), &[], b"");
        assert_eq!(head.header("content-length"), Some(LONG.to_string().as_str()));
        let told = service.operators(location);
        assert_eq!(
            (told["request_bytes"].as_u64(), told["result_bytes"].as_u64()),
            (Some(LONG as u64), Some(LONG as u64))
        );
    }
    // A request that is not a job is bound as ever.
    assert_eq!(service.ask("POST", "/a", &[], &body).status, 413);
    assert_eq!(objects(&service), 4);
}

#[test]
fn objects_go_with_their_jobs() {
    let host = mirror();
    let service = Service::start(&[&host], ROUTE, "retention = \"1s\"\n");
    let location = service.accept("/a", &[], &pattern(LONG));
    assert_eq!(service.result(&location).body.len(), LONG);
    crate::harness::until("the job is forgotten", || {
        service.ask("GET", &location, &[], b"").status == 410
    });
    assert_eq!(objects(&service), 0);
    // What is refused leaves nothing either.
    let service = Service::start(&[&host], ROUTE, "");
    let key = "Idempotency-Key: \"one\"";
    service.accept("/a", &[key], b"small");
    let other = service.ask("POST", "/a", &["Prefer: respond-async", key], &pattern(LONG));
    assert_eq!(other.status, 422);
    assert_eq!(objects(&service), 0);
}

/// How many objects there are, finished or not.
fn objects(service: &Service) -> usize {
    let folder = service.place.data().join("jobs/objects");
    let folders = std::fs::read_dir(folder).expect("it is there").map_while(Result::ok);
    folders.map(|one| std::fs::read_dir(one.path()).expect("a folder").count()).sum()
}
