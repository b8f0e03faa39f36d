//! The routes: what path, what of a request is looked at, what is believed before anything is
//! known.

use std::collections::BTreeSet;
use std::time::Duration;

use weighbridge_core::features::extractors::Extractor;
use weighbridge_core::features::{BodyNeed, FeatureSet};
use weighbridge_core::policy::RoutePolicy;
use weighbridge_core::units::Work;

use super::reader::Section;
use super::{BodyMode, Route, lambda};

/// The least that an estimate may be, in CPU-seconds of the reference core.
const WORK_MIN: f64 = 1e-5;

/// What a path is told to be that is none. A route takes every path that begins with its own.
const PATH_EXPECTED: &str = "the beginning of paths, such as \"/images/\"; `*`, `{name}`, `:name` \
                             and other patterns mean nothing";

/// Reads `[[routes]]` and what they fall back on, `[route_defaults]`. Says too whether the function
/// of each route could be read.
pub(super) fn read(
    root: &mut Section<'_>,
    extractors: &[&'static dyn Extractor],
) -> (Vec<Route>, Vec<RoutePolicy>, bool) {
    let mut defaults = root.table("route_defaults");
    // Read once for itself, so that a mistake is told of even where no route falls back on it.
    route_policy(&mut defaults, String::new(), extractors);
    let items = root.tables("routes", &defaults);
    defaults.finish();

    let allowed = !items.is_empty() && items.len() <= 256;
    root.check(allowed, &["routes"], || "routes: expected from 1 to 256 of them".to_owned());
    let (mut names, mut paths) = (BTreeSet::new(), BTreeSet::new());
    let mut are_known = true;
    let mut routes = Vec::new();
    let mut policies = Vec::new();
    for mut item in items {
        let name = item.text("name", "1 to 64 of a-z, 0-9, `_` and `-`", name).unwrap_or_default();
        let path = item.text("path", PATH_EXPECTED, path).unwrap_or_default();
        unique(&item, "name", &name, &mut names);
        unique(&item, "path", &path, &mut paths);
        let (body, function, policy) = route_policy(&mut item, name.clone(), extractors);
        are_known &= !item.is_wrong("lambda");
        routes.push(Route { name, path, body, function });
        policies.push(policy);
        item.finish();
    }
    (routes, policies, are_known)
}

/// What a route and the routes' defaults have in common.
fn route_policy(
    section: &mut Section<'_>,
    name: String,
    extractors: &[&'static dyn Extractor],
) -> (BodyMode, String, RoutePolicy) {
    let body = section.word("body", &[("buffer", BodyMode::Buffer), ("stream", BodyMode::Stream)]);
    let features = features(section, extractors);
    let policy = RoutePolicy {
        name,
        features,
        prior: work(section, "prior"),
        work_min: Work::saturating(WORK_MIN),
        work_max: work(section, "work_max"),
        patience: section.duration("patience", Duration::ZERO..=Duration::from_hours(1)),
        idempotent: section.flag("idempotent"),
        function: None,
    };
    let function = lambda::function(section, body);
    let blind = policy.features.body_need() == BodyNeed::Nothing;
    section.check(body == BodyMode::Buffer || blind, &["body", "features"], || {
        let name = section.name("body");
        format!("{name} is \"stream\", but a feature looks into the body: expected \"buffer\"")
    });
    let ordered = policy.work_min <= policy.prior && policy.prior <= policy.work_max;
    section.check(ordered, &["prior", "work_max"], || {
        format!("{}: expected \"10us\" <= prior <= work_max", section.name("prior"))
    });
    (body, function, policy)
}

fn features(section: &mut Section<'_>, extractors: &[&'static dyn Extractor]) -> FeatureSet {
    let expected = "a list of features, such as [\"query.width * query.height\"]";
    let expressions = section.texts("features", expected);
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

fn name(text: &str) -> Option<String> {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    let good = (1..=64).contains(&text.len()) && text.bytes().all(plain);
    good.then(|| text.to_owned())
}

/// A path as clients can send it (RFC 3986, section 3.3), without what other proxies take for a
/// pattern.
fn path(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()+,;=:@%".contains(&byte);
    let is_path = text.starts_with('/') && text.len() <= 1024 && text.bytes().all(plain);
    (is_path && !text.contains("/:")).then(|| text.to_owned())
}
