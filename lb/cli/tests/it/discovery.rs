//! Hosts that come and go: by DNS, by a file, by an operator's wish, and by their health.

use std::fs;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use crate::harness::backend::Backend;
use crate::harness::balancer::{Balancer, Host, Place, run};
use crate::harness::client::{Client, get};
use crate::harness::process::Process;
use crate::harness::requests::Request;
use crate::harness::steady::Clients;
use crate::harness::until;

/// A DNS server (knot) that knows `example.`, whose records change.
struct Dns {
    folder: tempfile::TempDir,
    process: Process,
    address: SocketAddr,
    serial: u32,
}

impl Dns {
    /// Knows `records`, a line each, without `example.`.
    fn start(records: &str) -> Dns {
        let folder = tempfile::tempdir().expect("a folder");
        // Its port is free for UDP and TCP a moment before.
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = tcp.local_addr().expect("bound");
        drop(tcp);
        let at = folder.path().display();
        let config = format!(
            "server:\n  rundir: {at}\n  listen: 127.0.0.1@{}\nlog:\n- target: stderr\n  any: info\n\
             database:\n  storage: {at}/db\nzone:\n- domain: example.\n  storage: {at}\n  \
             file: zone\n  zonefile-load: whole\n  journal-content: none\n",
            address.port()
        );
        fs::write(folder.path().join("knot.conf"), config).expect("it is writable");
        write_zone(folder.path(), 1, records);
        let mut command = Command::new("/usr/sbin/knotd");
        command.arg("-c").arg(folder.path().join("knot.conf"));
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::new(command.spawn().expect("knot is installed"));
        process.says("loaded, serial");
        Dns { folder, process, address, serial: 1 }
    }

    /// Knows these records from now on.
    fn change(&mut self, records: &str) {
        self.serial += 1;
        write_zone(self.folder.path(), self.serial, records);
        self.process.send(Signal::HUP);
        self.process.says(&format!("-> {}", self.serial));
    }
}

fn write_zone(folder: &Path, serial: u32, records: &str) {
    let zone = format!(
        "example. 1 SOA ns.example. admin.example. {serial} 1 1 60 1\nexample. 1 NS ns.example.\n\
         ns.example. 1 A 127.0.0.1\n{records}\n"
    );
    fs::write(folder.join("zone"), zone).expect("it is writable");
}

/// Hosts at `127.0.0.N` for each of the `last`, all at one port; each answers with its address.
fn hosts(last: &[u8]) -> (Vec<Backend>, u16) {
    let mut port = 0;
    let hosts = last.iter().map(|last| {
        let address = SocketAddr::from(([127, 0, 0, *last], port));
        let listener = TcpListener::bind(address).expect("the port is free there, too");
        let address = listener.local_addr().expect("bound");
        port = address.port();
        Backend::on(listener, move |_| (String::new(), address.to_string()))
    });
    (hosts.collect(), port)
}

fn config(fleet: &str, dns: Option<SocketAddr>) -> String {
    let servers = dns.map(|dns| format!("\"{dns}\"")).unwrap_or_default();
    format!(
        "[[routes]]\nname = \"all\"\npath = \"/\"\n[dns]\nservers = [{servers}]\nttl_min = \"50ms\"\n\
         hold = \"1h\"\n[fleet]\nkind = \"static\"\n[fleet.static]\n{fleet}\n\
         [timeouts]\nreport_interval = \"100ms\"\n"
    )
}

fn addresses(balancer: &Balancer) -> Vec<String> {
    let mut all: Vec<_> = balancer.hosts().iter().map(|host| host.address().to_owned()).collect();
    all.sort();
    all
}

#[track_caller]
fn has(balancer: &Balancer, hosts: &[SocketAddr]) {
    let mut expected: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    expected.sort();
    until(&format!("the hosts are {expected:?}"), || {
        addresses(balancer) == expected && balancer.active().len() == hosts.len()
    });
}

#[test]
fn names_are_followed_while_requests_go_on_and_none_is_lost() {
    let (hosts, port) = hosts(&[2, 3]);
    let [one, other] = [0, 1].map(|nth: usize| hosts[nth].address);
    let mut dns = Dns::start("w.example. 1 A 127.0.0.2");
    let fleet = format!("hosts = [{{ address = \"w.example:{port}\" }}]");
    let place = Place::new(&config(&fleet, Some(dns.address)));
    let balancer = place.serve();
    has(&balancer, &[one]);
    let clients = Clients::asking(balancer.listen);
    clients.go_on(20);
    dns.change("w.example. 1 A 127.0.0.2\nw.example. 1 A 127.0.0.3");
    has(&balancer, &[one, other]);
    until("both are asked", || hosts.iter().all(|host| !host.asked().is_empty()));
    dns.change("w.example. 1 A 127.0.0.3");
    has(&balancer, &[other]);
    clients.go_on(20);
    // A name that is gone may be a mistake: it is not believed at once.
    let failed = || balancer.metric("weighbridge_loop_failures_total", "loop=\"dns\"");
    dns.change("");
    let before = failed();
    until("it is asked again", || before + 1.0 < failed());
    assert_eq!(balancer.active().len(), 1);
    // Nor is a server that is silent.
    dns.process.kill();
    let before = failed();
    until("it is asked again", || before < failed());
    assert_eq!(addresses(&balancer), [other.to_string()]);
    clients.go_on(20);
    clients.assert_faultless();
}

#[test]
fn a_service_tells_names_ports_and_priorities() {
    let (hosts, port) = hosts(&[2, 3]);
    let v6 = TcpListener::bind("[::1]:0").expect("IPv6 has a loopback");
    let v6_port = v6.local_addr().expect("bound").port();
    let v6 = Backend::on(v6, |_| (String::new(), "v6".to_owned()));
    let mut dns = Dns::start(&format!(
        "_http._tcp.example. 1 SRV 10 0 {port} a.example.\n\
         _http._tcp.example. 1 SRV 10 0 {v6_port} six.example.\n\
         _http._tcp.example. 1 SRV 20 0 {port} b.example.\n\
         a.example. 1 A 127.0.0.2\nb.example. 1 A 127.0.0.3\nsix.example. 1 AAAA ::1"
    ));
    let fleet = "hosts = [{ address = \"srv:_http._tcp.example\" }]";
    let place = Place::new(&config(fleet, Some(dns.address)));
    let balancer = place.serve();
    has(&balancer, &[hosts[0].address, v6.address]);
    until("IPv6 is used", || get(balancer.listen, "/x").text() == "v6");
    dns.change(&format!(
        "_http._tcp.example. 1 SRV 20 0 {port} b.example.\nb.example. 1 A 127.0.0.3"
    ));
    has(&balancer, &[hosts[1].address]);
}

/// An answer that is longer than a datagram comes by TCP.
#[test]
fn long_answers_are_whole() {
    let record = |last: u8| format!("w.example. 1 A 127.0.1.{last}\n");
    let dns = Dns::start(&(1..=200).map(record).collect::<String>());
    let fleet = "hosts = [{ address = \"w.example:9\" }]";
    let place = Place::new(&config(fleet, Some(dns.address)));
    let balancer = place.serve();
    until("all are there", || balancer.hosts().len() == 200);
}

#[test]
fn a_file_of_hosts_is_read_when_it_changes() {
    let (hosts, _) = hosts(&[2, 3]);
    let [one, other] = [0, 1].map(|nth: usize| hosts[nth].address);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hosts.json");
    let write = |text: String| {
        // As careful writers do.
        let beside = folder.path().join("hosts.json.new");
        fs::write(&beside, text).and_then(|()| fs::rename(&beside, &file)).expect("writable");
    };
    write(format!("[{{\"targets\": [\"{one}\"], \"labels\": {{\"zone\": \"a\"}}}}]"));
    let place = Place::new(&config(&format!("file = \"{}\"", file.display()), None));
    let balancer = place.serve();
    has(&balancer, &[one]);
    let clients = Clients::asking(balancer.listen);
    write(format!("[{{\"targets\": [\"{one}\", \"{other}\"]}}]"));
    has(&balancer, &[one, other]);
    let failed = || balancer.metric("weighbridge_loop_failures_total", "loop=\"hosts_file\"");
    write("[{\"targets\": [\"nowhere\"]}]".to_owned());
    until("the mistake is told", || 0.0 < failed());
    assert_eq!(balancer.active().len(), 2);
    clients.go_on(20);
    clients.assert_faultless();
    write(format!("[{{\"targets\": [\"localhost:{}\"]}}]", one.port()));
    // Nobody is at that address: those who are wanted no longer have gone all the same.
    let nobody = SocketAddr::new(IpAddr::from([127, 0, 0, 1]), one.port()).to_string();
    until("names in the file are looked up", || addresses(&balancer).contains(&nobody));
}

fn fleet(balancer: &Balancer, arguments: &[&str]) -> std::process::Output {
    let admin = balancer.admin.to_string();
    run(["fleet"].iter().chain(arguments).copied().chain(["--admin", &admin]))
}

#[test]
fn an_operator_lets_hosts_join_drain_and_come_back() {
    let (hosts, _) = hosts(&[2, 3]);
    let [one, other] = [0, 1].map(|nth: usize| hosts[nth].address);
    let place = Place::new(&config(&format!("hosts = [{{ address = \"{one}\" }}]"), None));
    let balancer = place.serve();
    has(&balancer, &[one]);
    let clients = Clients::asking(balancer.listen);
    let (one_text, other_text) = (one.to_string(), other.to_string());
    let done = |arguments: &[&str]| {
        let output = fleet(&balancer, arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    done(&["join", &other_text, "--cores", "2"]);
    has(&balancer, &[one, other]);
    let joined = balancer.hosts().into_iter().find(|host| host.address() == other_text);
    assert_eq!(joined.expect("it has joined").0["cores"], 2);
    // The one that the configuration lists stays, without requests.
    done(&["drain", &one_text]);
    until("it drains", || balancer.active().len() == 1);
    clients.go_on(20);
    let asked = hosts[0].asked().len();
    clients.go_on(20);
    assert_eq!((hosts[0].asked().len(), addresses(&balancer).len()), (asked, 2));
    // A reload does not let it come back; the operator does.
    assert!(run(["reload", "--admin", &balancer.admin.to_string()]).status.success());
    assert_eq!(balancer.active().len(), 1);
    done(&["undrain", &one_text]);
    has(&balancer, &[one, other]);
    // The one that only an operator has named leaves for good.
    done(&["drain", &other_text]);
    has(&balancer, &[one]);
    clients.assert_faultless();

    for (arguments, why) in [
        (["drain", "127.0.0.9:9"], "no listed host is at `127.0.0.9:9`"),
        (["undrain", &other_text], "no listed host is at"),
    ] {
        let refused = fleet(&balancer, &arguments);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && told.contains(why), "{told}");
    }
    let mut client = Client::new(balancer.admin);
    let mut join = |body: &str| {
        let request = Request::post("/fleet/join", body).with("Content-Type: application/json");
        client.ask(&request).expect("it answers").status
    };
    assert_eq!(join("{\"address\": \"nowhere\"}"), 422);
    assert_eq!(join("{\"address\": \"127.0.0.9:9\", \"cores\": 0}"), 422);
    assert_eq!(join("{\"address\": \"127.0.0.9:9\", \"fleet\": \"none\"}"), 404);
    assert_eq!(addresses(&balancer).len(), 1);
}

/// A host whose health is at `/health`, as it is told.
fn ailing(listener: TcpListener) -> (Backend, Arc<AtomicBool>) {
    let is_well = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_well);
    let backend = Backend::on(listener, move |head| {
        let is_ill = head.starts_with("get /health") && !told.load(Ordering::Acquire);
        let name = if is_ill { "503 ill" } else { "200 ok" };
        (format!("X-Status: {name}\r\n"), name.to_owned())
    });
    (backend, is_well)
}

#[test]
fn a_health_check_says_who_gets_requests_for_as_long_as_hosts_live() {
    let listener = || TcpListener::bind("127.0.0.1:0").expect("a port");
    let ((one, is_well), other) = (ailing(listener()), Backend::start(&[], "other"));
    let hosts = format!(
        "hosts = [{{ address = \"{}\" }}, {{ address = \"{}\" }}]\n[fleet.static.health]\n\
         path = \"/health\"\ninterval = \"20ms\"\nhealthy = 2\nunhealthy = 2\nstatus = \"200\"\n",
        one.address, other.address
    );
    let place = Place::new(&config(&hosts, None));
    let balancer = place.serve();
    let asked = || one.asked().iter().filter(|head| head.starts_with("get /health")).count();
    until("the other one takes requests", || balancer.active().len() == 1);
    until("the first one is asked", || 5 < asked());
    assert_eq!(balancer.active().len(), 1, "it is not well");
    let host = || {
        let hosts = balancer.hosts().into_iter();
        let at = one.address.to_string();
        hosts.filter(|host| host.address() == at).collect::<Vec<Host>>().pop().expect("listed")
    };
    is_well.store(true, Ordering::Release);
    until("it takes requests", || host().is_active());
    is_well.store(false, Ordering::Release);
    until("it is out", || host().is_ejected());
    let clients = Clients::asking(balancer.listen);
    clients.go_on(20);
    let of_clients = || one.asked().iter().filter(|head| head.starts_with("get /x")).count();
    let before = of_clients();
    clients.go_on(20);
    assert_eq!(of_clients(), before, "what is not well gets nothing");
    is_well.store(true, Ordering::Release);
    until("it has requests again", || before < of_clients());
    clients.assert_faultless();
}
