//! The hosts that are listed, of every fleet: who says that each is there, and what becomes of it.
//!
//! A host joins when the first origin names it, gets requests once it is ready, drains when the
//! last origin names it no longer, and leaves when it is empty. One that is named again while it
//! drains comes back, with all that is known of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use weighbridge_core::host::{HostId, HostSpec, Phase};

use crate::config::{Config, FleetIndex, StaticHost};
use crate::decide::Decide;
use crate::fleet::probe::Probe;
use crate::fleet::{AddressBook, Place};

/// Between two looks at whether a host that drains is empty.
const EMPTY_INTERVAL: Duration = Duration::from_millis(50);

/// A host that is not ready is asked this often at least.
const READY_INTERVAL_MAX: Duration = Duration::from_secs(1);

/// Who says that a host is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// The configuration lists it.
    Configuration,
}

/// See the module.
pub(crate) struct Roster {
    hosts: Arc<AddressBook>,
    probe: Probe,
    members: Mutex<BTreeMap<HostId, Member>>,
    /// What goes on for each of them.
    tasks: Mutex<JoinSet<()>>,
    spans: Mutex<Spans>,
}

/// How long things may take, by the configuration in use.
#[derive(Debug, Clone, Copy)]
struct Spans {
    /// For a host that drains to become empty.
    drain_max: Duration,
    /// Between two looks at whether a host is ready.
    ready_interval: Duration,
}

#[derive(Debug)]
struct Member {
    fleet: FleetIndex,
    host: StaticHost,
    origins: BTreeSet<Origin>,
}

// === impl Roster ===

impl Roster {
    /// A roster of no host, by the times of `config`.
    pub(crate) fn new(hosts: Arc<AddressBook>, probe: Probe, config: &Config) -> Roster {
        Roster {
            hosts,
            probe,
            members: Mutex::default(),
            tasks: Mutex::default(),
            spans: Mutex::new(Spans::by(config)),
        }
    }

    /// Goes by the times of `config` from now on.
    pub(crate) fn reconfigure(&self, config: &Config) {
        *self.spans.lock() = Spans::by(config);
    }

    /// The hosts of a fleet that `origin` names are `named` from now on, and no others.
    pub(crate) fn tell(
        self: &Arc<Self>,
        (index, fleet): (FleetIndex, &Arc<Decide>),
        origin: &Origin,
        named: &[StaticHost],
    ) {
        let mut members = self.members.lock();
        let mut gone = Vec::new();
        for (id, member) in members.iter_mut().filter(|(_, member)| member.fleet == index) {
            if !named.contains(&member.host) && member.origins.remove(origin) {
                gone.extend(member.origins.is_empty().then_some(*id));
            }
        }
        for host in named {
            let known = members.iter_mut();
            let mut known = known.filter(|(_, one)| one.fleet == index && one.host == *host);
            if let Some((id, member)) = known.next() {
                let was_gone = member.origins.is_empty();
                member.origins.insert(origin.clone());
                if was_gone {
                    self.welcome_back(fleet, *id);
                }
                continue;
            }
            let id = self.join(fleet, host);
            let origins = BTreeSet::from([origin.clone()]);
            members.insert(id, Member { fleet: index, host: host.clone(), origins });
        }
        drop(members);
        for id in gone {
            self.drain(fleet, id);
        }
    }

    fn join(self: &Arc<Self>, fleet: &Arc<Decide>, host: &StaticHost) -> HostId {
        let spec = HostSpec {
            name: host.address.to_string(),
            cores: host.cores,
            speed: host.speed,
            discipline: host.discipline,
            price: 1.0,
        };
        let (name, address, protocol) = (spec.name.clone(), host.address, host.protocol);
        let id = fleet.with(|balancer, now| balancer.join(now, spec));
        self.hosts.insert(id, Place { name, address, protocol, pid: None });
        self.spawn(self.clone().make_ready(fleet.clone(), id));
        id
    }

    fn welcome_back(self: &Arc<Self>, fleet: &Arc<Decide>, id: HostId) {
        fleet.with(|balancer, now| balancer.undrain(now, id));
        self.spawn(self.clone().make_ready(fleet.clone(), id));
    }

    fn drain(self: &Arc<Self>, fleet: &Arc<Decide>, id: HostId) {
        let name = self.hosts.place(id).map_or(String::new(), |place| place.name);
        tracing::info!(host = name, "a host drains: nothing lists it any longer");
        fleet.with(|balancer, now| balancer.drain(now, id));
        self.spawn(self.clone().see_off(fleet.clone(), id));
    }

    /// Lets a host take requests once it answers.
    async fn make_ready(self: Arc<Self>, fleet: Arc<Decide>, id: HostId) {
        while phase(&fleet, id) == Phase::Starting {
            let Some(place) = self.hosts.place(id) else { return };
            if self.probe.is_ready(place.address, place.protocol).await {
                fleet.with(|balancer, now| balancer.ready(now, id));
                tracing::info!(host = place.name, "a host is ready");
                return;
            }
            let interval = self.spans.lock().ready_interval;
            sleep(interval).await;
        }
    }

    /// Waits until a host that drains is empty, or has had time enough, and forgets it.
    async fn see_off(self: Arc<Self>, fleet: Arc<Decide>, id: HostId) {
        let begun = Instant::now();
        loop {
            let left = fleet.look(|balancer, _| balancer.host(id).map(|host| host.in_flight));
            let is_over = self.spans.lock().drain_max <= begun.elapsed();
            if left.is_none_or(|left| left == 0) || is_over {
                break;
            }
            sleep(EMPTY_INTERVAL).await;
            if phase(&fleet, id) != Phase::Draining {
                return;
            }
        }
        let mut members = self.members.lock();
        // It may have been named again just now.
        if members.get(&id).is_none_or(|member| !member.origins.is_empty()) {
            return;
        }
        members.remove(&id);
        fleet.with(|balancer, now| balancer.leave(now, id));
        let place = self.hosts.remove(id);
        tracing::info!(host = place.map(|place| place.name), "a host has left");
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock();
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Ends what goes on.
    pub(crate) fn stop(&self) {
        self.tasks.lock().abort_all();
    }
}

// === impl Spans ===

impl Spans {
    fn by(config: &Config) -> Spans {
        Spans {
            drain_max: config.timeouts.drain.max(config.response_max()),
            ready_interval: config.timeouts.report_interval.min(READY_INTERVAL_MAX),
        }
    }
}

/// The phase of a host.
fn phase(fleet: &Decide, id: HostId) -> Phase {
    fleet.look(|balancer, _| balancer.host(id).map_or(Phase::Gone, |host| host.phase))
}
