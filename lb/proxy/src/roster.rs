//! The hosts that are listed, of every fleet: who says that each is there, and what becomes of it.
//!
//! A host joins when the first origin names it, gets requests once it is ready, drains when the
//! last origin names it no longer, and leaves when it is empty. One that is named again while it
//! drains comes back, with all that is known of it. As long as it lives, it is asked whether it is
//! well, where its fleet has a health check.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use weighbridge_core::host::{HostId, HostSpec, HostState, Phase};

use crate::config::{Config, FleetIndex, HealthCheck, HostAddress, StaticHost};
use crate::decide::Decide;
use crate::fleet::probe::Probe;
use crate::fleet::{AddressBook, Place};
use crate::fleets::Fleets;

/// Between two looks at whether a host that drains is empty.
const EMPTY_INTERVAL: Duration = Duration::from_millis(50);

/// A host that is not ready is asked this often at least.
const READY_INTERVAL_MAX: Duration = Duration::from_secs(1);

/// Who says that a host is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// The configuration lists it.
    Configuration,
    /// A name or a file stands for it.
    Found,
    /// An operator has let it join.
    Operator,
}

/// See the module.
pub(crate) struct Roster {
    hosts: Arc<AddressBook>,
    probe: Probe,
    members: Mutex<BTreeMap<HostId, Member>>,
    /// What goes on for each of them.
    tasks: Mutex<JoinSet<()>>,
    spans: Mutex<Spans>,
    /// How the hosts of each fleet are asked whether they are well.
    checks: Mutex<Vec<Option<HealthCheck>>>,
}

/// Why an operator's wish is not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RosterError {
    /// There is no such host.
    #[error("no listed host is at `{0}`: expected an address that /fleet tells")]
    Unknown(HostAddress),
    /// The fleet is not a list of hosts.
    #[error("the fleet `{0}` starts its hosts by itself: expected one whose hosts are listed")]
    NotListed(String),
    /// There is no such fleet.
    #[error("there is no fleet `{0}`")]
    NoFleet(String),
}

/// How long things may take, by the configuration in use.
#[derive(Debug, Clone, Copy)]
struct Spans {
    /// For a host that drains to become empty.
    drain_max: Duration,
    /// Between two looks at whether a host is ready.
    ready_interval: Duration,
}

/// Answers of a host to its health check.
#[derive(Debug, Default)]
struct Asked {
    /// Good ones in a row.
    good: u32,
    /// Others in a row.
    bad: u32,
}

#[derive(Debug)]
struct Member {
    fleet: FleetIndex,
    host: StaticHost,
    origins: BTreeSet<Origin>,
    /// An operator wants it to have no requests.
    is_held: bool,
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
            checks: Mutex::new(checks(config)),
        }
    }

    /// Goes by the times of `config` from now on.
    pub(crate) fn reconfigure(&self, config: &Config) {
        *self.spans.lock() = Spans::by(config);
        *self.checks.lock() = checks(config);
    }

    /// Whether `host` is one of those that are listed.
    pub(crate) fn has(&self, host: HostId) -> bool {
        self.members.lock().contains_key(&host)
    }

    /// Whether `host` is asked whether it is well, so that nothing else tells it.
    pub(crate) fn is_checked(&self, host: HostId) -> bool {
        let fleet = self.members.lock().get(&host).map(|member| member.fleet);
        fleet.is_some_and(|fleet| self.check(fleet).is_some())
    }

    /// Lets a host join that an operator names. Returns whether it is new.
    pub(crate) fn welcome(
        self: &Arc<Self>,
        (index, fleet): (FleetIndex, &Arc<Decide>),
        host: StaticHost,
    ) -> bool {
        let mut members = self.members.lock();
        let known = members.iter_mut();
        let mut known = known.filter(|(_, one)| one.fleet == index && one.host == host);
        if let Some((id, member)) = known.next() {
            let was_away = member.is_held || member.origins.is_empty();
            member.origins.insert(Origin::Operator);
            member.is_held = false;
            if was_away {
                welcome_back(fleet, *id);
            }
            return false;
        }
        let id = self.join((index, fleet), &host);
        let origins = BTreeSet::from([Origin::Operator]);
        members.insert(id, Member { fleet: index, host, origins, is_held: false });
        true
    }

    /// Gives the hosts at `address` no more requests, as an operator wishes. One that only an
    /// operator has named leaves; another one stays, and has requests again after
    /// [`Roster::release`].
    pub(crate) fn hold(
        self: &Arc<Self>,
        address: &HostAddress,
        fleets: &Fleets,
    ) -> Result<(), RosterError> {
        let mut members = self.members.lock();
        let mut leaving = Vec::new();
        let at = members.iter_mut().filter(|(_, member)| member.host.address == *address);
        let mut n_held = 0;
        for (id, member) in at {
            n_held += 1;
            member.is_held = true;
            member.origins.remove(&Origin::Operator);
            let fleet = fleets.of_host(*id).clone();
            fleet.with(|balancer, now| balancer.drain(now, *id));
            if member.origins.is_empty() {
                leaving.push((fleet, *id));
            }
        }
        drop(members);
        for (fleet, id) in leaving {
            self.spawn(self.clone().see_off(fleet, id));
        }
        if n_held == 0 { Err(RosterError::Unknown(address.clone())) } else { Ok(()) }
    }

    /// Gives the hosts at `address` requests again.
    pub(crate) fn release(
        &self,
        address: &HostAddress,
        fleets: &Fleets,
    ) -> Result<(), RosterError> {
        let mut members = self.members.lock();
        let at = members.iter_mut().filter(|(_, member)| member.host.address == *address);
        let mut n_released = 0;
        for (id, member) in at.filter(|(_, one)| one.is_held || !one.origins.is_empty()) {
            n_released += 1;
            member.is_held = false;
            if member.origins.is_empty() {
                member.origins.insert(Origin::Operator);
            }
            welcome_back(fleets.of_host(*id), *id);
        }
        if n_released == 0 { Err(RosterError::Unknown(address.clone())) } else { Ok(()) }
    }

    /// The hosts at `address` are preferred by so much, for as long as they are there.
    pub(crate) fn prefer(
        &self,
        address: &HostAddress,
        (weight, fleets): (f64, &Fleets),
    ) -> Result<(), RosterError> {
        let members = self.members.lock();
        let at = members.iter().filter(|(_, member)| member.host.address == *address);
        let preferred = at.filter(|(id, _)| {
            fleets.of_host(**id).with(|balancer, _| balancer.prefer(**id, weight))
        });
        if preferred.count() == 0 { Err(RosterError::Unknown(address.clone())) } else { Ok(()) }
    }

    fn check(&self, fleet: FleetIndex) -> Option<HealthCheck> {
        self.checks.lock().get(fleet.0).cloned().flatten()
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
                let was_gone = member.origins.is_empty() && !member.is_held;
                member.origins.insert(origin.clone());
                if was_gone {
                    welcome_back(fleet, *id);
                }
                continue;
            }
            let id = self.join((index, fleet), host);
            let origins = BTreeSet::from([origin.clone()]);
            let (host, is_held) = (host.clone(), false);
            members.insert(id, Member { fleet: index, host, origins, is_held });
        }
        // While nobody else can name them again.
        for id in gone {
            self.drain(fleet, id);
        }
    }

    fn join(
        self: &Arc<Self>,
        (index, fleet): (FleetIndex, &Arc<Decide>),
        host: &StaticHost,
    ) -> HostId {
        let spec = HostSpec {
            name: host.address.to_string(),
            cores: host.cores,
            speed: host.speed,
            discipline: host.discipline,
            price: 1.0,
        };
        let place = Place {
            name: spec.name.clone(),
            address: host.address.clone(),
            protocol: host.protocol,
            tls: host.tls.clone(),
            proxy_protocol: host.proxy_protocol,
            pid: None,
        };
        let id = fleet.with(|balancer, now| balancer.join(now, spec));
        self.hosts.insert(id, place);
        self.spawn(self.clone().watch((index, fleet.clone()), id));
        id
    }

    fn drain(self: &Arc<Self>, fleet: &Arc<Decide>, id: HostId) {
        let name = self.hosts.place(id).map_or(String::new(), |place| place.name);
        tracing::info!(host = name, "a host drains: nothing lists it any longer");
        fleet.with(|balancer, now| balancer.drain(now, id));
        self.spawn(self.clone().see_off(fleet.clone(), id));
    }

    /// Lets a host take requests once it is well, and takes them from it while it is not, for as
    /// long as it lives.
    async fn watch(self: Arc<Self>, (index, fleet): (FleetIndex, Arc<Decide>), id: HostId) {
        let mut asked = Asked::default();
        while let Some(place) = self.hosts.place(id) {
            let interval = if let Some(check) = self.check(index) {
                let is_good = self.is_good(&place, &check).await;
                if let Some(is_well) = asked.answered(is_good, &check) {
                    told(&fleet, (id, &place.name), is_well);
                }
                check.interval
            } else {
                let is_new = phase(&fleet, id) == Phase::Starting;
                if is_new && self.probe.is_ready(&place.target()).await {
                    become_ready(&fleet, id, &place.name);
                }
                self.spans.lock().ready_interval
            };
            sleep(interval).await;
        }
    }

    async fn is_good(&self, place: &Place, check: &HealthCheck) -> bool {
        let answer = self.probe.ask(&place.target(), &check.path, check.timeout).await;
        let (least, most) = check.status;
        answer.is_ok_and(|status| (least..=most).contains(&status.as_u16()))
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

// === impl Asked ===

impl Asked {
    /// Notes an answer. Whether the host is well, where that is clear.
    fn answered(&mut self, is_good: bool, check: &HealthCheck) -> Option<bool> {
        let (good, bad) = (self.good.saturating_add(1), self.bad.saturating_add(1));
        (self.good, self.bad) = if is_good { (good, 0) } else { (0, bad) };
        let is_clear = check.healthy <= self.good || check.unhealthy <= self.bad;
        is_clear.then_some(is_good)
    }
}

fn checks(config: &Config) -> Vec<Option<HealthCheck>> {
    config.discovery.iter().map(|discovery| discovery.health.clone()).collect()
}

/// It is clear whether a host is well.
fn told(fleet: &Decide, (id, name): (HostId, &str), is_well: bool) {
    if phase(fleet, id) == Phase::Starting {
        if is_well {
            become_ready(fleet, id, name);
        }
        return;
    }
    let was_down = fleet.with(|balancer, now| {
        let was_down = balancer.host(id).is_some_and(HostState::is_down);
        balancer.probed(now, id, is_well);
        was_down
    });
    if was_down == is_well {
        tracing::info!(host = name, is_well, "the health check of a host says something else");
    }
}

fn become_ready(fleet: &Decide, id: HostId, name: &str) {
    fleet.with(|balancer, now| balancer.ready(now, id));
    tracing::info!(host = name, "a host is ready");
}

/// A host that drains is wanted again.
fn welcome_back(fleet: &Decide, id: HostId) {
    fleet.with(|balancer, now| balancer.undrain(now, id));
}

/// The phase of a host.
fn phase(fleet: &Decide, id: HostId) -> Phase {
    fleet.look(|balancer, _| balancer.host(id).map_or(Phase::Gone, |host| host.phase))
}
