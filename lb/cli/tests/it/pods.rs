//! Kubernetes is told which pods to end first: by a stand-in for its API server that checks each
//! request, and each pod by the schema of the API.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::emulators::program;
use crate::harness::backend::Backend;
use crate::harness::balancer::{Balancer, Place};
use crate::harness::client::get;
use crate::harness::process::Process;
use crate::harness::{eventually, until};

const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl";

/// The stand-in, with the folder of a service account.
struct Cluster {
    folder: tempfile::TempDir,
    server: Process,
    address: String,
}

impl Cluster {
    /// Has the pods of these lines: `NAME ADDRESS COMPONENT`.
    fn with(pods: &str) -> Cluster {
        let folder = tempfile::tempdir().expect("a folder");
        let names = vec!["127.0.0.1".to_owned()];
        let certified = rcgen::generate_simple_self_signed(names).expect("a key");
        let write = |name: &str, text: &str| {
            let file = folder.path().join(name);
            fs::write(&file, text).expect("it is writable");
            file
        };
        let chain = write("ca.crt", &certified.cert.pem());
        let key = write("key.pem", &certified.signing_key.serialize_pem());
        write("token", &format!("{TOKEN}\n"));
        write("namespace", "shop");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/pods/server.py");
        let mut command = program("python");
        command.arg(script).arg(chain).arg(key).arg(TOKEN);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("Python is installed");
        let mut input = child.stdin.take().expect("it is piped");
        input.write_all(pods.as_bytes()).expect("it reads");
        drop(input);
        let mut server = Process::new(child);
        let address = server.says("listening on ");
        Cluster { folder, server, address }
    }

    /// A balancer that has hosts at these addresses, and tells the cluster of them.
    fn serve(&self, hosts: &[SocketAddr]) -> (Place, Balancer) {
        let hosts = hosts.iter().map(|at| format!("{{ address = \"{at}\", discipline = \"ps\" }}"));
        let hosts: Vec<String> = hosts.collect();
        let place = Place::new(&format!(
            "[[routes]]\nname = \"all\"\npath = \"/\"\nprior = \"10m\"\n[fleet]\n\
             kind = \"static\"\n[fleet.static]\nhosts = [{}]\n[kubernetes]\n\
             pod_deletion_cost = true\napi = \"https://{}\"\nservice_account = \"{}\"\n\
             selector = \"app.kubernetes.io/component=worker\"\ninterval = \"1s\"\n",
            hosts.join(", "),
            self.address,
            self.folder.path().display()
        ));
        let balancer = place.serve();
        (place, balancer)
    }

    /// What was asked, in order.
    fn asked(&self) -> Vec<Value> {
        let said = self.server.all_said().into_iter();
        said.filter_map(|line| serde_json::from_str(&line).ok()).collect()
    }

    /// The costs that a pod was told, in order.
    fn told(&self, pod: &str) -> Vec<i64> {
        let path = format!("/api/v1/namespaces/shop/pods/{pod}");
        let patches = self.asked().into_iter().filter(|one| one["path"] == path);
        let cost = |patch: Value| {
            assert_eq!((&patch["method"], &patch["code"]), (&"PATCH".into(), &200.into()));
            let body = patch["body"].as_str().expect("a text");
            let body: Value = serde_json::from_str(body).expect("JSON");
            let costs = body["metadata"]["annotations"].as_object().expect("annotations");
            let cost = &costs["controller.kubernetes.io/pod-deletion-cost"];
            cost.as_str().and_then(|cost| cost.parse().ok()).expect("a number in a text")
        };
        patches.map(cost).collect()
    }
}

/// Hosts at 127.0.0.2 and 127.0.0.3, which answer once they may.
fn hosts(may: &Arc<AtomicBool>) -> Vec<Backend> {
    let host = |last: u8| {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, last], 0)));
        let may = Arc::clone(may);
        Backend::on(listener.expect("a port"), move |_| {
            while !may.load(Ordering::Acquire) {
                thread::park_timeout(Duration::from_millis(5));
            }
            (String::new(), "done".to_owned())
        })
    };
    [2, 3].map(host).into()
}

#[test]
fn the_pod_with_work_left_costs_more_until_it_is_done() {
    let may = Arc::new(AtomicBool::new(false));
    let hosts = hosts(&may);
    let cluster = Cluster::with(
        "one 127.0.0.2 worker\ntwo 127.0.0.3 worker\nother 127.0.0.4 worker\n\
         balancer 127.0.0.2 balancer\n",
    );
    let addresses: Vec<SocketAddr> = hosts.iter().map(|host| host.address).collect();
    let (_place, balancer) = cluster.serve(&addresses);
    balancer.has_active(2);
    until("both are told", || cluster.told("one") == [0] && cluster.told("two") == [0]);
    let listen = balancer.listen;
    let client = thread::spawn(move || get(listen, "/x").text());
    let busy = eventually("a pod costs more", || {
        ["one", "two"].into_iter().find(|pod| cluster.told(pod).len() == 2)
    });
    let idle = if busy == "one" { "two" } else { "one" };
    // Ten minutes of one core, less what it has had.
    assert!((500_000..=600_000).contains(&cluster.told(busy)[1]), "{:?}", cluster.told(busy));
    may.store(true, Ordering::Release);
    assert_eq!(client.join().expect("an answer"), "done");
    until("it costs nothing again", || cluster.told(busy).last() == Some(&0));
    assert_eq!(cluster.told(idle), [0], "nothing is told that is no news");
    assert_eq!(cluster.told("other").len() + cluster.told("balancer").len(), 0);
    let n_told = cluster.told(busy).len() + cluster.told(idle).len();
    // It is counted once the answer is there.
    until("each is counted", || {
        let counted = balancer.metric("weighbridge_pods_told_total", "");
        (counted - n_told as f64).abs() < f64::EPSILON
    });
    assert!(cluster.asked().iter().all(|one| one["code"] == 200), "{:?}", cluster.asked());
    let paged = |one: &Value| one["path"].as_str().is_some_and(|path| path.contains("continue="));
    assert!(cluster.asked().iter().any(paged), "lists have pages");
}

#[test]
fn who_may_not_say_so_goes_on_and_a_new_token_counts() {
    let may = Arc::new(AtomicBool::new(true));
    let hosts = hosts(&may);
    let cluster = Cluster::with("one 127.0.0.2 worker\n");
    let token = cluster.folder.path().join("token");
    fs::write(&token, "outdated").expect("it is writable");
    let (_place, balancer) = cluster.serve(&[hosts[0].address]);
    let failed = || balancer.metric("weighbridge_loop_failures_total", "loop=\"pods\"");
    until("it is refused", || 0.0 < failed());
    let refused = cluster.asked().iter().all(|one| one["code"] == 401);
    assert!(refused && cluster.told("one").is_empty());
    let said = |mark: &str| balancer.process.all_said().iter().any(|line| line.contains(mark));
    until("it says why", || said("401 Unauthorized"));
    fs::write(&token, TOKEN).expect("it is writable");
    until("the pod is told", || cluster.told("one") == [0]);
    assert_eq!(get(balancer.listen, "/x").text(), "done");
}

/// Somebody else's certificate is not believed, and gets no token.
#[test]
fn no_token_goes_to_whom_the_service_account_does_not_believe() {
    let may = Arc::new(AtomicBool::new(true));
    let hosts = hosts(&may);
    let cluster = Cluster::with("one 127.0.0.2 worker\n");
    let names = vec!["127.0.0.1".to_owned()];
    let other = rcgen::generate_simple_self_signed(names).expect("a key");
    fs::write(cluster.folder.path().join("ca.crt"), other.cert.pem()).expect("it is writable");
    let (_place, balancer) = cluster.serve(&[hosts[0].address]);
    let failed = || balancer.metric("weighbridge_loop_failures_total", "loop=\"pods\"");
    until("it fails twice", || 1.0 < failed());
    assert_eq!(cluster.asked().len(), 0);
}
