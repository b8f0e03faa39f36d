//! The routes: which requests they take, what of a request is looked at, what is believed before
//! anything is known.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{Method, StatusCode};

use weighbridge_core::features::extractors::Extractor;
use weighbridge_core::features::{BodyNeed, FeatureSet};
use weighbridge_core::policy::RoutePolicy;
use weighbridge_core::request::RouteId;
use weighbridge_core::share::ClassPolicy;
use weighbridge_core::units::Work;

use super::clients::Clients;
use super::contract::Written;
use super::fleet::MAIN;
use super::reader::Section;
use super::route_table::{HostName, Takes};
use super::{AnswerMode, BodyMode, Fixed, FleetIndex, JobsConfig, Limits, NamedFleet, Protocol};
use super::{Route, RouteJobs, RouteTable, Taken, Timeouts};
use super::{clients, contract, cross_origin, jobs, lambda, listeners, values};

/// The least that an estimate may be, in CPU-seconds of the reference core.
const WORK_MIN: f64 = 1e-5;

/// The prior of a request of which the route's expression for it says nothing, in CPU-seconds.
const PRIOR_OF_NOTHING: f64 = 0.1;

/// What a path is told to be that is none. A route takes every path that begins with its own.
const PATH_EXPECTED: &str = "the beginning of paths, such as \"/images/\"; `*`, `{name}`, `:name` \
                             and other patterns mean nothing";

/// The most routes.
const ROUTES_MAX: usize = 256;

/// The longest lists of hosts and of methods.
const LISTED_MAX: usize = 64;

/// What routes fall back on, outside their own tables.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds<'a> {
    pub(super) limits: &'a Limits,
    pub(super) timeouts: &'a Timeouts,
    pub(super) fleets: &'a [NamedFleet],
    pub(super) jobs: &'a JobsConfig,
    pub(super) classes: &'a [ClassPolicy],
}

// === impl Bounds ===

impl<'a> Bounds<'a> {
    pub(super) fn new(
        (limits, timeouts): (&'a Limits, &'a Timeouts),
        (fleets, jobs): (&'a [NamedFleet], &'a JobsConfig),
        clients: &'a Clients,
    ) -> Bounds<'a> {
        Bounds { limits, timeouts, fleets, jobs, classes: &clients.share.classes }
    }
}

/// Every route.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// Those with hosts.
    pub(super) with_hosts: Vec<Route>,
    /// What the core knows of them, in the same order.
    pub(super) policies: Vec<RoutePolicy>,
    /// Those that are answered by the balancer itself.
    pub(super) fixed: Vec<Fixed>,
    /// Which takes a request.
    pub(super) table: RouteTable,
    /// Whether the function of each route could be read.
    pub(super) functions_are_known: bool,
}

/// Reads `[[routes]]` and what they fall back on, `[route_defaults]`.
pub(super) fn read(
    root: &mut Section<'_>,
    extractors: &[&'static dyn Extractor],
    bounds: Bounds<'_>,
) -> Routes {
    let mut defaults = root.table("route_defaults");
    // Read once for itself, so that a mistake is told of even where no route falls back on it.
    route(&mut defaults, (String::new(), String::new()), extractors, bounds);
    takes(&mut defaults, String::new());
    defaults.whole_or::<u16>("respond", "off", STATUSES);
    respond_text(&mut defaults);
    if contract::is_written(&defaults) {
        let _asked = defaults.own_table("jobs");
        defaults.check(false, &["jobs"], || {
            "route_defaults.jobs is a table: expected it in one of [[routes]]".to_owned()
        });
    }
    let items = root.tables("routes", &defaults);
    defaults.finish();

    let allowed = !items.is_empty() && items.len() <= ROUTES_MAX;
    root.check(allowed, &["routes"], || format!("routes: expected from 1 to {ROUTES_MAX} of them"));
    let (mut names, mut seen) = (BTreeSet::new(), Vec::new());
    let mut read = Routes { functions_are_known: true, ..Routes::default() };
    let mut table = Vec::new();
    for mut item in items {
        let name = item.text("name", values::NAME, values::name).unwrap_or_default();
        let path = item.text("path", PATH_EXPECTED, path).unwrap_or_default();
        let takes = takes(&mut item, path.clone());
        unique(&item, "name", &name, &mut names);
        distinct(&item, &takes, &mut seen);
        let status = item.whole_or::<u16>("respond", "off", STATUSES);
        let text = respond_text(&mut item);
        let (mut one, policy) = route(&mut item, (name, path), extractors, bounds);
        match contract::read(&mut item, bounds.jobs) {
            Some(Written::Contract(contract)) => one.contract = Some(contract),
            Some(Written::Films(films)) => one.films = Some(films),
            None => {}
        }
        read.functions_are_known &= !item.is_wrong("lambda");
        let status = status.and_then(|status| StatusCode::from_u16(status).ok());
        let taken = if let Some(status) = status {
            read.fixed.push(Fixed { status, text, cors: one.cors });
            Taken::Fixed(read.fixed.len() - 1)
        } else {
            let id = u16::try_from(read.with_hosts.len()).unwrap_or(u16::MAX);
            read.with_hosts.push(one);
            read.policies.push(policy);
            Taken::Route(RouteId(id))
        };
        table.push((takes, taken));
        item.finish();
    }
    root.check(table.is_empty() || !read.with_hosts.is_empty(), &["routes"], || {
        "routes: every one has `respond`, expected at least one that hosts answer".to_owned()
    });
    read.table = RouteTable::new(table);
    read
}

/// What the balancer itself answers.
fn respond_text(section: &mut Section<'_>) -> String {
    let short = |text: &str| (text.len() <= 4096).then(|| text.to_owned());
    section.text("respond_text", "a text of at most 4096 bytes", short).unwrap_or_default()
}

/// The status codes of final answers.
const STATUSES: std::ops::RangeInclusive<u64> = 200..=599;

/// Which requests a route takes.
fn takes(section: &mut Section<'_>, path: String) -> Takes {
    let is_exact = section.word("path_match", &[("prefix", false), ("exact", true)]);
    let hosts = listed(section, "hosts", "a list of names, such as [\"example.org\"]", |text| {
        HostName::parse(text).ok_or("`NAME` without a port, or `*.NAME`")
    });
    let methods = listed(section, "methods", "a list of methods, such as [\"GET\"]", |text| {
        let is_upper = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        let method = Method::from_bytes(text.as_bytes()).ok();
        method.filter(|_| is_upper).ok_or("a method in capitals, such as \"GET\"")
    });
    Takes { hosts, path, is_exact, methods }
}

/// A list of at most [`LISTED_MAX`] texts that `parse` reads, or says what it expected.
fn listed<T>(
    section: &mut Section<'_>,
    key: &'static str,
    expected: &str,
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Vec<T> {
    let texts = section.texts(key, expected);
    section.check(texts.len() <= LISTED_MAX, &[key], || {
        format!("{} has {} entries: expected at most {LISTED_MAX}", section.name(key), texts.len())
    });
    let mut parsed = Vec::new();
    for text in texts {
        match parse(&text) {
            Ok(one) => parsed.push(one),
            Err(expected) => section.check(false, &[key], || {
                format!("{} has `{text}`: expected {expected}", section.name(key))
            }),
        }
    }
    parsed
}

/// What a route and the routes' defaults have in common.
fn route(
    section: &mut Section<'_>,
    (name, path): (String, String),
    extractors: &[&'static dyn Extractor],
    bounds: Bounds<'_>,
) -> (Route, RoutePolicy) {
    let body = section.word("body", &[("buffer", BodyMode::Buffer), ("stream", BodyMode::Stream)]);
    let features = features(section, extractors);
    let hour = Duration::from_hours(1);
    let (prior, features) = prior(section, features, extractors);
    let work_max = work(section, "work_max");
    let policy = RoutePolicy {
        name: name.clone(),
        features,
        prior: prior.unwrap_or(Work::saturating(PRIOR_OF_NOTHING).min(work_max)),
        work_min: Work::saturating(WORK_MIN),
        work_max,
        patience: section.duration("patience", Duration::ZERO..=hour),
        idempotent: section.flag_or("idempotent", "auto"),
        tries_max: section.whole_or("tries_max", "auto", 1..=16),
        function: None,
    };
    let answers =
        [("auto", AnswerMode::Auto), ("hold", AnswerMode::Hold), ("stream", AnswerMode::Stream)];
    let timeouts = Duration::from_millis(1)..=24 * hour;
    let response = section.duration_or("response_timeout", "auto", timeouts);
    let body_bytes = section.size_or("body_bytes", "auto", 0..=16 << 30);
    let route = Route {
        name,
        path,
        body,
        answer: section.word("answer", &answers),
        cors: section.flag("cors"),
        timing_allow_origin: cross_origin::timing(section),
        expose_headers: cross_origin::exposed(section),
        response: response.unwrap_or(bounds.timeouts.response),
        body_bytes: body_bytes.unwrap_or(bounds.limits.body_bytes),
        function: lambda::function(section, body),
        fleet: fleet(section, bounds.fleets),
        jobs: jobs::of_route(section),
        contract: None,
        films: None,
        async_above: jobs::async_above(section).map(|span| Work::saturating(span.as_secs_f64())),
        allow: listeners::networks(section, "allow"),
        client: clients::whose(section),
        class: clients::class_of(section, bounds.classes),
    };
    check(section, &route, &policy, bounds);
    let has_jobs = bounds.jobs.enabled && !speaks_h2c(&route, bounds);
    let jobs = if has_jobs { route.jobs } else { RouteJobs::Never };
    let async_above = route.async_above.filter(|_| jobs == RouteJobs::Prefer);
    (Route { jobs, async_above, ..route }, policy)
}

/// Tells of what does not go together.
fn check(section: &Section<'_>, route: &Route, policy: &RoutePolicy, bounds: Bounds<'_>) {
    check_jobs(section, route, bounds);
    let is_held = route.body == BodyMode::Buffer;
    let blind = policy.features.body_need() == BodyNeed::Nothing;
    section.check(is_held || blind, &["body", "features"], || {
        let name = section.name("body");
        format!("{name} is \"stream\", but a feature looks into the body: expected \"buffer\"")
    });
    let ordered = policy.work_min <= policy.prior && policy.prior <= policy.work_max;
    section.check(ordered, &["prior", "work_max"], || {
        format!("{}: expected \"10us\" <= prior <= work_max", section.name("prior"))
    });
    section.check(is_held || route.answer != AnswerMode::Hold, &["answer", "body"], || {
        let name = section.name("answer");
        format!("{name} is \"hold\", but the body streams: expected \"auto\" or \"stream\"")
    });
    let named = named_fleet(route, bounds);
    section.check(!is_held || !speaks_h2c(route, bounds), &["body", "fleet"], || {
        let name = section.name("body");
        format!("{name} is \"buffer\", but the hosts speak h2c: expected \"stream\"")
    });
    section.check(named.is_none() || route.function.is_empty(), &["lambda", "fleet"], || {
        let name = section.name("lambda");
        format!("{name} is set, but the route's fleet is not \"main\": expected none")
    });
    let is_own = section.wrote("body_bytes");
    let fits = !is_held || !is_own || route.body_bytes <= bounds.limits.buffer_bytes_total;
    section.check(fits, &["body_bytes"], || {
        format!(
            "{} is more than limits.buffer_bytes_total, where bodies are held: expected less",
            section.name("body_bytes")
        )
    });
}

/// Tells of jobs that cannot be.
fn check_jobs(section: &Section<'_>, route: &Route, bounds: Bounds<'_>) {
    let is_off = !bounds.jobs.enabled;
    let is_asked = route.jobs == RouteJobs::Always;
    section.check(!is_off || !is_asked, &["jobs"], || {
        let is = if contract::is_written(section) { "a table" } else { "\"always\"" };
        format!("{} is {is}, but jobs.enabled is false: expected true", section.name("jobs"))
    });
    section.check(!is_asked || !speaks_h2c(route, bounds), &["jobs", "fleet"], || {
        let name = section.name("jobs");
        format!("{name} is \"always\", but the hosts speak h2c: expected \"never\"")
    });
    let Some(_) = route.async_above else { return };
    let name = section.name("async_above");
    section.check(!is_off, &["async_above"], || {
        format!("{name} is set, but jobs.enabled is false: expected true")
    });
    section.check(route.body == BodyMode::Buffer, &["async_above", "body"], || {
        format!("{name} is set, but the body streams: expected body = \"buffer\"")
    });
    section.check(route.jobs == RouteJobs::Prefer, &["async_above", "jobs"], || {
        format!("{name} is set, but the route's jobs are not \"prefer\": expected that")
    });
}

/// The fleet of a route, where it is not the main one.
fn named_fleet<'a>(route: &Route, bounds: Bounds<'a>) -> Option<&'a NamedFleet> {
    route.fleet.0.checked_sub(1).and_then(|nth| bounds.fleets.get(nth))
}

/// Whether a host of the route speaks HTTP/2.
fn speaks_h2c(route: &Route, bounds: Bounds<'_>) -> bool {
    let hosts = named_fleet(route, bounds).map_or(&[][..], |fleet| &fleet.hosts);
    hosts.iter().any(|host| host.protocol == Protocol::H2c)
}

/// The fleet whose hosts answer.
fn fleet(section: &mut Section<'_>, fleets: &[NamedFleet]) -> FleetIndex {
    let expected = "the NAME of a [fleets.NAME], or \"main\" for [fleet]";
    let index = |name: &str| {
        let nth = fleets.iter().position(|fleet| fleet.name == name).map(|nth| nth + 1);
        nth.or((name == MAIN).then_some(0)).map(FleetIndex)
    };
    section.text("fleet", expected, index).unwrap_or_default()
}

/// Tells of a route that takes exactly what another one takes.
fn distinct(item: &Section<'_>, takes: &Takes, seen: &mut Vec<Takes>) {
    let sorted = |takes: &Takes| {
        let mut sorted = takes.clone();
        sorted.hosts.sort();
        sorted.methods.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        sorted
    };
    let takes = sorted(takes);
    item.check(takes.path.is_empty() || !seen.contains(&takes), &["path"], || {
        format!("{} is `{}`, as that of another route", item.name("path"), takes.path)
    });
    seen.push(takes);
}

fn features(section: &mut Section<'_>, extractors: &[&'static dyn Extractor]) -> FeatureSet {
    let expected = "\"auto\" or a list of features, such as [\"query.width * query.height\"]";
    let Some(expressions) = section.texts_or("features", "auto", expected) else {
        return FeatureSet::auto();
    };
    match FeatureSet::parse(&expressions, extractors) {
        Ok(features) => features,
        Err(errors) => {
            for error in errors {
                section.check(false, &["features"], || {
                    format!("{}: {error}", section.name("features"))
                });
            }
            FeatureSet::default()
        }
    }
}

/// The estimate before there is any observation: a duration, or a sum of products of one duration
/// and what requests say. The latter is a feature, too.
fn prior(
    section: &mut Section<'_>,
    features: FeatureSet,
    extractors: &[&'static dyn Extractor],
) -> (Option<Work>, FeatureSet) {
    let expected = "a duration from \"0s\" to \"1d\", such as \"250ms\", or an expression, such as \
                    \"15ns * query.width * query.height\"";
    let written = section.text("prior", expected, written_prior).unwrap_or(WrittenPrior::Work(0.0));
    match written {
        WrittenPrior::Work(secs) => (Some(Work::saturating(secs)), features),
        WrittenPrior::Expression(text) => match features.with_prior(&text, extractors) {
            Ok(features) => (None, features),
            Err(errors) => {
                for error in errors {
                    section
                        .check(false, &["prior"], || format!("{}: {error}", section.name("prior")));
                }
                (None, features)
            }
        },
    }
}

/// A prior as it is written.
#[derive(Debug, Clone, PartialEq)]
enum WrittenPrior {
    /// CPU-seconds.
    Work(f64),
    /// An expression in CPU-seconds.
    Expression(String),
}

fn written_prior(text: &str) -> Option<WrittenPrior> {
    let secs = |text: &str| {
        let span = values::duration(text.trim()).filter(|span| *span <= Duration::from_hours(24));
        span.map(|span| span.as_secs_f64())
    };
    if let Some(secs) = secs(text) {
        return Some(WrittenPrior::Work(secs));
    }
    let product = |product: &str| {
        let mut n_durations = 0;
        let factors = product.split('*').map(|factor| match secs(factor) {
            Some(secs) => {
                n_durations += 1;
                format!("{secs:e}")
            }
            None => factor.trim().to_owned(),
        });
        let factors: Vec<String> = factors.collect();
        (n_durations == 1).then(|| factors.join(" * "))
    };
    let products: Option<Vec<String>> = text.split('+').map(product).collect();
    products.map(|products| WrittenPrior::Expression(products.join(" + ")))
}

/// CPU time of the reference core, written as a duration.
fn work(section: &mut Section<'_>, key: &'static str) -> Work {
    let span = section.duration(key, Duration::ZERO..=Duration::from_hours(24));
    Work::saturating(span.as_secs_f64())
}

fn unique(item: &Section<'_>, key: &'static str, value: &str, seen: &mut BTreeSet<String>) {
    item.check(value.is_empty() || seen.insert(value.to_owned()), &[key], || {
        format!("{} is `{value}`, as that of another route", item.name(key))
    });
}

/// A path as clients can send it (RFC 3986, section 3.3), without what other proxies take for a
/// pattern.
fn path(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()+,;=:@%".contains(&byte);
    let is_path = text.starts_with('/') && text.len() <= 1024 && text.bytes().all(plain);
    (is_path && !text.contains("/:")).then(|| text.to_owned())
}
