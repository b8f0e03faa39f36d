use std::path::Path;

use super::*;
use crate::sim::workload::Workload;

/// A function, and no host that is ready.
const SPILLED: &str = "
requests = 10
[hosts]
count = 1
[[functions]]
route = \"all\"
[weighbridge.lambda]
cold_start = \"1s\"
";

/// What the balancer asks for when request `request` comes at `now`.
fn arrive(proxy: &mut Weighbridge, workload: &Workload, now: f64, request: usize) -> Vec<Action> {
    let mut out = Vec::new();
    proxy.arrive(Scene { now, workload, hosts: &[] }, request, &mut out);
    out
}

#[test]
fn cold_starts_and_speed_of_a_function_are_learned() {
    let scenario = Scenario::parse(SPILLED, Path::new("s.toml")).unwrap();
    let workload = Workload::draw(&scenario);
    let mut proxy = Weighbridge::new(&scenario, false, 1);
    for request in 0..5 {
        let begun = 10.0 * (request + 1) as f64;
        let asked = arrive(&mut proxy, &workload, begun, request);
        assert_eq!(asked, [Action::Invoke { request, function: 0 }]);
        assert_eq!(proxy.n_invoked(), 1);
        // Half as fast as believed; the first environment takes 0.4 s to start.
        let is_cold = request == 0;
        let cpu_secs = 2.0 * workload.requests[request].work;
        let response = cpu_secs + if is_cold { 0.4 } else { 0.0 };
        let scene = Scene { now: begun + response, workload: &workload, hosts: &[] };
        let mut out = Vec::new();
        proxy.ran(scene, &Ran { request, response, cpu_secs, is_cold }, &mut out);
        assert_eq!(out, []);
        assert_eq!(proxy.n_invoked(), 0);
    }
    let function = &proxy.balancer.lambda().unwrap().functions()[0];
    assert_eq!(function.cold_starts(), 1);
    assert!((function.cold_start().0 - 0.4).abs() < 1e-6, "{:?}", function.cold_start());
    let speed = function.speed().as_reference_cores();
    assert!((speed - 0.5).abs() < 0.1, "{speed}");
}

#[test]
fn what_a_function_does_not_answer_waits_for_a_host() {
    let scenario = Scenario::parse(SPILLED, Path::new("s.toml")).unwrap();
    let workload = Workload::draw(&scenario);
    for failure in [Failure::Refused, Failure::BeforeResponse, Failure::Timeout] {
        let mut proxy = Weighbridge::new(&scenario, false, 1);
        let scene = |now| Scene { now, workload: &workload, hosts: &[] };
        arrive(&mut proxy, &workload, 1.0, 0);
        let mut out = Vec::new();
        proxy.run_failed(scene(1.1), 0, failure, &mut out);
        assert_eq!((out.as_slice(), proxy.n_waiting(), proxy.n_invoked()), (&[][..], 1, 0));
        let kind = scenario.hosts.kind(0, weighbridge_core::host::Discipline::Srpt);
        proxy.join(1.2, &kind);
        proxy.ready(scene(1.3), 0, &mut out);
        assert!(matches!(out[..], [Action::Send { request: 0, host: 0, .. }]), "{out:?}");
    }
}
