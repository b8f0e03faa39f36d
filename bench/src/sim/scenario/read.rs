//! From the keys of a file to a scenario. What each key is and takes stands in `defaults.toml`.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use toml::{Table, Value};
use weighbridge_core::host::Discipline;
use weighbridge_proxy::config::ConfigError;
use weighbridge_proxy::config::reader::{Reader, Section};

use super::{Client, Faults, HOSTS_MAX, Hosts, Learning, Overrides, Reports, Scale, Scenario};
use crate::sim::arrivals::Arrivals;
use crate::sim::functions::FunctionKind;
use crate::sim::host::Preemption;
use crate::sim::predict::ErrorKind;
use crate::sim::sizes::{Class, Law, Sizes, Trace};
use crate::sim::weighbridge::{Routes, Settings};

const NS: Duration = Duration::from_nanos(1);
const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(365 * 24);

/// Stands in place of a time at which nothing happens.
const NEVER: &str = "never";

pub(super) fn scenario(
    text: &str,
    path: &Path,
    overrides: &Overrides,
) -> Result<Scenario, Vec<ConfigError>> {
    let options = options(overrides).to_string();
    let reader = Reader::with_options(&options, text, Scenario::default_text());
    let mut scenario = read(reader.root(), path);
    scenario.seed = overrides.seed.unwrap_or(scenario.seed);
    let mistakes = reader.into_errors();
    if mistakes.is_empty() { Ok(scenario) } else { Err(mistakes) }
}

/// What is given on the command line, to be checked as what is written in the file.
fn options(overrides: &Overrides) -> Table {
    // Relative to where the command runs, not to the scenario.
    let trace = overrides.trace.as_ref().and_then(|trace| std::path::absolute(trace).ok());
    let trace = trace.map(|trace| Value::String(trace.to_string_lossy().into_owned()));
    let inner = |key: &str, value| Value::Table(Table::from_iter([(key.to_owned(), value)]));
    let options = [
        ("load", overrides.load.map(Value::Float)),
        ("predictions", overrides.sigma.map(|sigma| inner("sigma", sigma.into()))),
        ("sizes", trace.map(|trace| inner("trace", trace))),
    ];
    options.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// Reads everything. Where the reader has found a mistake, the result means nothing.
pub(super) fn read(mut root: Section<'_>, path: &Path) -> Scenario {
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
    let sizes = sizes(root.table("sizes"), path);
    let functions = functions(&mut root, &sizes);
    let mut hosts_section = root.table("hosts");
    let hosts = hosts(&mut hosts_section);
    let scale = scale(&mut root, hosts.count);
    let clients = clients(&mut root);
    let routes = Routes { sizes: &sizes, functions: &functions, has_clients: !clients.is_empty() };
    let weighbridge = weighbridge(root.table("weighbridge"), &routes, &hosts, scale);
    check_classes(&root, &clients, &weighbridge);
    let boots = scale.is_none() || hosts.boot < weighbridge.policy.scale.boot_timeout.as_secs_f64();
    hosts_section.check(boots, &["boot"], || {
        "hosts.boot is not shorter than weighbridge.scale.boot_timeout: expected less".to_owned()
    });
    hosts_section.finish();
    let mut predictions = root.table("predictions");
    let scenario = Scenario {
        name: name.unwrap_or_default(),
        about: text(&mut root, "about", "a sentence"),
        policies: root.texts("policies", "a list of policies, such as [\"weighbridge@ps\"]"),
        requests: root.whole("requests", 1..=100_000_000),
        warm_up: root.number("warm_up", 0.0..=10.0),
        seed: root.whole("seed", 0..=u64::MAX),
        load: root.number("load", 1e-6..=100.0),
        balancers: root.whole("balancers", 1..=64),
        hosts,
        functions,
        clients,
        tells_deadlines: true,
        arrivals: arrivals(root.table("arrivals"), &sizes),
        sizes,
        errors: errors(&mut predictions),
        sigma: predictions.number("sigma", 0.0..=10.0),
        learning: learning(&mut predictions),
        round_trip: secs(&mut root, "round_trip", Duration::ZERO..=HOUR),
        reports: reports(root.table("reports")),
        faults: faults(root.table("faults")),
        scale,
        weighbridge,
    };
    predictions.finish();
    root.finish();
    scenario
}

fn text(section: &mut Section<'_>, key: &'static str, expected: &str) -> String {
    section.text(key, expected, |text| Some(text.to_owned())).unwrap_or_default()
}

fn secs(section: &mut Section<'_>, key: &'static str, range: RangeInclusive<Duration>) -> f64 {
    section.duration(key, range).as_secs_f64()
}

/// Infinite for [`NEVER`].
fn secs_or_never(
    section: &mut Section<'_>,
    key: &'static str,
    range: RangeInclusive<Duration>,
) -> f64 {
    section.duration_or(key, NEVER, range).map_or(f64::INFINITY, |span| span.as_secs_f64())
}

fn hosts(section: &mut Section<'_>) -> Hosts {
    let named = Discipline::ALL.into_iter().map(|one| (one.name(), Some(one)));
    let disciplines: Vec<_> = [("auto", None)].into_iter().chain(named).collect();
    Hosts {
        count: section.whole("count", 1..=HOSTS_MAX as u64),
        cores: section.whole("cores", 1..=1024),
        speeds: section.numbers("speeds", 1e-6..=1e6),
        discipline: section.word("discipline", &disciplines),
        preemption: preemption(section),
        boot: secs(section, "boot", Duration::ZERO..=DAY),
    }
}

/// For what the worker has, see [`weighbridge_schedule::defaults`].
fn preemption(section: &mut Section<'_>) -> Preemption {
    Preemption {
        checkpoint: secs(section, "checkpoint", Duration::ZERO..=HOUR),
        yields_after: secs_or_never(section, "yields_after", Duration::ZERO..=DAY),
        age_factor: section.number("age_factor", 0.0..=1e6),
        age_floor: secs_or_never(section, "age_floor", Duration::ZERO..=DAY),
    }
}

fn arrivals(mut section: Section<'_>, sizes: &Sizes) -> Arrivals {
    let bursty = Arrivals::Bursty {
        factor: section.number("factor", 1.0..=1e6),
        share: section.number("share", 1e-6..=0.999),
        length: secs(&mut section, "length", NS..=DAY),
    };
    let diurnal = Arrivals::Diurnal {
        amplitude: section.number("amplitude", 0.0..=1.0),
        period: secs(&mut section, "period", NS..=YEAR),
    };
    let processes = [
        ("poisson", Arrivals::Poisson),
        ("bursty", bursty),
        ("diurnal", diurnal),
        ("trace", Arrivals::Trace),
    ];
    let process = section.word("process", &processes);
    let gaps = sizes.trace.as_ref().is_some_and(|trace| !trace.gaps().is_empty());
    section.check(gaps || process != Arrivals::Trace, &["process"], || {
        "arrivals.process is \"trace\", but no trace says when requests came".to_owned()
    });
    section.finish();
    process
}

fn sizes(mut section: Section<'_>, path: &Path) -> Sizes {
    let trace = trace(&mut section, path);
    let mut defaults = section.table("class_defaults");
    let one = class(&mut defaults);
    let items = section.tables("classes", &defaults);
    defaults.finish();
    let mut classes = Vec::new();
    for mut item in items {
        classes.push(class(&mut item));
        item.finish();
    }
    if classes.is_empty() {
        classes.push(one);
    }
    let sizes = trace.map_or(Sizes { classes, scale: 1.0, trace: None }, Sizes::of_trace);
    let mean = section.duration_or("mean", "unscaled", NS..=DAY);
    section.finish();
    match mean {
        Some(mean) => sizes.scaled_to(mean.as_secs_f64()),
        None => sizes,
    }
}

fn trace(section: &mut Section<'_>, path: &Path) -> Option<Trace> {
    let file = text(section, "trace", "a file, or \"\" for none");
    if file.is_empty() {
        return None;
    }
    let trace = Trace::read(&path.with_file_name(&file));
    let tell = |error| section.check(false, &["trace"], || format!("sizes.trace: {error}"));
    trace.map_err(tell).ok()
}

fn class(section: &mut Section<'_>) -> Class {
    let mean = secs(section, "mean", NS..=DAY);
    let cv = section.number("cv", 1e-6..=1e3);
    let alpha = section.number("alpha", 0.01..=100.0);
    let (min, max) = (secs(section, "min", NS..=DAY), secs(section, "max", NS..=DAY));
    let laws = ["exponential", "deterministic", "log_normal", "pareto"].map(|name| (name, name));
    let law = match section.word("law", &laws) {
        "deterministic" => Law::Deterministic { mean },
        "log_normal" => Law::LogNormal { mean, cv },
        "pareto" => Law::Pareto { alpha, min, max },
        _ => Law::Exponential { mean },
    };
    let good = min < max && 1e-6 <= (alpha - 1.0).abs();
    section.check(good || !matches!(law, Law::Pareto { .. }), &["min", "max", "alpha"], || {
        format!("{}: expected min < max, and an alpha other than 1", section.name("law"))
    });
    let route = text(section, "route", "the name of a route");
    Class { route, share: section.number("share", 1e-9..=1e9), law }
}

/// The functions, in the order of their routes: then they have the numbers that the balancer gives
/// them.
fn functions(root: &mut Section<'_>, sizes: &Sizes) -> Vec<FunctionKind> {
    let mut defaults = root.table("function_defaults");
    function(&mut defaults);
    let items = root.tables("functions", &defaults);
    defaults.finish();
    let routes: Vec<&str> = sizes.classes.iter().map(|class| class.route.as_str()).collect();
    let mut seen = BTreeSet::new();
    let mut functions = Vec::new();
    for mut item in items {
        let (name, kind) = function(&mut item);
        let route = routes.iter().position(|route| *route == name);
        item.check(route.is_some(), &["route"], || {
            let routes = routes.join("`, `");
            format!("{} is `{name}`: expected a route of `sizes`: `{routes}`", item.name("route"))
        });
        item.check(seen.insert(name.clone()), &["route"], || {
            format!("{} is `{name}`, as that of another function", item.name("route"))
        });
        functions.extend(route.map(|route| FunctionKind { route: route as u16, ..kind }));
        item.finish();
    }
    functions.sort_by_key(|function| function.route);
    functions
}

/// The name of its route, and the function as if it were for the first route.
fn function(section: &mut Section<'_>) -> (String, FunctionKind) {
    let name = text(section, "route", "the name of a route");
    let mean = secs(section, "cold_start", Duration::ZERO..=HOUR);
    let function = FunctionKind {
        route: 0,
        speed: section.number("speed", 1e-3..=1e3),
        cold_start: match section.number("cold_start_cv", 0.0..=10.0) {
            cv if 0.0 < cv => Law::LogNormal { mean, cv },
            _ => Law::Deterministic { mean },
        },
        idle_max: secs(section, "idle_max", Duration::ZERO..=DAY),
        concurrency_max: section.whole("concurrency_max", 0..=100_000),
        crashes: section.number("crashes", 0.0..=1.0),
        round_trip: secs(section, "round_trip", Duration::ZERO..=HOUR),
    };
    (name, function)
}

/// The most clients.
const CLIENTS_MAX: usize = 10_000;

/// Each table stands for one client, or for `count` of them that are numbered.
fn clients(root: &mut Section<'_>) -> Vec<Client> {
    let mut defaults = root.table("client_defaults");
    client(&mut defaults);
    let items = root.tables("clients", &defaults);
    defaults.finish();
    let mut seen = BTreeSet::new();
    let mut clients = Vec::new();
    for mut item in items {
        let (one, count) = client(&mut item);
        item.check(!one.name.is_empty() && seen.insert(one.name.clone()), &["name"], || {
            format!("{} is `{}`: expected a name of its own", item.name("name"), one.name)
        });
        item.check(clients.len() + count <= CLIENTS_MAX, &["count"], || {
            format!("{}: expected at most {CLIENTS_MAX} clients in all", item.name("count"))
        });
        let numbered = |n: usize| match count {
            1 => one.clone(),
            _ => Client { name: format!("{}-{}", one.name, n + 1), ..one.clone() },
        };
        clients.extend((0..count.min(CLIENTS_MAX)).map(numbered));
        item.finish();
    }
    clients
}

/// A client, and how many there are that are like it.
fn client(section: &mut Section<'_>) -> (Client, usize) {
    let time_left = section.duration_or("time_left", "any", Duration::ZERO..=DAY);
    let factor = section.number("time_left_factor", 0.0..=1e6);
    let client = Client {
        name: text(section, "name", "the name of a client"),
        share: section.number("share", 1e-9..=1e9),
        class: text(section, "class", "the name of a class"),
        time_left: time_left.map(|floor| (floor.as_secs_f64(), factor)),
    };
    (client, section.whole("count", 1..=CLIENTS_MAX as u64))
}

/// Tells of clients whose class Weighbridge does not know.
fn check_classes(root: &Section<'_>, clients: &[Client], weighbridge: &Settings) {
    let share = weighbridge.policy.share.iter();
    let known: Vec<&str> =
        share.flat_map(|share| &share.classes).map(|class| class.name.as_str()).collect();
    for client in clients {
        root.check(known.contains(&client.class.as_str()), &["clients"], || {
            let (name, class, known) = (&client.name, &client.class, known.join("`, `"));
            format!("client `{name}` is of class `{class}`: expected one of `{known}`")
        });
    }
}

fn errors(section: &mut Section<'_>) -> ErrorKind {
    let kinds = [
        ("log_normal", ErrorKind::LogNormal),
        ("random", ErrorKind::Random),
        ("constant", ErrorKind::Constant),
        ("reversed", ErrorKind::Reversed),
    ];
    section.word("error", &kinds)
}

fn learning(section: &mut Section<'_>) -> Learning {
    let kinds = [("frozen", Learning::Frozen), ("live", Learning::Live), ("cold", Learning::Cold)];
    section.word("learning", &kinds)
}

fn reports(mut section: Section<'_>) -> Reports {
    let reports = Reports {
        interval: secs(&mut section, "interval", MS..=DAY),
        lost: section.number("lost", 0.0..=1.0),
        late: section.number("late", 0.0..=1.0),
        late_by: secs(&mut section, "late_by", Duration::ZERO..=DAY),
    };
    section.finish();
    reports
}

fn faults(mut section: Section<'_>) -> Faults {
    let faults = Faults {
        crash_every: secs_or_never(&mut section, "crash_every", MS..=YEAR),
        crash_for: secs(&mut section, "crash_for", Duration::ZERO..=YEAR),
        slow_every: secs_or_never(&mut section, "slow_every", MS..=YEAR),
        slow_for: secs(&mut section, "slow_for", Duration::ZERO..=YEAR),
        slow_part: section.number("slow_part", 1e-3..=1.0),
        detect: secs(&mut section, "detect", Duration::ZERO..=DAY),
    };
    section.finish();
    faults
}

/// How a fleet of `n_hosts` at the start is sized, where the scenario says that it is.
fn scale(root: &mut Section<'_>, n_hosts: usize) -> Option<Scale> {
    let is_there = root.wrote("scale");
    let mut section = root.table("scale");
    let scale = Scale {
        hosts_min: section.whole("hosts_min", 1..=HOSTS_MAX as u64),
        hosts_max: section.whole("hosts_max", 1..=HOSTS_MAX as u64),
        tick: secs(&mut section, "tick", MS..=DAY),
    };
    let bounds = scale.hosts_min..=scale.hosts_max;
    section.check(!is_there || bounds.contains(&n_hosts), &["hosts_min", "hosts_max"], || {
        format!("hosts.count is {n_hosts}: expected one within scale.hosts_min and scale.hosts_max")
    });
    section.finish();
    is_there.then_some(scale)
}

fn weighbridge(
    section: Section<'_>,
    routes: &Routes<'_>,
    hosts: &Hosts,
    scale: Option<Scale>,
) -> Settings {
    let bounds =
        scale.map_or((hosts.count, hosts.count), |scale| (scale.hosts_min, scale.hosts_max));
    Settings::read(section, routes, bounds)
}
