//! Traces, as a collector has them: what it was sent is read by the types that are made of
//! OpenTelemetry's own files.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message as _;
use rustix::process::Signal;

use crate::harness::balancer::{Balancer, Place, ROUTES};
use crate::harness::requests::Request;
use crate::harness::{eventually, until};
use crate::host::{self, Heard, Host, Then};

pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// What each request costs.
const REPORT: &str = "endpoint-load-metrics: JSON {\"request_cost\":{\"cpu_seconds\":0.25}}";

/// A route whose bodies are held, and one that streams.
const TARGETS: [&str; 2] = ["/blurimage", "/streamed"];

/// Takes whatever it is sent.
pub(crate) fn collector() -> Host {
    Host::start(|_, client| {
        host::answer(client, "200 OK", &[], b"");
        Then::Keep
    })
}

pub(crate) fn working() -> Host {
    Host::start(|_, client| {
        host::answer(client, "200 OK", &[REPORT], b"right");
        Then::Keep
    })
}

/// In front of `hosts`, with traces for the collector at `endpoint`; `more` are keys of theirs.
pub(crate) fn start(hosts: &[&Host], endpoint: SocketAddr, more: &str) -> (Place, Balancer) {
    start_slow(hosts, endpoint, &format!("interval = \"20ms\"\n{more}"))
}

/// The same, without saying how long spans wait.
fn start_slow(hosts: &[&Host], endpoint: SocketAddr, more: &str) -> (Place, Balancer) {
    let addresses = hosts.iter().map(|host| format!("{{ address = \"{}\" }}", host.address));
    let addresses = addresses.collect::<Vec<_>>().join(", ");
    let place = Place::new(&format!(
        "hosts.eject_failures = 1000\ntimeouts.report_interval = \"50ms\"\n\
         [fleet]\nkind = \"static\"\nstatic.hosts = [{addresses}]\n{ROUTES}\
         [traces]\nendpoint = \"http://{endpoint}\"\n{more}\n"
    ));
    let balancer = place.serve();
    balancer.has_active(hosts.len());
    (place, balancer)
}

/// Every span that the collector has been sent.
fn spans(collector: &Host) -> Vec<Span> {
    collector.heard().iter().flat_map(of_message).collect()
}

fn of_message(heard: &Heard) -> Vec<Span> {
    assert_eq!(heard.line, "POST /v1/traces HTTP/1.1");
    assert_eq!(heard.headers("content-type"), ["application/x-protobuf"]);
    let sent = ExportTraceServiceRequest::decode(heard.body.as_slice()).expect("it is OTLP");
    assert_eq!(sent.resource_spans.len(), 1);
    let resource = sent.resource_spans.into_iter().next().expect("one");
    let named = resource.resource.expect("it says whose they are").attributes;
    assert!(named.iter().any(|pair| pair.key == "service.name"), "{named:?}");
    resource.scope_spans.into_iter().flat_map(|scope| scope.spans).collect()
}

/// Waits for `n` spans of the trace `id`; in the order in which they began.
#[track_caller]
fn of_trace(collector: &Host, id: &str, n: usize) -> Vec<Span> {
    let mut found = eventually(&format!("{n} spans of {id}"), || {
        let found = spans(collector).into_iter().filter(|span| hex(&span.trace_id) == id);
        Some(found.collect::<Vec<_>>()).filter(|found| n <= found.len())
    });
    assert_eq!(found.len(), n, "{found:#?}");
    found.sort_by_key(|span| span.start_time_unix_nano);
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// The attribute `key` of a span, as text.
fn attribute(span: &Span, key: &str) -> Option<String> {
    let pair = span.attributes.iter().find(|pair| pair.key == key)?;
    match pair.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        Value::DoubleValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

#[track_caller]
fn assert_attributes(span: &Span, expected: &[(&str, Option<&str>)]) {
    for (key, value) in expected {
        assert_eq!(attribute(span, key).as_deref(), *value, "{key} of {span:#?}");
    }
}

fn is_failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
}

/// A request whose trace somebody else has begun.
pub(crate) fn traced(target: &str, trace: &str, flags: &str) -> Request {
    let parent = format!("traceparent: 00-{trace}-{SPAN}-{flags}");
    Request::post(&format!("{target}?size=3&key=secret"), "hello").with(&parent)
}

#[test]
fn a_request_has_a_span_and_its_try_another_that_the_host_is_told() {
    let (host, collector) = (working(), collector());
    let (place, balancer) = start(&[&host], collector.address, "");
    for (nth, target) in TARGETS.into_iter().enumerate() {
        let trace = format!("{TRACE}{nth}")[1..].to_owned();
        let request =
            traced(target, &trace, "01").with("tracestate: theirs=1").with("User-Agent: me");
        assert_eq!(balancer.ask(&request).status, 200);
        let found = of_trace(&collector, &trace, 2);
        let [server, client] = &found[..] else { unreachable!() };
        assert_eq!((server.kind(), client.kind()), (SpanKind::Server, SpanKind::Client));
        assert_eq!(hex(&server.parent_span_id), SPAN);
        assert_eq!(client.parent_span_id, server.span_id);
        assert_eq!(
            (server.name.as_str(), client.name.as_str()),
            (&*format!("POST {target}"), "POST")
        );
        assert!(found.iter().all(|span| span.trace_state == "theirs=1" && !is_failed(span)));
        assert!(server.start_time_unix_nano <= client.start_time_unix_nano);
        assert!(client.end_time_unix_nano <= server.end_time_unix_nano);
        assert!(client.start_time_unix_nano < client.end_time_unix_nano);
        let told = host.last();
        let span = hex(&client.span_id);
        assert_eq!(told.headers("traceparent"), [format!("00-{trace}-{span}-01")]);
        assert_eq!(told.headers("tracestate"), ["theirs=1"]);
        let address = host.address.to_string();
        assert_attributes(
            server,
            &[
                ("http.request.method", Some("POST")),
                ("http.route", Some(target)),
                ("http.response.status_code", Some("200")),
                ("url.scheme", Some("http")),
                ("url.path", Some(target)),
                ("url.query", Some("size=*&key=*")),
                ("server.address", Some("localhost")),
                ("client.address", Some("127.0.0.1")),
                ("network.protocol.version", Some("1.1")),
                ("user_agent.original", Some("me")),
                ("weighbridge.host", Some(&address)),
                ("weighbridge.tries", Some("1")),
                ("error.type", None),
            ],
        );
        for number in ["estimate", "estimate.p90", "wait", "work"] {
            let number = &format!("weighbridge.{number}");
            assert!(attribute(server, number).is_some(), "{number} of {server:#?}");
        }
        let url = format!("http://{address}{target}?size=*&key=*");
        assert_attributes(
            client,
            &[
                ("http.request.method", Some("POST")),
                ("http.response.status_code", Some("200")),
                ("http.request.resend_count", None),
                ("server.address", Some("127.0.0.1")),
                ("server.port", Some(&host.address.port().to_string())),
                ("url.full", Some(&url)),
                ("weighbridge.try", Some("1")),
            ],
        );
        until("the log has it, too", || place.log().iter().any(|line| line["trace_id"] == *trace));
    }
    until("they are counted", || {
        3.5 < balancer.metric("weighbridge_traces_spans_total", "outcome=\"sent\"")
    });
}

#[test]
fn a_retry_is_a_span_of_its_own() {
    let breaks = Arc::new(AtomicBool::new(false));
    let breaking = || {
        let breaks = Arc::clone(&breaks);
        Host::start(move |_, client| {
            if breaks.swap(false, Ordering::AcqRel) {
                return Then::Close;
            }
            host::answer(client, "200 OK", &[REPORT], b"right");
            Then::Keep
        })
    };
    let (hosts, collector) = ([breaking(), breaking()], collector());
    let (_place, balancer) = start(&[&hosts[0], &hosts[1]], collector.address, "");
    for (nth, target) in TARGETS.into_iter().enumerate() {
        let trace = format!("{TRACE}{nth}")[1..].to_owned();
        breaks.store(true, Ordering::Release);
        assert_eq!(balancer.ask(&traced(target, &trace, "01")).status, 200);
        let found = of_trace(&collector, &trace, 3);
        let [server, first, second] = &found[..] else { unreachable!() };
        assert_attributes(server, &[("weighbridge.tries", Some("2"))]);
        assert!(!is_failed(server) && is_failed(first) && !is_failed(second), "{found:#?}");
        assert_attributes(
            first,
            &[
                ("error.type", Some("before_response")),
                ("http.response.status_code", None),
                ("http.request.resend_count", None),
                ("weighbridge.try", Some("1")),
            ],
        );
        assert_attributes(
            second,
            &[
                ("error.type", None),
                ("http.response.status_code", Some("200")),
                ("http.request.resend_count", Some("1")),
                ("weighbridge.try", Some("2")),
            ],
        );
        assert_ne!(attribute(first, "server.port"), attribute(second, "server.port"));
        let told: Vec<String> = hosts
            .iter()
            .flat_map(Host::heard)
            .map(|heard| heard.headers("traceparent").join(","))
            .filter(|told| told.contains(&trace))
            .collect();
        for tried in [first, second] {
            let expected = format!("00-{trace}-{}-01", hex(&tried.span_id));
            assert!(told.contains(&expected), "{expected} in {told:?}");
        }
    }
}

#[test]
fn what_is_not_recorded_is_sent_to_nobody() {
    let (host, collector) = (working(), collector());
    let (_place, balancer) = start(&[&host], collector.address, "sample_ratio = 0\n");
    for target in TARGETS {
        // Whoever asked does not record it.
        let request = traced(target, TRACE, "00").with("tracestate: theirs=1");
        assert_eq!(balancer.ask(&request).status, 200);
        assert_eq!(host.last().headers("traceparent"), [format!("00-{TRACE}-{SPAN}-00")]);
        assert_eq!(host.last().headers("tracestate"), ["theirs=1"]);
        // Nobody has asked for it. Hosts are told so, and do not ask themselves.
        assert_eq!(balancer.ask(&Request::post(target, "hello")).status, 200);
        let told = host.last().headers("traceparent").join(",");
        assert!(told.starts_with("00-") && told.ends_with("-00"), "{told}");
        // One that is recorded marks the end: spans are sent in order.
        let end = format!("{:032x}", 7 + target.len());
        assert_eq!(balancer.ask(&traced(target, &end, "01")).status, 200);
        of_trace(&collector, &end, 2);
    }
    assert_eq!(spans(&collector).len(), 4);
}

#[test]
fn what_breaks_the_rules_begins_a_trace_anew() {
    let (host, collector) = (working(), collector());
    let (_place, balancer) = start(&[&host], collector.address, "");
    for bad in ["00-rubbish", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"] {
        let request = Request::post("/blurimage", "hello").with(&format!("traceparent: {bad}"));
        assert_eq!(balancer.ask(&request.with("tracestate: theirs=1")).status, 200);
        let told = host.last().headers("traceparent").join(",");
        assert_eq!(host.last().headers("tracestate"), [""; 0]);
        let id = told.split('-').nth(1).expect("a trace").to_owned();
        assert_ne!(id, TRACE);
        let found = of_trace(&collector, &id, 2);
        assert!(found[0].parent_span_id.is_empty(), "{found:#?}");
    }
    // Nobody serves it, and that is told, too.
    assert_eq!(balancer.ask(&traced("/nowhere", TRACE, "01")).status, 404);
    let found = of_trace(&collector, TRACE, 1);
    assert_attributes(
        &found[0],
        &[("http.response.status_code", Some("404")), ("http.route", None)],
    );
    assert_eq!((found[0].name.as_str(), is_failed(&found[0])), ("POST", false));
}

#[test]
fn a_collector_that_is_away_costs_nobody_anything() {
    let (host, nobody) = (working(), TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let address = nobody.local_addr().expect("it is bound");
    drop(nobody);
    let (_place, balancer) = start(&[&host], address, "queue_max = 2\n");
    let of = |outcome: &str| balancer.metric("weighbridge_traces_spans_total", outcome);
    until("what has no room is dropped", || {
        assert_eq!(balancer.ask(&Request::post("/blurimage", "hello")).text(), "right");
        3.5 < of("outcome=\"dropped\"")
    });
    assert!(of("outcome=\"sent\"") < 0.5);
    assert!(0.5 < balancer.metric("weighbridge_loop_failures_total", "loop=\"traces\""));
}

#[test]
fn a_collector_without_room_is_asked_again() {
    let is_busy = Arc::new(AtomicBool::new(true));
    let busy = Arc::clone(&is_busy);
    let collector = Host::start(move |_, client| {
        let is_busy = busy.swap(false, Ordering::AcqRel);
        let status = if is_busy { "503 Service Unavailable" } else { "200 OK" };
        host::answer(client, status, &["Retry-After: 0"], b"");
        Then::Keep
    });
    let host = working();
    let (_place, balancer) = start(&[&host], collector.address, "headers = [\"X-Key: k\"]\n");
    assert_eq!(balancer.ask(&traced("/blurimage", TRACE, "01")).status, 200);
    until("it is sent again", || collector.heard().len() == 2);
    let heard = collector.heard();
    assert_eq!(heard[0].body, heard[1].body);
    assert_eq!(heard[1].headers("x-key"), ["k"]);
    until("it is counted once", || {
        (balancer.metric("weighbridge_traces_spans_total", "outcome=\"sent\"") - 2.0).abs() < 0.5
    });
}

#[test]
fn what_waits_at_the_end_is_sent() {
    let (host, collector) = (working(), collector());
    // It goes for the end, long before its time.
    let (_place, mut balancer) = start_slow(&[&host], collector.address, "interval = \"1m\"");
    let request = traced("/blurimage", TRACE, "01");
    assert_eq!(balancer.ask(&request).status, 200);
    balancer.process.send(Signal::TERM);
    assert!(balancer.process.ends().success());
    of_trace(&collector, TRACE, 2);
}
