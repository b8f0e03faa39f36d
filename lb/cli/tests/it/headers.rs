//! What passes through the balancer, and what does not.

use crate::harness::backend::Backend;
use crate::harness::balancer::{Balancer, Place, ROUTES};
use crate::harness::client::Answer;
use crate::harness::requests::Request;
use crate::harness::until;

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const REPORT: &str = "endpoint-load-metrics: TEXT cpu_utilization=0.5";
const REPORT_BIN: &str =
    "endpoint-load-metrics-bin: CQAAAAAAAOA/MQAAAAAAAFlAOQAAAAAAAABAQg4KA3JpZhEAAAAAAAAQQA";

fn start(backend: &Backend) -> (Place, Balancer) {
    let address = backend.address;
    let place = Place::new(&format!(
        "[fleet]\nkind = \"static\"\n[[fleet.static.hosts]]\naddress = \"{address}\"\n\
         [timeouts]\nreport_interval = \"100ms\"\n{ROUTES}"
    ));
    let balancer = place.serve();
    // A host that knows neither `/readyz` nor `/load` is as good as any.
    balancer.has_active(1);
    (place, balancer)
}

fn ask(balancer: &Balancer, target: &str) -> Answer {
    let traceparent = format!("traceparent: {TRACE}");
    let request = Request::post(target, "hello");
    balancer.ask(&request.with("Weighbridge-Estimate: 0.001").with(&traceparent).with("X-Own: 1"))
}

/// A route whose bodies are held, and one that streams.
const TARGETS: [&str; 2] = ["/blurimage", "/streamed"];

#[test]
fn a_load_report_never_reaches_the_client() {
    let backend = Backend::start(&[REPORT, REPORT_BIN, "x-own: 2"], "right");
    let (_place, balancer) = start(&backend);
    for target in TARGETS {
        let answer = ask(&balancer, target);
        assert_eq!((answer.status, answer.text().as_str()), (200, "right"));
        assert_eq!(answer.header("endpoint-load-metrics"), None, "{target}");
        assert_eq!(answer.header("endpoint-load-metrics-bin"), None, "{target}");
        assert_eq!(answer.header("x-own"), Some("2"), "{target}");
        assert!(answer.headers("server-timing").contains("estimate;dur="), "{target}");
    }
    assert!(balancer.metric("weighbridge_load_reports_rejected_total", "") < 1.0);
}

#[test]
fn a_broken_load_report_is_rejected_and_the_answer_is_not() {
    let backend = Backend::start(&["endpoint-load-metrics: TEXT cpu_utilization=NaN"], "right");
    let (_place, balancer) = start(&backend);
    for target in TARGETS {
        let answer = ask(&balancer, target);
        assert_eq!((answer.status, answer.text().as_str()), (200, "right"));
        assert_eq!(answer.header("endpoint-load-metrics"), None, "{target}");
    }
    until("both were rejected", || {
        2.0 <= balancer.metric("weighbridge_load_reports_rejected_total", "")
    });
}

#[test]
fn a_clients_estimate_stays_here_and_its_trace_goes_on() {
    let backend = Backend::start(&[], "right");
    let (_place, balancer) = start(&backend);
    for (nth, target) in TARGETS.into_iter().enumerate() {
        assert_eq!(ask(&balancer, target).status, 200);
        let asked = backend.asked();
        let head = asked.get(nth).expect("it was asked");
        assert!(head.starts_with(&format!("post {target} http/1.1\r\n")), "{head}");
        // Nothing is known of this route, so that the balancer has nothing to say either.
        assert!(!head.contains("weighbridge-estimate"), "{head}");
        assert!(head.contains(&format!("traceparent: {TRACE}\r\n")), "{head}");
        assert!(head.contains("x-own: 1\r\n"), "{head}");
        assert!(head.contains("x-forwarded-for: 127.0.0.1\r\n"), "{head}");
    }
}
