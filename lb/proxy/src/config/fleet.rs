//! Where the hosts come from: a list of addresses, processes on this machine, or rented machines.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use weighbridge_core::host::Discipline;
use weighbridge_core::units::Speed;

use super::reader::Section;
use super::{FleetConfig, FleetSource, LocalFleet, StaticHost, machines};

/// Which fleet, while it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Local,
    Static,
    Ec2,
    Asg,
}

/// The most machines where the file says `"auto"`.
const MACHINES_AUTO: usize = 20;

/// Reads `[fleet]`; every kind is checked, one is taken.
pub(super) fn read(mut section: Section<'_>) -> FleetConfig {
    let kinds =
        [("local", Kind::Local), ("static", Kind::Static), ("ec2", Kind::Ec2), ("asg", Kind::Asg)];
    let kind = section.word("kind", &kinds);
    let local = local(section.table("local"));
    let hosts = hosts(section.table("static"), kind);
    let machine = machines::machine(section.table("machines"));
    let ec2 = machines::ec2(section.table("ec2"), machine.clone(), kind == Kind::Ec2);
    let asg = machines::asg(section.table("asg"), machine, kind == Kind::Asg);
    section.finish();
    match kind {
        Kind::Local => FleetConfig::Local(local),
        Kind::Static => FleetConfig::Static(hosts),
        Kind::Ec2 => FleetConfig::Ec2(Box::new(ec2)),
        Kind::Asg => FleetConfig::Asg(asg),
    }
}

/// The most hosts where the file says `"auto"`: as many workers as fill the machine's `cores`, all
/// the hosts of the list, or [`MACHINES_AUTO`].
pub(super) fn hosts_auto(fleet: &FleetConfig, cores: usize) -> usize {
    match fleet.source() {
        FleetSource::Processes(local) => (cores / local.cores_per_worker.max(1) as usize).max(1),
        FleetSource::Listed(hosts) => hosts.len(),
        FleetSource::Rented(_) => MACHINES_AUTO,
    }
}

/// The time that a host needs to boot, and after which it is given up, where the file says
/// `"auto"`.
pub(super) fn boot_auto(fleet: &FleetConfig) -> (Duration, Duration) {
    match fleet.source() {
        FleetSource::Listed(_) | FleetSource::Processes(_) => {
            (Duration::from_secs(1), Duration::from_secs(30))
        }
        FleetSource::Rented(_) => (Duration::from_mins(1), Duration::from_mins(10)),
    }
}

fn local(mut section: Section<'_>) -> LocalFleet {
    let local = LocalFleet {
        cores_per_worker: section.whole("cores_per_worker", 1..=1024),
        discipline: section.word("discipline", &Discipline::ALL.map(|one| (one.name(), one))),
        arguments: section.texts("arguments", "a list of arguments, such as [\"--body=64MiB\"]"),
    };
    section.finish();
    local
}

fn hosts(mut section: Section<'_>, kind: Kind) -> Vec<StaticHost> {
    // Read once for itself, so that a mistake is told of even where no host falls back on it.
    host(&mut section);
    let mut seen = BTreeSet::new();
    let mut hosts = Vec::new();
    for mut item in section.tables("hosts", &section.reading_again()) {
        let expected = "an IP address and a port, such as \"10.0.0.7:8001\"";
        let address = item.text("address", expected, |text| text.parse::<SocketAddr>().ok());
        let (cores, speed, discipline) = host(&mut item);
        if let Some(address) = address {
            item.check(seen.insert(address), &["address"], || {
                format!("{} is `{address}` a second time", item.name("address"))
            });
            hosts.push(StaticHost { address, cores, speed, discipline });
        }
        item.finish();
    }
    section.check(kind != Kind::Static || !hosts.is_empty(), &["hosts"], || {
        "fleet.static.hosts is empty: expected at least one host in a static fleet".to_owned()
    });
    section.finish();
    hosts
}

/// Cores, speed and discipline of a static host.
fn host(section: &mut Section<'_>) -> (u32, Speed, Option<Discipline>) {
    let (cores, discipline) = cores_and_discipline(section);
    let speed = Speed::from_reference_cores(section.number("speed", 0.01..=100.0));
    (cores, speed.unwrap_or(Speed::ONE), discipline)
}

/// Cores and discipline of a host that may say itself what it is.
pub(super) fn cores_and_discipline(section: &mut Section<'_>) -> (u32, Option<Discipline>) {
    let named = Discipline::ALL.into_iter().map(|one| (one.name(), Some(one)));
    let disciplines: Vec<_> = [("auto", None)].into_iter().chain(named).collect();
    (section.whole("cores", 1..=1024), section.word("discipline", &disciplines))
}
