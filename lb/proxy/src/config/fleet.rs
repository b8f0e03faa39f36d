//! Where the hosts come from: a list of addresses, processes on this machine, or rented machines.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use weighbridge_core::host::Discipline;
use weighbridge_core::units::Speed;

use super::reader::Section;
use super::{
    Discovery, FleetConfig, FleetSource, HostAddress, HostTemplate, HostTls, LocalFleet,
    NamedFleet, NamedHosts,
};
use super::{Protocol, ProxyVersion, StaticHost, Written};
use super::{discovery, machines, own_address, values};
use crate::tls::hosts::TlsClient;

/// Which fleet, while it is read. The first one stands in where the file says nothing that is
/// known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Local,
    Static,
    Ec2,
    Asg,
}

/// Which kind of fleet the file chooses, for the tables of all kinds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen {
    /// `None` where it names no kind that there is: then nothing is said of what fits it.
    name: Option<&'static str>,
}

/// The name of the fleet in `[fleet]`, where fleets are told apart.
pub(super) const MAIN: &str = "main";

/// The most fleets beside it.
const FLEETS_MAX: usize = 64;

/// The most machines where the file says `"auto"`.
const MACHINES_AUTO: usize = 20;

/// Reads `[fleet]`; every kind is checked, one is taken. `own` are the balancer's addresses, with
/// their keys. Says too whether the file names a kind that there is.
pub(super) fn read(
    mut section: Section<'_>,
    own: &[(&'static str, SocketAddr)],
) -> (FleetConfig, Discovery, Chosen) {
    let kinds =
        [("local", Kind::Local), ("static", Kind::Static), ("ec2", Kind::Ec2), ("asg", Kind::Asg)];
    let kind = section.word("kind", &kinds);
    let name = kinds.iter().find(|(_, other)| *other == kind).map(|(name, _)| *name);
    let chosen = Chosen { name: name.filter(|_| !section.is_wrong("kind")) };
    let local = local(section.table("local"));
    let (hosts, discovery) = listed(section.table("static"), chosen, own);
    let machine = machines::machine(section.table("machines"));
    let ec2 = machines::ec2(section.table("ec2"), machine.clone(), chosen);
    let asg = machines::asg(section.table("asg"), machine, chosen);
    section.finish();
    let fleet = match kind {
        Kind::Local => FleetConfig::Local(local),
        Kind::Static => FleetConfig::Static(hosts),
        Kind::Ec2 => FleetConfig::Ec2(Box::new(ec2)),
        Kind::Asg => FleetConfig::Asg(asg),
    };
    (fleet, discovery, chosen)
}

// === impl Chosen ===

impl Chosen {
    /// Whether it is known.
    pub(super) fn is_known(self) -> bool {
        self.name.is_some()
    }

    /// Whether it is `kind`.
    pub(super) fn is(self, kind: &str) -> bool {
        self.name == Some(kind)
    }

    /// Tells of `section`, the table of `kind`, that the operator said `what` hosts there are in
    /// `keys`, and chose another kind.
    pub(super) fn check_idle(
        self,
        section: &Section<'_>,
        kind: &str,
        (what, keys): (&str, &[&str]),
        is_said: bool,
    ) {
        let other = self.name.filter(|name| *name != kind);
        section.check(!is_said || other.is_none(), keys, || {
            let other = other.unwrap_or_default();
            format!("fleet.{kind} {what}, but fleet.kind is \"{other}\": expected \"{kind}\"")
        });
    }
}

/// The most hosts where the file says `"auto"`: as many workers as fill the machine's `cores`, all
/// the hosts of the list, or [`MACHINES_AUTO`], also of a list where others scale by what is
/// wanted.
pub(super) fn hosts_auto(fleet: &FleetConfig, cores: usize, others_scale: bool) -> usize {
    match fleet.source() {
        FleetSource::Processes(local) => (cores / local.cores_per_worker.max(1) as usize).max(1),
        FleetSource::Listed(hosts) if others_scale => hosts.len().max(MACHINES_AUTO),
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
        run: section
            .text("run", "a command, or \"\" for none", |text| {
                Some((!text.trim().is_empty()).then(|| text.to_owned()))
            })
            .flatten(),
        arguments: section.texts("arguments", "a list of arguments, such as [\"--body=64MiB\"]"),
    };
    section.finish();
    local
}

/// `[fleet.static]`.
fn listed(
    mut section: Section<'_>,
    chosen: Chosen,
    own: &[(&'static str, SocketAddr)],
) -> (Vec<StaticHost>, Discovery) {
    let (hosts, discovery, is_empty) = hosts(&mut section, own);
    section.check(!chosen.is("static") || !is_empty, &["hosts"], || {
        "fleet.static.hosts is empty: expected at least one host in a static fleet, or a file"
            .to_owned()
    });
    chosen.check_idle(&section, "static", ("has hosts", &["hosts", "file"]), !is_empty);
    section.finish();
    (hosts, discovery)
}

/// Reads `[fleets.NAME]`, the fleets beside the one in `[fleet]`. They fall back on
/// `[fleet.static]`.
pub(super) fn named(
    root: &mut Section<'_>,
    own: &[(&'static str, SocketAddr)],
) -> (Vec<NamedFleet>, Vec<Discovery>) {
    let defaults = root.table("fleet").table("static");
    let (mut fleets, mut found) = (Vec::new(), Vec::new());
    for (name, mut section) in root.named("fleets", &defaults) {
        section.check(values::name(&name).is_some() && name != MAIN, &[], || {
            let expected = values::NAME;
            format!("fleets.{name}: expected a name of {expected}, not `{MAIN}`")
        });
        let is_own = section.wrote_itself("hosts") || section.wrote_itself("file");
        let (mut hosts, mut discovery, is_empty) = hosts(&mut section, own);
        // What the other fleet has is not this one's.
        if !section.wrote_itself("hosts") {
            hosts.clear();
            discovery.names.clear();
        }
        if !section.wrote_itself("file") {
            discovery.file = None;
        }
        section.check(is_own && !is_empty, &["hosts"], || {
            format!(
                "fleets.{name}.hosts is missing or empty: expected at least one host, or a file"
            )
        });
        section.finish();
        fleets.push(NamedFleet { name, hosts });
        found.push(discovery);
    }
    root.check(fleets.len() <= FLEETS_MAX, &["fleets"], || {
        format!("there are {} fleets: expected at most {FLEETS_MAX}", fleets.len())
    });
    (fleets, found)
}

/// Tells of hosts that are spoken to in two ways at one address: connections that are kept are told
/// apart by it.
pub(super) fn agree(root: &Section<'_>, main: &FleetConfig, others: &[NamedFleet]) {
    let main: &[StaticHost] = match main.source() {
        FleetSource::Listed(hosts) => hosts,
        FleetSource::Processes(_) | FleetSource::Rented(_) => &[],
    };
    let mut seen: BTreeMap<&HostAddress, &StaticHost> = BTreeMap::new();
    for host in main.iter().chain(others.iter().flat_map(|fleet| &fleet.hosts)) {
        let first = seen.entry(&host.address).or_insert(host);
        let ways = |host: &StaticHost| (host.protocol, host.tls.clone(), host.proxy_protocol);
        root.check(ways(first) == ways(host), &["fleets"], || {
            let address = &host.address;
            format!(
                "`{address}` is listed twice, and `protocol`, `proxy_protocol` or a key `tls_...` \
                 differs: expected the same"
            )
        });
    }
}

/// The hosts of a table that lists some by address, how others are found, and whether there are
/// none.
fn hosts(
    section: &mut Section<'_>,
    own: &[(&'static str, SocketAddr)],
) -> (Vec<StaticHost>, Discovery, bool) {
    // Read once for itself, so that a mistake is told of even where no host falls back on it.
    let mut clients = Clients::new();
    let template = template(section, &mut clients);
    let (file, health) = discovery::file_and_health(section);
    let mut seen = BTreeSet::new();
    let (mut hosts, mut names) = (Vec::new(), Vec::new());
    let items = section.tables("hosts", &section.reading_again());
    let is_empty = items.is_empty() && file.is_none();
    for mut item in items {
        let written = item.text("address", discovery::ADDRESS, |text| {
            Written::parse(text).map(|written| match &written {
                Written::Address(address) => (address.to_string(), written),
                Written::Target(target) => (target.to_string(), written),
            })
        });
        let template = self::template(&mut item, &mut clients);
        if let Some((text, written)) = written {
            item.check(seen.insert(text.clone()), &["address"], || {
                format!("{} is `{text}` a second time", item.name("address"))
            });
            match written {
                Written::Address(address) => {
                    fits(&item, &address, (&template, own));
                    hosts.push(template.at(address));
                }
                Written::Target(target) => {
                    let template = template.found_as(&target);
                    names.push(NamedHosts { target, template });
                }
            }
        }
        item.finish();
    }
    (hosts, Discovery { names, file, template, health }, is_empty)
}

/// Tells of a host that is the balancer itself, or a Unix socket at which TLS is to be spoken.
fn fits(
    item: &Section<'_>,
    address: &HostAddress,
    (template, own): (&HostTemplate, &[(&'static str, SocketAddr)]),
) {
    match address {
        HostAddress::Tcp(address) => not_itself(item, *address, own),
        HostAddress::Unix(_) => item.check(template.tls.is_none(), &["address", "protocol"], || {
            let name = item.name("address");
            format!("{name} is `{address}`, where no TLS is spoken: expected protocol = \"http1\" or \"h2c\"")
        }),
    }
}

/// Tells of a host that is the balancer itself.
fn not_itself(item: &Section<'_>, address: SocketAddr, own: &[(&'static str, SocketAddr)]) {
    let itself = own.iter().find(|(_, own)| own_address::leads_to(address, *own));
    item.check(itself.is_none(), &["address"], || {
        let key = itself.map_or("", |(key, _)| *key);
        format!(
            "{} is `{address}`, where the balancer itself is (`{key}`): expected a host",
            item.name("address")
        )
    });
}

/// What static hosts have in common, but for where they are.
fn template(section: &mut Section<'_>, clients: &mut Clients) -> HostTemplate {
    let (cores, discipline) = machines::cores_and_discipline(section);
    let speed = Speed::from_reference_cores(section.number("speed", 0.01..=100.0));
    let protocols = [
        ("http1", (Protocol::Http1, false)),
        ("https", (Protocol::Http1, true)),
        ("h2c", (Protocol::H2c, false)),
    ];
    let (protocol, has_tls) = section.word("protocol", &protocols);
    let announced = [("off", None), ("v1", Some(ProxyVersion::V1)), ("v2", Some(ProxyVersion::V2))];
    let proxy_protocol = section.word("proxy_protocol", &announced);
    let fits = proxy_protocol.is_none() || protocol == Protocol::Http1;
    section.check(fits, &["proxy_protocol"], || {
        let name = section.name("proxy_protocol");
        format!("{name} is for hosts that speak \"http1\" or \"https\": expected \"off\"")
    });
    let speed = speed.unwrap_or(Speed::ONE);
    let tls = tls(section, has_tls, clients);
    HostTemplate { cores, speed, discipline, protocol, tls, proxy_protocol }
}

/// What hosts are believed by, so that those that are believed alike share it.
type Clients = BTreeMap<(PathBuf, bool), Option<Arc<TlsClient>>>;

/// How a host speaks TLS; `None` where it does not.
fn tls(section: &mut Section<'_>, has_tls: bool, clients: &mut Clients) -> Option<HostTls> {
    let expected = "a name such as \"api.example.org\", or \"\" for the host's own";
    let is_name = |text: &str| text.is_empty() || ServerName::try_from(text).is_ok();
    let name = section.text("tls_name", expected, |text| is_name(text).then(|| text.to_owned()));
    let name = name.and_then(|name| ServerName::try_from(name).ok());
    let path = |text: &str| Some(PathBuf::from(text));
    let ca = section.text("tls_ca", "the path of a PEM file, or \"\"", path).unwrap_or_default();
    let is_verified = section.flag("tls_verify");
    if !has_tls {
        return None;
    }
    let client = clients.entry((ca.clone(), is_verified)).or_insert_with(|| {
        let file = (!ca.as_os_str().is_empty()).then_some(ca.as_path());
        match TlsClient::new(file, is_verified) {
            Ok(client) => Some(Arc::new(client)),
            Err(error) => {
                section.check(false, &["tls_ca", "protocol"], || {
                    format!("{}: {}", section.name("tls_ca"), error.in_full())
                });
                None
            }
        }
    });
    client.clone().map(|client| HostTls::new(name, client))
}
