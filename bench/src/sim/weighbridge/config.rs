//! Weighbridge's configuration: its own defaults, with what the scenario lays over them.

use std::time::Duration;

use toml::{Table, Value};
use weighbridge_core::balancer::Policy;
use weighbridge_proxy::config::Config;
use weighbridge_scene_extract::extractors;

use crate::sim::cost::Prices;
use crate::sim::functions::{FunctionKind, VCPUS};

/// What the simulation takes from the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What steers the balancer.
    pub policy: Policy,
    /// Between two ticks.
    pub tick: Duration,
    /// From an invocation of a function until nobody waits for its answer.
    pub lambda_timeout: Duration,
}

/// The fleet as the policy has to know it.
#[derive(Debug, Clone, Copy)]
pub struct FleetBounds {
    /// The least hosts.
    pub hosts_min: usize,
    /// The most hosts.
    pub hosts_max: usize,
    /// Seconds from a launch until a host is ready.
    pub boot: f64,
}

impl Settings {
    /// Those that Weighbridge is shipped with.
    pub fn shipped() -> Option<Settings> {
        let fleet = FleetBounds { hosts_min: 1, hosts_max: 1, boot: 0.0 };
        config(Table::new(), (&[], &[]), fleet).ok()
    }
}

/// Reads `table`, as in an operator's file, for these routes, those of `functions` with one on Lambda.
/// Tells of every mistake.
pub fn config(
    mut table: Table,
    (routes, functions): (&[String], &[FunctionKind]),
    fleet: FleetBounds,
) -> Result<Settings, Vec<String>> {
    let patience = nested(&table, "route_defaults", "patience").is_none();
    let routes = routes.iter().enumerate().map(|(index, name)| {
        let mut route = route(name, patience);
        if functions.iter().any(|function| usize::from(function.route) == index) {
            route.insert("lambda".to_owned(), name.as_str().into());
        }
        Value::Table(route)
    });
    table.insert("routes".to_owned(), Value::Array(routes.collect()));
    set(&mut table, "scale", "hosts_min", whole(fleet.hosts_min));
    set(&mut table, "scale", "hosts_max", whole(fleet.hosts_max));
    if !functions.is_empty() {
        spill_over(&mut table);
    }
    let config = Config::parse(&table.to_string(), &extractors()).map_err(|errors| {
        errors.iter().map(|error| error.mistake.to_string()).collect::<Vec<_>>()
    })?;
    if config.policy.scale.boot_timeout.as_secs_f64() <= fleet.boot {
        return Err(vec!["scale.boot_timeout is not longer than hosts.boot".to_owned()]);
    }
    let (tick, lambda_timeout) = (config.timeouts.tick_interval, config.lambda.timeout);
    Ok(Settings { policy: config.policy, tick, lambda_timeout })
}

/// A route whose one feature is what is predicted of the request.
fn route(name: &str, patience: bool) -> Table {
    let mut route = Table::new();
    route.insert("name".to_owned(), name.into());
    route.insert("path".to_owned(), format!("/{name}").into());
    route.insert("features".to_owned(), Value::Array(vec!["header.predicted".into()]));
    if patience && let Some(patience) = shipped_patience(name) {
        route.insert("patience".to_owned(), patience);
    }
    route
}

/// The patience that Weighbridge is shipped with for the route of that name, or else for its first.
fn shipped_patience(name: &str) -> Option<Value> {
    let table: Table = Config::default_text().parse().ok()?;
    let routes = table.get("routes")?.as_array()?;
    let same = routes.iter().find(|route| route.get("name").and_then(Value::as_str) == Some(name));
    same.or(routes.first())?.get("patience").cloned()
}

fn nested<'a>(table: &'a Table, outer: &str, inner: &str) -> Option<&'a Value> {
    table.get(outer)?.as_table()?.get(inner)
}

/// Lambda is on, at the list prices.
fn spill_over(table: &mut Table) {
    let lambda = &Prices::listed().lambda;
    set(table, "lambda", "enabled", true.into());
    set(table, "lambda", "memory_gb", (VCPUS * lambda.gb_per_vcpu).into());
    set(table, "lambda", "usd_per_gb_second", lambda.usd_per_gb_second.into());
    set(table, "lambda", "usd_per_request", (lambda.usd_per_million_requests / 1e6).into());
}

fn whole(number: usize) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

/// Sets a key that the table leaves out.
fn set(table: &mut Table, outer: &str, inner: &str, value: Value) {
    let outer = table.entry(outer.to_owned()).or_insert_with(|| Value::Table(Table::new()));
    if let Some(outer) = outer.as_table_mut() {
        outer.entry(inner.to_owned()).or_insert(value);
    }
}
