//! What the proxy itself is told: addresses, limits, timeouts and repeats.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread::available_parallelism;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;
use weighbridge_core::balancer::Policy;
use weighbridge_core::features::extractors::Extractor;

use super::reader::Section;
use super::{
    ClientLimits, Config, Discovery, FleetConfig, FleetSource, Forwarding, Limits, LogLevel,
    LoggedQuery, NamedFleet, RepeatConfig, Route, Timeouts, Told, access_log, acme, clients,
    discovery, fleet, jobs, kubernetes, lambda, listeners, policy, routes, store, traces,
};
use crate::headers;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const MS: Duration = Duration::from_millis(1);

/// Reads everything. Where the reader has found a mistake the result means nothing.
pub(super) fn read(mut root: Section<'_>, extractors: &[&'static dyn Extractor]) -> Config {
    let cores = available_parallelism().map_or(1, usize::from);
    let [listen, admin] = ["listen", "admin"].map(|key| listeners::address(&mut root, key));
    root.check(listen != admin || listen.port() == 0, &["admin", "listen"], || {
        format!("admin and listen are both `{listen}`: expected two addresses")
    });
    let store = store::read(root.table("store"));
    let (listeners, acme) = acme::listeners(&mut root, (listen, admin), &store.data_dir);
    let admin_socket = listeners::admin_socket(&mut root);
    let admin_tls = listeners::admin_tls(&mut root);
    let threads = root.whole_or_auto("threads", 1..=1024, cores);
    let own = listeners::own_addresses(&listeners, admin);
    let kubernetes = kubernetes::read(root.table("kubernetes"), &own);
    let (fleets, others) = fleet::named(&mut root, &own);
    let (fleet, discovery, chosen) = fleet::read(root.table("fleet"), &own);
    fleet::agree(&root, &fleet, &fleets);
    let timeouts = timeouts(root.table("timeouts"));
    let is_keda = kubernetes.keda.is_some();
    let auto = auto(&fleet, (cores, is_keda, chosen.is_known()), &timeouts);
    let limits = limits(root.table("limits"));
    let jobs = jobs::read(&mut root, &fleets);
    let clients = clients::read(&mut root);
    let bounds = routes::Bounds::new((&limits, &timeouts), (&fleets, &jobs), &clients);
    let routes::Routes {
        with_hosts: routes,
        policies: mut route_policies,
        fixed,
        table,
        functions_are_known,
    } = routes::read(&mut root, extractors, bounds);
    let (fleet, main) = used(&root, (fleet, discovery), &fleets, &routes);
    let named = (&*routes, functions_are_known);
    let (lambda, lambda_policy) = lambda::read(root.table("lambda"), named, &mut route_policies);
    let (policy, cpu_source) = policy::read(&mut root, route_policies, auto);
    let share = clients.share_of(&routes);
    let config = Config {
        listen,
        listeners,
        admin,
        admin_hosts: names(&mut root, "admin_hosts"),
        admin_token_file: listeners::admin_token(&mut root),
        admin_socket,
        admin_tls,
        threads,
        fleet,
        fleets,
        discovery: std::iter::once(main).chain(others).collect(),
        dns: discovery::dns(root.table("dns")),
        store,
        acme,
        limits,
        timeouts,
        forwarding: forwarding(root.table("forwarded")),
        clients: clients.config,
        routes,
        fixed,
        route_table: table,
        retired: BTreeSet::new(),
        log_level: root.word("log_level", &LogLevel::ALL),
        lambda,
        jobs,
        repeats: repeats(root.table("repeats")),
        access_log: access_log::read(root.table("access_log")),
        traces: traces::read(root.table("traces")),
        cpu_source,
        kubernetes,
        policy: Policy { lambda: lambda_policy, share, ..policy },
    };
    root.finish();
    config
}

/// What of the policy depends on the fleet: for so many cores, with KEDA or not, of a kind that is
/// known or not.
fn auto(
    fleet: &FleetConfig,
    (cores, is_keda, is_known): (usize, bool, bool),
    timeouts: &Timeouts,
) -> policy::Auto {
    policy::Auto {
        hosts_max: fleet::hosts_auto(fleet, cores, is_keda),
        boot: fleet::boot_auto(fleet),
        on_aws: matches!(fleet.source(), FleetSource::Rented(_)) || !is_known,
        report_interval: timeouts.report_interval,
    }
}

/// The fleet in `[fleet]`, without hosts where no route uses it. Tells of fleets that the operator
/// wrote in vain.
fn used(
    root: &Section<'_>,
    main: (FleetConfig, Discovery),
    fleets: &[NamedFleet],
    routes: &[Route],
) -> (FleetConfig, Discovery) {
    let is_used = |index: usize| routes.iter().any(|route| route.fleet.0 == index);
    for (nth, unused) in fleets.iter().enumerate() {
        root.check(is_used(nth + 1) || routes.is_empty(), &["fleets"], || {
            let name = &unused.name;
            format!("no route uses fleets.{name}: expected one with `fleet = \"{name}\"`")
        });
    }
    if is_used(0) || routes.is_empty() {
        return main;
    }
    root.check(!root.wrote("fleet"), &["fleet"], || {
        "no route uses [fleet]: expected one with `fleet = \"main\"`".to_owned()
    });
    (FleetConfig::Static(Vec::new()), Discovery::default())
}

/// Names of hosts, in lower case.
fn names(root: &mut Section<'_>, key: &'static str) -> Vec<String> {
    let names = root.texts(key, "a list of names without ports, such as [\"balancer\"]");
    let is_name = |name: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        !name.is_empty() && name.len() <= 253 && name.bytes().all(plain)
    };
    for name in &names {
        root.check(is_name(name), &[key], || {
            format!("{key} has `{name}`: expected a name without a port, such as \"balancer\"")
        });
    }
    names.iter().map(|name| name.to_ascii_lowercase()).collect()
}

fn limits(mut section: Section<'_>) -> Limits {
    let limits = Limits {
        body_bytes: section.size("body_bytes", 0..=16 << 30),
        buffer_bytes_total: section.size("buffer_bytes_total", 0..=1 << 40),
        buffer_fraction_client: section.number("buffer_fraction_client", 0.01..=1.0),
        buffer_fraction_connection: section.number("buffer_fraction_connection", 0.01..=1.0),
        response_buffer_bytes: section.size("response_buffer_bytes", 0..=16 << 30),
        header_bytes: usize::try_from(section.size("header_bytes", 1 << 10..=1 << 20))
            .unwrap_or(usize::MAX),
        connections_max: section.whole("connections_max", 1..=1_000_000),
        requests_max: section.whole("requests_max", 1..=10_000_000),
        client: ClientLimits {
            connections_max: section.whole_or("client_connections_max", "off", 1..=1_000_000),
            requests_max: section.whole_or("client_requests_max", "off", 1..=10_000_000),
            rate: section.number_or_off("client_rate", 0.001..=1_000_000.0),
            burst: section.whole("client_burst", 1..=1_000_000),
            ipv6_prefix: section.whole("client_ipv6_prefix", 1..=128),
        },
        rate_min: section.size("rate_min", 1..=1 << 30),
    };
    let fits = limits.body_bytes <= limits.buffer_bytes_total;
    section.check(fits, &["buffer_bytes_total", "body_bytes"], || {
        "limits.buffer_bytes_total is less than limits.body_bytes: expected room for one body"
            .to_owned()
    });
    section.finish();
    limits
}

fn timeouts(mut section: Section<'_>) -> Timeouts {
    let timeouts = Timeouts {
        connect: section.duration("connect", MS..=60 * SECOND),
        response: section.duration("response", MS..=24 * HOUR),
        head_read: section.duration("head_read", MS..=HOUR),
        handshake: section.duration("handshake", MS..=HOUR),
        certificate_interval: section.duration("certificate_interval", 10 * MS..=HOUR),
        body_read: section.duration("body_read", MS..=HOUR),
        body_total: section.duration("body_total", MS..=24 * HOUR),
        answer_write: section.duration("answer_write", MS..=HOUR),
        drain: section.duration("drain", Duration::ZERO..=HOUR),
        lame_duck: section.duration("lame_duck", Duration::ZERO..=HOUR),
        upgrade: section.duration("upgrade", SECOND..=HOUR),
        idle: section.duration("idle", MS..=24 * HOUR),
        report_interval: section.duration("report_interval", 10 * MS..=HOUR),
        tick_interval: section.duration("tick_interval", 10 * MS..=60 * SECOND),
    };
    section.finish();
    timeouts
}

fn forwarding(mut section: Section<'_>) -> Forwarding {
    let words = [
        ("x-forwarded", Told::XForwarded),
        ("forwarded", Told::Forwarded),
        ("both", Told::Both),
        ("off", Told::Nothing),
    ];
    let told = section.word("headers", &words);
    let trusted = listeners::networks(&mut section, "trusted_proxies");
    let expected = "the name of a header, such as \"x-client-subject\", or \"\" for none";
    let read = |text: &str| is_free_name(text).then(|| text.to_owned());
    let client_subject = section.text("client_subject", expected, read);
    let client_subject = client_subject.and_then(|name| HeaderName::try_from(name).ok());
    section.finish();
    Forwarding { told, trusted, client_subject }
}

/// Whether `text` is the name of a header that is nobody else's, or empty. What looks like another
/// one where `_` and `-` are the same is not told apart.
pub(super) fn is_free_name(text: &str) -> bool {
    let is_free = |name: HeaderName| !headers::is_known(&name) && !text.contains('_');
    text.is_empty() || HeaderName::try_from(text).is_ok_and(is_free)
}

/// An address or a network, without the bits of its hosts.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let network = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    network.map(|network: IpNet| network.trunc())
}

fn repeats(mut section: Section<'_>) -> RepeatConfig {
    let repeats = RepeatConfig {
        entries_max: section.whole("entries_max", 0..=100_000_000),
        ttl: section.duration("ttl", SECOND..=365 * DAY),
    };
    section.finish();
    repeats
}

/// What is written of queries.
pub(super) fn logged_query(section: &mut Section<'_>) -> LoggedQuery {
    let words = [
        ("whole", LoggedQuery::Whole),
        ("names", LoggedQuery::Names),
        ("nothing", LoggedQuery::Nothing),
    ];
    section.word("query", &words)
}
