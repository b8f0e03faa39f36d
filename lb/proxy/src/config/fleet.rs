//! Where the hosts come from: a list of addresses, or processes on this machine.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use weighbridge_core::host::Discipline;
use weighbridge_core::units::Speed;

use super::reader::Section;
use super::{FleetConfig, LocalFleet, StaticHost};

const DISCIPLINES: [(&str, Discipline); 3] =
    [("srpt", Discipline::Srpt), ("ps", Discipline::Ps), ("fcfs", Discipline::Fcfs)];

/// Of hosts that may say it themselves.
const DISCIPLINES_AUTO: [(&str, Option<Discipline>); 4] = [
    ("auto", None),
    ("srpt", Some(Discipline::Srpt)),
    ("ps", Some(Discipline::Ps)),
    ("fcfs", Some(Discipline::Fcfs)),
];

/// Which fleet, while it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Local,
    Static,
}

/// Reads `[fleet]`; both kinds are checked, one is taken.
pub(super) fn read(mut section: Section<'_>) -> FleetConfig {
    let kind = section.word("kind", &[("local", Kind::Local), ("static", Kind::Static)]);
    let local = local(section.table("local"));
    let hosts = hosts(section.table("static"), kind);
    section.finish();
    match kind {
        Kind::Local => FleetConfig::Local(local),
        Kind::Static => FleetConfig::Static(hosts),
    }
}

/// The most hosts where the file says `"auto"`: as many workers as fill the machine's `cores`, or
/// all the hosts of the list.
pub(super) fn hosts_auto(fleet: &FleetConfig, cores: usize) -> usize {
    match fleet {
        FleetConfig::Local(local) => (cores / local.cores_per_worker.max(1) as usize).max(1),
        FleetConfig::Static(hosts) => hosts.len(),
    }
}

fn local(mut section: Section<'_>) -> LocalFleet {
    let local = LocalFleet {
        cores_per_worker: section.whole("cores_per_worker", 1..=1024),
        speed: speed(&mut section),
        discipline: section.word("discipline", &DISCIPLINES),
        arguments: section.texts("arguments", "a list of arguments, such as [\"--body=64MiB\"]"),
    };
    section.finish();
    local
}

fn hosts(mut section: Section<'_>, kind: Kind) -> Vec<StaticHost> {
    // Read once for itself, so that a mistake is told of even where no host falls back on it.
    properties(&mut section);
    let mut seen = BTreeSet::new();
    let mut hosts = Vec::new();
    for mut item in section.tables("hosts", &section.reading_again()) {
        let expected = "an IP address and a port, such as \"10.0.0.7:8001\"";
        let address = item.text("address", expected, |text| text.parse::<SocketAddr>().ok());
        let (cores, speed, discipline) = properties(&mut item);
        if let Some(address) = address {
            item.check(seen.insert(address), &["address"], || {
                format!("{} is `{address}` a second time", item.name("address"))
            });
            hosts.push(StaticHost { address, cores, speed, discipline });
        }
        item.finish();
    }
    section.check(kind == Kind::Local || !hosts.is_empty(), &["hosts"], || {
        "fleet.static.hosts is empty: expected at least one host in a static fleet".to_owned()
    });
    section.finish();
    hosts
}

fn properties(section: &mut Section<'_>) -> (u32, Speed, Option<Discipline>) {
    let cores = section.whole("cores", 1..=1024);
    (cores, speed(section), section.word("discipline", &DISCIPLINES_AUTO))
}

fn speed(section: &mut Section<'_>) -> Speed {
    Speed::from_reference_cores(section.number("speed", 0.01..=100.0)).unwrap_or(Speed::ONE)
}
