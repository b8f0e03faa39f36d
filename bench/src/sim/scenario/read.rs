//! From the keys of a file to a scenario.

use std::path::Path;

use weighbridge_core::host::Discipline;

use super::reader::Reader;
use super::{Faults, HOSTS_MAX, Hosts, Learning, Overrides, Reports, Scale, Scenario};
use crate::sim::arrivals::Arrivals;
use crate::sim::functions::FunctionKind;
use crate::sim::host::Preemption;
use crate::sim::predict::ErrorKind;
use crate::sim::sizes::{Class, Law, Sizes, Trace};
use crate::sim::weighbridge::{FleetBounds, Settings, config};

/// Bounds of what a run may be asked for.
const REQUESTS_MAX: usize = 100_000_000;
const BALANCERS_MAX: usize = 64;

/// What is compared where a scenario does not say.
const POLICIES: [&str; 2] = ["weighbridge", "round_robin"];

pub(super) fn scenario(
    text: &str,
    path: &Path,
    overrides: &Overrides,
) -> Result<Scenario, Vec<String>> {
    let mut reader = Reader::new(text);
    lay_over(&mut reader, overrides);
    let (hosts, scale) = (hosts(reader.table("hosts")), scale(&reader));
    let sizes = sizes(reader.table("sizes"), path);
    let functions = functions(&reader, &sizes);
    let weighbridge = weighbridge(&reader, (&sizes, &functions), &hosts, scale);
    let predictions = reader.table("predictions");
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
    let scenario = |weighbridge| Scenario {
        name: name.unwrap_or_default(),
        about: reader.text("about", ""),
        policies: reader.texts("policies", &POLICIES),
        requests: reader.whole("requests", 30_000, 1..=REQUESTS_MAX),
        warm_up: reader.number("warm_up", 0.1, 0.0..=10.0),
        seed: overrides.seed.unwrap_or(reader.whole("seed", 1, 0..=usize::MAX) as u64),
        load: reader.number("load", 0.9, 1e-6..=100.0),
        balancers: reader.whole("balancers", 1, 1..=BALANCERS_MAX),
        hosts,
        functions,
        arrivals: arrivals(reader.table("arrivals")),
        sizes,
        errors: errors(&predictions),
        sigma: predictions.number("sigma", 0.3, 0.0..=10.0),
        learning: learning(&predictions),
        round_trip: reader.secs("round_trip", 0.0),
        reports: reports(reader.table("reports")),
        faults: faults(reader.table("faults")),
        scale,
        weighbridge,
    };
    // The defaults stand in for what has mistakes, so that the rest is read, too.
    let scenario = weighbridge.or_else(Settings::shipped).map(scenario);
    predictions.done();
    if let Some(scenario) = &scenario {
        check(scenario, &reader);
    }
    let mistakes = reader.finish();
    scenario.filter(|_| mistakes.is_empty()).ok_or(mistakes)
}

/// What is given on the command line is checked as what is written in the file.
fn lay_over(reader: &mut Reader, overrides: &Overrides) {
    if let Some(load) = overrides.load {
        reader.replace(None, "load", load.into());
    }
    if let Some(sigma) = overrides.sigma {
        reader.replace(Some("predictions"), "sigma", sigma.into());
    }
    // Relative to where the command runs, not to the scenario.
    let trace = overrides.trace.as_ref().and_then(|trace| std::path::absolute(trace).ok());
    if let Some(trace) = trace {
        let trace = trace.to_string_lossy().into_owned();
        reader.replace(Some("sizes"), "trace", trace.into());
    }
}

fn check(scenario: &Scenario, reader: &Reader) {
    let gaps = scenario.sizes.trace.as_ref().is_some_and(|trace| !trace.gaps().is_empty());
    if scenario.arrivals == Arrivals::Trace && !gaps {
        reader
            .mistake("arrivals.process is \"trace\", but no trace says when requests came".into());
    }
    if let Some(scale) = scenario.scale
        && !(scale.hosts_min..=scale.hosts_max).contains(&scenario.hosts.count)
    {
        reader.mistake("hosts.count is outside scale.hosts_min to scale.hosts_max".to_owned());
    }
}

fn hosts(reader: Reader) -> Hosts {
    let named = Discipline::ALL.into_iter().map(|one| (one.name(), Some(one)));
    let disciplines: Vec<_> = [("auto", None)].into_iter().chain(named).collect();
    let hosts = Hosts {
        count: reader.whole("count", 8, 1..=HOSTS_MAX),
        cores: reader.whole("cores", 2, 1..=1024) as u32,
        speeds: reader.numbers("speeds", 1.0),
        discipline: reader.choice("discipline", &disciplines).flatten(),
        preemption: preemption(&reader),
        boot: reader.secs("boot", 30.0),
    };
    reader.done();
    hosts
}

/// That of the textbooks where nothing else is said. For what the worker has, see
/// [`weighbridge_schedule::defaults`].
fn preemption(reader: &Reader) -> Preemption {
    let at_most = |key| if reader.has(key) { reader.secs(key, 0.0) } else { f64::INFINITY };
    Preemption {
        checkpoint: reader.secs("checkpoint", 0.0),
        yields_after: at_most("yields_after"),
        age_factor: reader.number("age_factor", 0.0, 0.0..=1e6),
        age_floor: at_most("age_floor"),
    }
}

fn arrivals(reader: Reader) -> Arrivals {
    let bursty = Arrivals::Bursty {
        factor: reader.number("factor", 5.0, 1.0..=1e6),
        share: reader.number("share", 0.1, 1e-6..=0.999),
        length: reader.secs("length", 10.0),
    };
    let diurnal = Arrivals::Diurnal {
        amplitude: reader.number("amplitude", 0.8, 0.0..=1.0),
        period: reader.secs("period", 86_400.0),
    };
    let processes = [
        ("poisson", Arrivals::Poisson),
        ("bursty", bursty),
        ("diurnal", diurnal),
        ("trace", Arrivals::Trace),
    ];
    let process = reader.choice("process", &processes).unwrap_or(Arrivals::Poisson);
    reader.done();
    process
}

fn sizes(reader: Reader, path: &Path) -> Sizes {
    let trace = reader.text("trace", "");
    let classes: Vec<Class> = reader.tables("classes").into_iter().map(class).collect();
    let none = Class { route: "all".to_owned(), share: 1.0, law: Law::Exponential { mean: 1.0 } };
    let mut sizes = Sizes { classes, scale: 1.0, trace: None };
    if sizes.classes.is_empty() {
        sizes.classes.push(none);
    }
    if !trace.is_empty() {
        match Trace::read(&path.with_file_name(&trace)) {
            Ok(trace) => sizes = Sizes::of_trace(trace),
            Err(error) => reader.mistake(format!("sizes.trace: {error}")),
        }
    }
    if reader.has("mean") {
        let mean = reader.secs("mean", 1.0);
        if 0.0 < mean {
            sizes = sizes.scaled_to(mean);
        } else {
            reader.mistake("`sizes.mean` is 0, expected a duration above it".to_owned());
        }
    }
    reader.done();
    sizes
}

fn class(reader: Reader) -> Class {
    let mean = reader.secs("mean", 1.0).max(1e-9);
    let cv = reader.number("cv", 1.0, 1e-6..=1e3);
    let alpha = reader.number("alpha", 1.5, 0.01..=100.0);
    let (min, max) = (reader.secs("min", 0.01).max(1e-9), reader.secs("max", 100.0));
    if max <= min || (alpha - 1.0).abs() < 1e-6 {
        reader.mistake("a Pareto law needs min < max, and an alpha that is not 1".to_owned());
    }
    let laws = ["exponential", "deterministic", "log_normal", "pareto"].map(|name| (name, name));
    let law = match reader.choice("law", &laws) {
        Some("deterministic") => Law::Deterministic { mean },
        Some("log_normal") => Law::LogNormal { mean, cv },
        Some("pareto") => Law::Pareto { alpha, min, max },
        Some(_) | None => Law::Exponential { mean },
    };
    let class = Class {
        route: reader.text("route", "all"),
        share: reader.number("share", 1.0, 1e-9..=1e9),
        law,
    };
    reader.done();
    class
}

/// The functions, in the order of their routes: then they have the numbers that the balancer gives
/// them.
fn functions(reader: &Reader, sizes: &Sizes) -> Vec<FunctionKind> {
    let tables = reader.tables("functions").into_iter();
    let mut functions: Vec<FunctionKind> =
        tables.filter_map(|table| function(table, sizes)).collect();
    functions.sort_by_key(|function| function.route);
    if functions.windows(2).any(|pair| pair[0].route == pair[1].route) {
        reader.mistake("two of `functions` are for one route".to_owned());
    }
    functions
}

fn function(reader: Reader, sizes: &Sizes) -> Option<FunctionKind> {
    let name = reader.text("route", "");
    let route = sizes.classes.iter().position(|class| class.route == name);
    if route.is_none() {
        reader.mistake(format!("a function is for `{name}`, but no requests are of that route"));
    }
    let mean = reader.secs("cold_start", 1.0);
    let function = FunctionKind {
        route: route.unwrap_or_default() as u16,
        speed: reader.number("speed", 1.0, 1e-3..=1e3),
        cold_start: match reader.number("cold_start_cv", 0.3, 0.0..=10.0) {
            cv if 0.0 < cv => Law::LogNormal { mean, cv },
            _ => Law::Deterministic { mean },
        },
        idle_max: reader.secs("idle_max", 300.0),
        concurrency_max: reader.whole("concurrency_max", 100, 0..=100_000),
        crashes: reader.number("crashes", 0.0, 0.0..=1.0),
        round_trip: reader.secs("round_trip", 0.01),
    };
    reader.done();
    route.map(|_| function)
}

fn errors(reader: &Reader) -> ErrorKind {
    let kinds = [
        ("log_normal", ErrorKind::LogNormal),
        ("random", ErrorKind::Random),
        ("constant", ErrorKind::Constant),
        ("reversed", ErrorKind::Reversed),
    ];
    reader.choice("error", &kinds).unwrap_or(ErrorKind::LogNormal)
}

fn learning(reader: &Reader) -> Learning {
    let kinds = [("frozen", Learning::Frozen), ("live", Learning::Live), ("cold", Learning::Cold)];
    reader.choice("learning", &kinds).unwrap_or(Learning::Frozen)
}

fn reports(reader: Reader) -> Reports {
    let reports = Reports {
        interval: reader.secs("interval", 1.0).max(1e-3),
        lost: reader.number("lost", 0.0, 0.0..=1.0),
        late: reader.number("late", 0.0, 0.0..=1.0),
        late_by: reader.secs("late_by", 1.0),
    };
    reader.done();
    reports
}

fn faults(reader: Reader) -> Faults {
    let every = |key| if reader.has(key) { reader.secs(key, 0.0).max(1e-3) } else { f64::INFINITY };
    let faults = Faults {
        crash_every: every("crash_every"),
        crash_for: reader.secs("crash_for", 10.0),
        slow_every: every("slow_every"),
        slow_for: reader.secs("slow_for", 10.0),
        slow_part: reader.number("slow_part", 0.25, 1e-3..=1.0),
        detect: reader.secs("detect", 1.0),
    };
    reader.done();
    faults
}

fn scale(reader: &Reader) -> Option<Scale> {
    let is_there = reader.has("scale");
    let reader = reader.table("scale");
    let scale = Scale {
        hosts_min: reader.whole("hosts_min", 1, 0..=HOSTS_MAX),
        hosts_max: reader.whole("hosts_max", 20, 1..=HOSTS_MAX),
        tick: reader.secs("tick", 1.0).max(1e-3),
    };
    reader.done();
    is_there.then_some(scale)
}

/// Weighbridge's configuration; `None` where it has mistakes, which are told of.
fn weighbridge(
    reader: &Reader,
    (sizes, functions): (&Sizes, &[FunctionKind]),
    hosts: &Hosts,
    scale: Option<Scale>,
) -> Option<Settings> {
    let routes: Vec<String> = sizes.classes.iter().map(|class| class.route.clone()).collect();
    let (hosts_min, hosts_max) =
        scale.map_or((hosts.count, hosts.count), |scale| (scale.hosts_min, scale.hosts_max));
    let boot = if scale.is_some() { hosts.boot } else { 0.0 };
    let fleet = FleetBounds { hosts_min, hosts_max, boot };
    let settings = config(reader.raw("weighbridge"), (&routes, functions), fleet);
    let tell = |mistakes: Vec<String>| {
        for mistake in mistakes {
            reader.mistake(format!("weighbridge: {mistake}"));
        }
    };
    settings.map_err(tell).ok()
}
