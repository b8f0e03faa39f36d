//! How the hosts of a fleet are found, besides those that are listed by address; and how they are
//! asked whether they are well.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;

use super::reader::Section;
use rustls::pki_types::ServerName;

use super::{HostAddress, HostTemplate, StaticHost};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// The port of DNS servers.
const DNS_PORT: u16 = 53;

/// How the hosts of one fleet are found.
#[derive(Debug, Clone, Default)]
pub struct Discovery {
    /// By these names.
    pub names: Vec<NamedHosts>,
    /// By what stands in this file.
    pub file: Option<PathBuf>,
    /// What is true of hosts that the file names.
    pub template: HostTemplate,
    /// How hosts are asked whether they are well; `None`: by what requests tell of them.
    pub health: Option<HealthCheck>,
}

/// Hosts that a name stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedHosts {
    /// The name.
    pub target: Target,
    /// What is true of each.
    pub template: HostTemplate,
}

/// What stands for hosts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// All addresses of a name (A and AAAA), at one port.
    Name(String, u16),
    /// A service (SRV): those of its names and ports that have the lowest priority.
    Service(String),
}

/// What a host is at an address.
#[derive(Debug, Clone, PartialEq)]
pub enum Written<T> {
    /// An address.
    Address(HostAddress),
    /// What stands for some.
    Target(T),
}

/// How hosts are asked whether they are well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked for, by `GET`; begins with `/`.
    pub path: String,
    /// From one ask to the next.
    pub interval: Duration,
    /// Until the head of the answer is there.
    pub timeout: Duration,
    /// So many good answers in a row let a host in; at least 1.
    pub healthy: u32,
    /// So many others in a row, or none, let it out; at least 1.
    pub unhealthy: u32,
    /// The least and the largest status of a good answer.
    pub status: (u16, u16),
}

/// Who is asked what names stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsConfig {
    /// The servers; empty: as the system does.
    pub servers: Vec<SocketAddr>,
    /// Answers hold for this time at least.
    pub ttl_min: Duration,
    /// Answers hold for this time at most.
    pub ttl_max: Duration,
    /// For one question, each try for itself.
    pub timeout: Duration,
    /// A name that stands for nothing any more is believed after this time.
    pub hold: Duration,
}

impl Target {
    /// Reads `NAME:PORT` or `srv:NAME`.
    pub(crate) fn parse(text: &str) -> Option<Target> {
        if let Some(name) = text.strip_prefix("srv:") {
            return is_name(name).then(|| Target::Service(name.to_ascii_lowercase()));
        }
        let (name, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        is_name(name).then(|| Target::Name(name.to_ascii_lowercase(), port))
    }
}

impl Written<Target> {
    /// Reads an address, or what stands for some.
    pub(crate) fn parse(text: &str) -> Option<Written<Target>> {
        let address = HostAddress::parse(text).map(Written::Address);
        address.or_else(|| Target::parse(text).map(Written::Target))
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Name(name, port) => write!(to, "{name}:{port}"),
            Target::Service(name) => write!(to, "srv:{name}"),
        }
    }
}

impl HostTemplate {
    /// Such a host at `address`. What goes by a Unix socket does not leave the machine: it goes
    /// without TLS.
    pub fn at(&self, address: HostAddress) -> StaticHost {
        let HostTemplate { cores, speed, discipline, protocol, proxy_protocol, .. } = *self;
        let ip = address.tcp().map(|address| address.ip());
        let tls = self.tls.as_ref().zip(ip).map(|(tls, ip)| tls.of(ServerName::from(ip)));
        StaticHost { address, cores, speed, discipline, protocol, tls, proxy_protocol }
    }

    /// The same for hosts that are found as `target`: their certificates are for its name.
    pub(super) fn found_as(self, target: &Target) -> HostTemplate {
        let name = match target {
            Target::Name(name, _) => ServerName::try_from(name.clone()).ok(),
            Target::Service(_) => None,
        };
        let tls = self.tls.map(|tls| name.map_or(tls.clone(), |name| tls.of(name)));
        HostTemplate { tls, ..self }
    }
}

/// What is expected of an address of a host.
pub(super) const ADDRESS: &str = "an IP address and a port, such as \"10.0.0.7:8001\", a name and \
                                  a port, such as \"workers.example:8001\", a service of DNS, \
                                  such as \"srv:_http._tcp.workers.example\", or a Unix socket, \
                                  such as \"unix:/run/app.sock\"";

/// A name that DNS may know: labels of letters, digits, `-` and `_`, and no address.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (1..=63).contains(&label.len()) && label.bytes().all(plain)
    };
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_address = text.parse::<IpAddr>().is_ok()
        || name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(is_label) && !is_address
}

/// The file of hosts, and the health check, of the fleet in `section`.
pub(super) fn file_and_health(section: &mut Section<'_>) -> (Option<PathBuf>, Option<HealthCheck>) {
    let file = section.text("file", "a path, or \"\" for none", |text| {
        Some((!text.is_empty()).then(|| PathBuf::from(text)))
    });
    (file.flatten(), health(section.table("health")))
}

fn health(mut section: Section<'_>) -> Option<HealthCheck> {
    let expected = "the beginning of a path, such as \"/healthz\", or \"\" for none";
    let path = section.text("path", expected, |text| {
        let is_path = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
        (text.is_empty() || is_path).then(|| text.to_owned())
    });
    let check = HealthCheck {
        path: path.unwrap_or_default(),
        interval: section.duration("interval", 10 * MS..=HOUR),
        timeout: section.duration("timeout", MS..=60 * SECOND),
        healthy: section.whole("healthy", 1..=100),
        unhealthy: section.whole("unhealthy", 1..=100),
        status: section
            .text("status", "a status or a range of them, such as \"200-399\"", statuses)
            .unwrap_or((200, 399)),
    };
    section.finish();
    (!check.path.is_empty()).then_some(check)
}

fn statuses(text: &str) -> Option<(u16, u16)> {
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let status = |text: &str| Some(StatusCode::from_u16(text.parse().ok()?).ok()?.as_u16());
    let (least, most) = (status(least)?, status(most)?);
    (200 <= least && least <= most).then_some((least, most))
}

/// Reads `[dns]`.
pub(super) fn dns(mut section: Section<'_>) -> DnsConfig {
    let expected = "a list of addresses, such as [\"10.0.0.2\"] or [\"10.0.0.2:5353\"]";
    let mut servers = Vec::new();
    for text in section.texts("servers", expected) {
        let read = text.parse().ok();
        let read = read.or_else(|| Some(SocketAddr::new(text.parse().ok()?, DNS_PORT)));
        section.check(read.is_some(), &["servers"], || {
            let name = section.name("servers");
            format!("{name} has `{text}`: expected an address, such as \"10.0.0.2:53\"")
        });
        servers.extend(read);
    }
    let dns = DnsConfig {
        servers,
        ttl_min: section.duration("ttl_min", 10 * MS..=HOUR),
        ttl_max: section.duration("ttl_max", SECOND..=24 * HOUR),
        timeout: section.duration("timeout", 10 * MS..=60 * SECOND),
        hold: section.duration("hold", Duration::ZERO..=24 * HOUR),
    };
    section.check(dns.ttl_min <= dns.ttl_max, &["ttl_min", "ttl_max"], || {
        "dns.ttl_min is above dns.ttl_max: expected at most that".to_owned()
    });
    section.finish();
    dns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_written_as_addresses_names_and_services() {
        let name = |name: &str, port| Some(Written::Target(Target::Name(name.to_owned(), port)));
        let at = |text: &str| Some(Written::Address(text.parse().unwrap()));
        let service = |name: &str| Some(Written::Target(Target::Service(name.to_owned())));
        for (text, expected) in [
            ("10.0.0.7:8001", at("10.0.0.7:8001")),
            ("[2001:db8::1]:8001", at("[2001:db8::1]:8001")),
            ("10.0.0.7:0", None),
            ("10.0.0.7", None),
            ("Workers.Example:8001", name("workers.example", 8001)),
            ("workers.example.:8001", name("workers.example.", 8001)),
            ("localhost:1", name("localhost", 1)),
            ("workers.example:0", None),
            ("workers.example:70000", None),
            ("10.0.0.777:8001", None),
            ("a b:1", None),
            ("a..b:1", None),
            ("srv:_http._tcp.workers.example", service("_http._tcp.workers.example")),
            ("srv:", None),
            ("http://workers.example:80", None),
            ("unix:/run/app.sock", at("unix:/run/app.sock")),
            ("unix:app.sock", None),
        ] {
            assert_eq!(Written::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn statuses_are_one_or_a_range() {
        for (text, expected) in [
            ("200", Some((200, 200))),
            ("200-399", Some((200, 399))),
            ("399-200", None),
            ("100-200", None),
            ("2xx", None),
            ("200-1000", None),
        ] {
            assert_eq!(statuses(text), expected, "{text}");
        }
    }
}
