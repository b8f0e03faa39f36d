//! A whole balancer on machines that are threads of the test.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::AtomicBool;
use std::thread;

use async_trait::async_trait;
use weighbridge_core::host::Phase;

use super::*;
use crate::config::Config;
use crate::server::{Server, Services};

/// Nothing here takes so long, unless something is wrong.
const DEADLINE: Duration = Duration::from_mins(1);

/// Rents out machines whose workers are idle.
#[derive(Default)]
struct Cloud {
    rented: Mutex<Vec<Rented>>,
    /// What was done, in order.
    done: Mutex<Vec<String>>,
}

struct Rented {
    machine: Machine,
    worker: Arc<Worker>,
}

#[derive(Default)]
struct Worker {
    /// It says that it takes nothing more.
    leaves: AtomicBool,
    /// It takes connections, and says nothing.
    hangs: AtomicBool,
}

impl Cloud {
    fn note(&self, what: String) {
        self.done.lock().push(what);
    }

    fn has_done(&self, what: &str) -> bool {
        self.done.lock().iter().any(|done| done == what)
    }
}

#[async_trait]
impl Machines for Cloud {
    async fn launch(&self, token: &str) -> Result<Option<Machine>, MachineError> {
        let mut rented = self.rented.lock();
        let id =
            format!("m-{}", self.done.lock().iter().filter(|d| d.starts_with("launch")).count());
        let worker = Arc::<Worker>::default();
        let address = Some(listen(worker.clone()));
        let machine =
            Machine { id: id.clone(), token: Some(token.to_owned()), address, draining: false };
        rented.push(Rented { machine: machine.clone(), worker });
        self.note(format!("launch {id}"));
        Ok(Some(machine))
    }

    async fn discover(&self) -> Result<Discovered, MachineError> {
        let machines = self.rented.lock().iter().map(|rented| rented.machine.clone()).collect();
        Ok(Discovered { machines, bounds: None })
    }

    async fn mark_draining(&self, id: &str) -> Result<(), MachineError> {
        self.note(format!("mark {id}"));
        Ok(())
    }

    async fn end(&self, id: &str, _: bool) -> Result<(), MachineError> {
        self.rented.lock().retain(|rented| rented.machine.id != id);
        self.note(format!("end {id}"));
        Ok(())
    }
}

/// A worker that is ready, and has nothing to do.
fn listen(worker: Arc<Worker>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let worker = worker.clone();
            thread::spawn(move || answer(stream, &worker));
        }
    });
    address
}

fn answer(mut stream: TcpStream, worker: &Worker) {
    let mut head = [0; 4096];
    while let Ok(1..) = stream.read(&mut head) {
        if worker.hangs.load(Ordering::Acquire) {
            continue;
        }
        let report = "{\"cpu_utilization\": 0.1}";
        let leaves = worker.leaves.load(Ordering::Acquire) && head.starts_with(b"GET /load");
        let header = if leaves { "Weighbridge-Draining: 1\r\n" } else { "" };
        let length = report.len();
        let answer = format!("HTTP/1.1 200 OK\r\n{header}Content-Length: {length}\r\n\r\n{report}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < DEADLINE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A balancer of one machine of `cloud`.
async fn start(cloud: &Arc<Cloud>) -> Server {
    let text = "listen = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\nstore.kind = \"off\"\n\
                access_log.to = \"off\"\nfleet.kind = \"ec2\"\nfleet.machines.poll = \"50ms\"\n\
                fleet.ec2 = { image = \"ami-1\", instance_type = \"c6i.large\" }\n\
                scale.hosts_max = 1\nscale.boot_time = \"1s\"\n[timeouts]\n\
                report_interval = \"20ms\"\ntick_interval = \"20ms\"\n\
                [[routes]]\nname = \"all\"\npath = \"/\"\n";
    let services = Services { machines: Some(cloud.clone()), ..Services::default() };
    Server::start(Config::parse(text, &[]).unwrap(), services).await.unwrap()
}

/// The names of the hosts that take requests, as far as is known.
fn active(server: &Server) -> Vec<String> {
    server.front().dispatch.fleets.main().look(|balancer, _| {
        let active = balancer.hosts().filter(|host| host.phase == Phase::Active);
        active.map(|host| host.spec.name.clone()).collect()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_says_it_takes_nothing_more_is_replaced_and_ended() {
    let cloud = Arc::new(Cloud::default());
    let server = start(&cloud).await;
    until("the first one is active", || active(&server) == ["m-0"]).await;

    cloud.rented.lock()[0].worker.leaves.store(true, Ordering::Release);
    until("another one is active", || active(&server) == ["m-1"]).await;
    until("the first one is ended", || cloud.has_done("end m-0")).await;
    assert!(cloud.has_done("mark m-0"), "other balancers see that it drains");
    let lost = server.front().ledger.metrics.value("weighbridge_hosts_lost_total");
    assert_eq!(lost, Some(0.0), "it was expected");
    assert_eq!(server.stop().await, 0);
    assert!(!cloud.has_done("launch m-2") && !cloud.has_done("end m-1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_whose_worker_hangs_is_out_and_then_replaced_and_ended() {
    let cloud = Arc::new(Cloud::default());
    let server = start(&cloud).await;
    until("the first one is active", || active(&server) == ["m-0"]).await;

    cloud.rented.lock()[0].worker.hangs.store(true, Ordering::Release);
    until("nothing takes requests", || !server.front().takes_requests()).await;
    until("another one is active", || active(&server) == ["m-1"]).await;
    assert!(server.front().takes_requests());
    until("the first one is ended", || cloud.has_done("end m-0")).await;
    assert_eq!(server.stop().await, 0);
}
