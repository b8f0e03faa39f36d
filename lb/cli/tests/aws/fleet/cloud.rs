//! A cloud whose instances answer: moto keeps the records, and a thread starts a worker for each
//! instance that runs, writes its address into the instance's tag, and ends it with the instance.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use rustix::process::Signal;

use crate::emulators::Emulator;
use crate::harness::balancer::worker;
use crate::harness::client::Client;
use crate::harness::process::{Process, is_gone};
use crate::harness::requests::Request;

/// Between two looks at the instances.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A worker that was told to end may take so long to finish what it has.
const END_MAX: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Cloud {
    pub(crate) moto: Emulator,
    shared: Arc<Shared>,
    follower: Option<JoinHandle<()>>,
}

/// An instance as moto has it.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) id: String,
    pub(crate) state: String,
    pub(crate) tags: BTreeMap<String, String>,
}

struct Shared {
    moto: SocketAddr,
    /// New instances do not come up.
    dead: AtomicBool,
    stopped: AtomicBool,
    workers: Mutex<BTreeMap<String, Process>>,
    /// The most instances that were on at once.
    most: Mutex<usize>,
}

// === impl Cloud ===

impl Cloud {
    pub(crate) fn start() -> Cloud {
        let moto = Emulator::moto();
        let shared = Arc::new(Shared {
            moto: moto.address(),
            dead: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            workers: Mutex::default(),
            most: Mutex::default(),
        });
        let follower = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.follow()
        });
        Cloud { moto, shared, follower: Some(follower) }
    }

    /// Whether instances that are launched from now on come up.
    pub(crate) fn boots(&self, boots: bool) {
        self.shared.dead.store(!boots, Ordering::Release);
    }

    /// Every instance, also those that are terminated.
    #[track_caller]
    pub(crate) fn instances(&self) -> Vec<Instance> {
        instances(self.shared.moto)
    }

    /// The instances that are on, in order.
    #[track_caller]
    pub(crate) fn running(&self) -> Vec<String> {
        self.in_state("running")
    }

    /// The instances in `state`, in order.
    #[track_caller]
    pub(crate) fn in_state(&self, state: &str) -> Vec<String> {
        let all = self.instances();
        let mut ids: Vec<String> =
            all.into_iter().filter(|i| i.state == state).map(|i| i.id).collect();
        ids.sort();
        ids
    }

    /// The most instances that were on at once.
    pub(crate) fn most(&self) -> usize {
        *self.shared.most.lock()
    }

    /// Takes the instance `id` away, as somebody with a console does: its worker dies at once.
    #[track_caller]
    pub(crate) fn terminate(&self, id: &str) {
        if let Some(mut worker) = self.shared.workers().remove(id) {
            worker.kill();
        }
        self.ask("ec2", &format!("Action=TerminateInstances&InstanceId.1={id}"));
    }

    /// Tells the worker of the instance `id` to end, as its machine does that is taken back.
    #[track_caller]
    pub(crate) fn take_back(&self, id: &str) {
        self.shared.workers().get(id).expect("it runs").send(Signal::TERM);
    }

    /// Sends a call of the query protocol; what came of it.
    #[track_caller]
    pub(crate) fn ask(&self, service: &str, call: &str) -> String {
        ask(self.shared.moto, service, call)
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        if let Some(follower) = self.follower.take() {
            // What it panicked with has been printed.
            let _ = follower.join();
        }
    }
}

// === impl Shared ===

impl Shared {
    fn follow(&self) {
        while !self.stopped.load(Ordering::Acquire) {
            let instances = instances(self.moto);
            let on = instances.iter().filter(|i| i.state == "running").count();
            let mut most = self.most.lock();
            *most = on.max(*most);
            drop(most);
            for instance in &instances {
                match instance.state.as_str() {
                    "pending" | "running" => self.boot(&instance.id),
                    _ => self.end(&instance.id),
                }
            }
            thread::park_timeout(LOOK_INTERVAL);
        }
    }

    fn boot(&self, id: &str) {
        if self.dead.load(Ordering::Acquire) || self.workers().contains_key(id) {
            return;
        }
        let (process, address) = worker(SocketAddr::from(([127, 0, 0, 1], 0)));
        self.workers().insert(id.to_owned(), process);
        let tag = format!("Tag.1.Key=weighbridge%3Aaddress&Tag.1.Value={address}");
        let tag = tag.replace(&address.to_string(), &address.to_string().replace(':', "%3A"));
        ask(self.moto, "ec2", &format!("Action=CreateTags&ResourceId.1={id}&{tag}"));
    }

    /// As the system does when it shuts down: asks first.
    fn end(&self, id: &str) {
        let Some(process) = self.workers().remove(id) else { return };
        process.send(Signal::TERM);
        thread::spawn(move || {
            let told = Instant::now();
            while !is_gone(process.pid()) && told.elapsed() < END_MAX {
                thread::park_timeout(LOOK_INTERVAL);
            }
        });
    }

    fn workers(&self) -> MutexGuard<'_, BTreeMap<String, Process>> {
        self.workers.lock()
    }
}

#[track_caller]
fn instances(moto: SocketAddr) -> Vec<Instance> {
    let answer = ask(moto, "ec2", "Action=DescribeInstances");
    // The first element of each.
    answer.split("<architecture>").skip(1).map(instance).collect()
}

fn instance(xml: &str) -> Instance {
    let tags = between(xml, "<tagSet>", "</tagSet>").split("<item>").skip(1);
    Instance {
        id: inner(xml, "instanceId").to_owned(),
        state: inner(between(xml, "<instanceState>", "</instanceState>"), "name").to_owned(),
        tags: tags
            .map(|tag| (inner(tag, "key").to_owned(), inner(tag, "value").to_owned()))
            .collect(),
    }
}

/// What is in the first element `name` of `xml`.
fn inner<'x>(xml: &'x str, name: &str) -> &'x str {
    between(xml, &format!("<{name}>"), "<")
}

/// What is between the first `before` and the next `after`.
fn between<'x>(text: &'x str, before: &str, after: &str) -> &'x str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(after).map_or(rest, |(inside, _)| inside)
}

/// Asks the emulator at `address` for `call`, a form without its version; its answer.
#[track_caller]
pub(crate) fn ask(address: SocketAddr, service: &str, call: &str) -> String {
    let version = if service == "ec2" { "2016-11-15" } else { "2011-01-01" };
    let version = if service == "monitoring" { "2010-08-01" } else { version };
    let scope = format!("test/20260101/us-east-1/{service}/aws4_request");
    let request = Request::post("/", format!("{call}&Version={version}"))
        .with("Content-Type: application/x-www-form-urlencoded; charset=utf-8")
        .with(&format!(
            "Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        ));
    let answer = Client::new(address).ask(&request).expect("it answers");
    assert_eq!(answer.status, 200, "{call}: {}", answer.text());
    answer.text()
}
