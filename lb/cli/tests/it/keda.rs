//! KEDA asks how many hosts are wanted: by a client that is made from its own contract.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{ChildStdin, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::emulators::program;
use crate::harness::backend::Backend;
use crate::harness::balancer::{Balancer, Place, run};
use crate::harness::client::get;
use crate::harness::eventually;
use crate::harness::process::Process;

const METRIC: &str = "weighbridge-hosts-wanted";

/// A client as KEDA is one.
struct Keda {
    process: Process,
    input: ChildStdin,
}

impl Keda {
    /// Of the scaler at `address`.
    fn of(address: SocketAddr) -> Keda {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/keda");
        let mut command = program("python");
        command.arg(folder.join("client.py")).arg(folder.join("externalscaler.proto"));
        command.arg(address.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("Python is installed");
        let input = child.stdin.take().expect("it is piped");
        Keda { process: Process::new(child), input }
    }

    /// What it has been answered by now, for which `is_it`.
    fn heard(&self, is_it: impl Fn(&Value) -> bool) -> Vec<Value> {
        let said = self.process.all_said().into_iter();
        said.filter_map(|line| serde_json::from_str(&line).ok())
            .filter(|line| is_it(line))
            .collect()
    }

    fn send(&mut self, call: &Value) {
        writeln!(self.input, "{call}").expect("it reads");
    }

    /// What it is answered to `call`.
    fn ask(&mut self, call: &Value) -> Value {
        let of_call = |line: &Value| line["call"] == call[0];
        let before = self.heard(of_call).len();
        self.send(call);
        eventually(&format!("an answer to {call}"), || self.heard(of_call).into_iter().nth(before))
    }

    /// The metric of the fleet.
    fn wanted(&mut self, fleet: &str) -> Option<f64> {
        let answer = self.ask(&json!(["GetMetrics", fleet, METRIC]));
        let value = &answer["metricValues"][0];
        let wanted = value["metricValueFloat"].as_f64()?;
        // Numbers of 64 bits are texts in JSON.
        assert_eq!(value["metricValue"], wanted.to_string(), "{answer}");
        assert_eq!(value["metricName"], METRIC);
        Some(wanted)
    }
}

/// A host that answers once it may.
fn patient() -> (Backend, Arc<AtomicBool>) {
    let may = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&may);
    let backend = Backend::answering(move |_| {
        while !told.load(Ordering::Acquire) {
            thread::park_timeout(std::time::Duration::from_millis(5));
        }
        (String::new(), "done".to_owned())
    });
    (backend, may)
}

/// A balancer that KEDA asks, and where.
fn balancer(host: &str) -> (Place, Balancer, SocketAddr) {
    // It was free a moment ago.
    let keda = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    let config = format!(
        "[[routes]]\nname = \"all\"\npath = \"/\"\n[fleet]\nkind = \"static\"\n[fleet.static]\n\
         hosts = [{host}]\n[kubernetes]\nkeda = \"{keda}\"\n[scale]\n\
         rule = \"queue_depth\"\nstable_window = \"1s\"\n[timeouts]\ntick_interval = \"20ms\"\n"
    );
    let place = Place::new(&config);
    let balancer = place.serve();
    (place, balancer, keda)
}

#[test]
fn keda_is_told_how_many_hosts_are_wanted_and_whether_there_is_anything_to_do() {
    let (backend, may) = patient();
    let host = format!("{{ address = \"{}\", discipline = \"ps\" }}", backend.address);
    let (_place, balancer, keda) = balancer(&host);
    balancer.has_active(1);
    let mut keda = Keda::of(keda);
    let spec = keda.ask(&json!(["GetMetricSpec", "main"]));
    let expected = json!({ "metricName": METRIC, "targetSize": "1", "targetSizeFloat": 1.0 });
    assert_eq!(spec["metricSpecs"], json!([expected]));
    keda.send(&json!(["StreamMetricSpec", ""]));
    keda.send(&json!(["StreamIsActive", "main"]));
    let activity = |keda: &Keda| -> Vec<Value> {
        let heard = keda.heard(|line| line["stream"] == "StreamIsActive");
        heard.into_iter().map(|line| line["result"].clone()).collect()
    };
    eventually("it is idle", || (activity(&keda) == [false]).then_some(()));
    assert_eq!(keda.ask(&json!(["IsActive", ""]))["result"], false);
    assert_eq!(keda.wanted("main"), Some(1.0));

    let clients: Vec<_> = (0..5)
        .map(|_| {
            let listen = balancer.listen;
            thread::spawn(move || get(listen, "/x").text())
        })
        .collect();
    // One for each of them, by the rule.
    eventually("five are wanted", || (keda.wanted("main") == Some(5.0)).then_some(()));
    let wanted = balancer.metric("weighbridge_hosts_wanted", "fleet=\"main\"");
    assert!((wanted - 5.0).abs() < f64::EPSILON, "{wanted}");
    eventually("it is active", || (activity(&keda) == [false, true]).then_some(()));
    assert_eq!(keda.ask(&json!(["IsActive", "main"]))["result"], true);
    may.store(true, Ordering::Release);
    for client in clients {
        assert_eq!(client.join().expect("an answer"), "done");
    }
    eventually("it is idle again", || (activity(&keda) == [false, true, false]).then_some(()));
    eventually("one is wanted", || (keda.wanted("main") == Some(1.0)).then_some(()));
    let streamed = keda.heard(|line| line["stream"] == "StreamMetricSpec");
    assert_eq!(streamed.len(), 1, "it does not change");
    assert_eq!(streamed[0]["metricSpecs"], spec["metricSpecs"]);
}

#[test]
fn keda_is_told_nothing_of_fleets_and_metrics_that_there_are_not() {
    let (_place, balancer, keda) = balancer("{ address = \"127.0.0.9:9\" }");
    let mut keda = Keda::of(keda);
    for (call, error, why) in [
        (json!(["IsActive", "gpu"]), "INVALID_ARGUMENT", "there is no fleet `gpu`"),
        (json!(["GetMetricSpec", "gpu"]), "INVALID_ARGUMENT", "there is no fleet `gpu`"),
        (json!(["GetMetrics", "gpu", METRIC]), "INVALID_ARGUMENT", "there is no fleet `gpu`"),
        (json!(["GetMetrics", "", "other"]), "INVALID_ARGUMENT", "there is no metric `other`"),
    ] {
        let answer = keda.ask(&call);
        let details = answer["details"].as_str().unwrap_or_default();
        assert!(answer["error"] == error && details.contains(why), "{call}: {answer}");
    }
    // It speaks nothing but gRPC, and goes on.
    let admin = balancer.admin.to_string();
    assert!(run(["reload", "--admin", &admin]).status.success());
    assert_eq!(keda.ask(&json!(["IsActive", "main"]))["result"], false);
}

/// Who does not know yet which hosts there are must not be followed to fewer.
#[test]
fn keda_is_told_no_number_until_there_is_a_host_or_a_window_has_passed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hosts.json");
    std::fs::write(&file, "[]").expect("it is writable");
    let file = format!("file = \"{}\"\n[scale]\nstable_window = \"1h\"", file.display());
    let keda = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    let config = format!(
        "[[routes]]\nname = \"all\"\npath = \"/\"\n[fleet]\nkind = \"static\"\n[fleet.static]\n\
         {file}\n[kubernetes]\nkeda = \"{keda}\"\n"
    );
    let place = Place::new(&config);
    let _balancer = place.serve();
    let answer = Keda::of(keda).ask(&json!(["GetMetrics", "", METRIC]));
    assert_eq!(answer["error"], "UNAVAILABLE", "{answer}");
}
