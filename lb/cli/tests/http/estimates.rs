//! What a host is told of a request's size.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};

use crate::balancer::Balancer;
use crate::client::{Connection, request};
use crate::host::{self, Heard, Host, Then};
use crate::http2;

/// A route whose bodies are held, and one that streams.
const TARGETS: [&str; 2] = ["/held", "/stream"];

/// What each request costs.
const REPORT: &str = "endpoint-load-metrics: JSON {\"request_cost\":{\"cpu_seconds\":0.0225}}";

/// What a client would have the host believe.
const FORGED: [&str; 2] = ["Weighbridge-Estimate: 9", "WEIGHBRIDGE-ESTIMATE: 0.000001"];

fn measuring_host() -> Host {
    Host::start(|_, client| {
        host::answer(client, "200 OK", &[REPORT], b"ok");
        Then::Keep
    })
}

/// Without repeats, which would be estimated by themselves.
fn start(hosts: &[&Host]) -> Balancer {
    let addresses: Vec<_> = hosts.iter().map(|host| host.address).collect();
    Balancer::before(&addresses, "repeats.entries_max = 0\n")
}

/// Every value that the host was told with its last request.
fn told(host: &Host) -> Vec<String> {
    host.last().headers("weighbridge-estimate").into_iter().map(str::to_owned).collect()
}

#[test]
fn a_host_is_told_of_what_has_been_learned_and_of_nothing_else() {
    let host = measuring_host();
    let balancer = start(&[&host]);
    for target in TARGETS {
        let mut connection = Connection::open(balancer.address);
        let mut ask = || {
            connection.send(request("POST", target, &FORGED, b"body"));
            assert_eq!(connection.response("POST").status, 200);
            told(&host)
        };
        assert!(ask().is_empty(), "{target}: the prior says nothing");
        assert_eq!(ask(), ["0.022500000"], "{target}");
    }
}

#[test]
fn what_a_client_says_over_http_2_is_not_passed_on_either() {
    let host = measuring_host();
    let balancer = start(&[&host]);
    http2::run(async {
        let client = http2::connect(&balancer).await;
        for target in TARGETS {
            for expected in [&[][..], &["0.022500000"][..]] {
                let forged = Request::post(format!("http://weighbridge{target}"))
                    .header("weighbridge-estimate", "9")
                    .header("weighbridge-estimate", "0.000001");
                let forged = forged.body(Full::new(Bytes::from("body")).boxed());
                let answer = http2::send(client.clone(), forged.expect("a request")).await;
                assert_eq!(answer.status(), 200);
                assert_eq!(told(&host), expected, "{target}");
            }
        }
    });
}

#[test]
fn every_host_that_a_request_is_tried_at_is_told() {
    let breaks = Arc::new(AtomicBool::new(false));
    let breaking = || {
        let breaks = Arc::clone(&breaks);
        Host::start(move |_, client| {
            if breaks.swap(false, Ordering::AcqRel) {
                return Then::Close;
            }
            host::answer(client, "200 OK", &[REPORT], b"ok");
            Then::Keep
        })
    };
    let hosts = [breaking(), breaking()];
    let balancer = start(&[&hosts[0], &hosts[1]]);
    for target in TARGETS {
        let mut connection = Connection::open(balancer.address);
        assert_eq!(connection.ask("GET", target, b"").status, 200, "what it costs is learned");
        let heard = || hosts.iter().flat_map(Host::heard).filter(|heard| heard.is_for(target));
        let untold = |heard: &Heard| heard.headers("weighbridge-estimate").is_empty();
        breaks.store(true, Ordering::Release);
        assert_eq!(connection.ask("GET", target, b"").status, 200);
        assert_eq!(heard().count(), 3, "{target}: once, and twice");
        assert_eq!(heard().filter(untold).count(), 1, "{target}: the first");
    }
}
