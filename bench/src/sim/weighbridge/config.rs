//! Weighbridge's configuration: its own defaults, with what the scenario lays over them.

use std::time::Duration;

use toml::{Table, Value};
use weighbridge_core::balancer::Policy;
use weighbridge_proxy::config::Config;
use weighbridge_proxy::config::reader::{Document, Section};
use weighbridge_scene_extract::extractors;

use crate::sim::cost::Prices;
use crate::sim::functions::{FunctionKind, VCPUS};
use crate::sim::sizes::Sizes;

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

/// The routes of a simulation.
#[derive(Debug, Clone, Copy)]
pub struct Routes<'a> {
    /// A class of sizes is a route.
    pub sizes: &'a Sizes,
    /// The functions that some of them may use.
    pub functions: &'a [FunctionKind],
    /// Whether their requests are of several clients.
    pub has_clients: bool,
}

/// The least and the most hosts of a fleet.
pub type HostBounds = (usize, usize);

// === impl Settings ===

impl Settings {
    /// Reads `section`, as an operator's file, for these routes, those with a function with one on
    /// Lambda. Mistakes go to the section's reader; where there is one, the result means nothing.
    pub fn read(section: Section<'_>, routes: &Routes<'_>, hosts: HostBounds) -> Settings {
        section.check(!section.wrote("routes"), &["routes"], || {
            "weighbridge.routes are those of `sizes`: expected none here".to_owned()
        });
        let patience = section.reading_again().table("route_defaults").wrote("patience");
        let mut simulated = fleet(hosts);
        let (functions, has_clients) = (routes.functions, routes.has_clients);
        let classes = routes.sizes.classes.iter().enumerate();
        let routes = classes.map(|(index, class)| {
            let on_lambda = functions.iter().any(|one| usize::from(one.route) == index);
            let mut route = route(&class.route, on_lambda, !patience);
            if has_clients {
                route.insert("client".to_owned(), "header.client".into());
            }
            Value::Table(route)
        });
        simulated.insert("routes".to_owned(), Value::Array(routes.collect()));
        if !functions.is_empty() {
            simulated.insert("lambda".to_owned(), Value::Table(lambda()));
        }
        let simulated = simulated.to_string();
        let below = [Document::defaults(&simulated), Document::defaults(Config::default_text())];
        let config = Config::read(section.falling_back_on(&below), &extractors());
        let (tick, lambda_timeout) = (config.timeouts.tick_interval, config.lambda.timeout);
        Settings { policy: config.policy, tick, lambda_timeout }
    }
}

/// A route whose one feature is what is predicted of the request.
fn route(name: &str, on_lambda: bool, as_shipped: bool) -> Table {
    let mut route = Table::new();
    route.insert("name".to_owned(), name.into());
    route.insert("path".to_owned(), format!("/{name}").into());
    route.insert("features".to_owned(), Value::Array(vec!["header.predicted".into()]));
    if on_lambda {
        route.insert("lambda".to_owned(), name.into());
    }
    if as_shipped && let Some(patience) = shipped_patience(name) {
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

/// The fleet as the policy has to know it.
fn fleet((hosts_min, hosts_max): HostBounds) -> Table {
    let whole = |number| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let mut scale = Table::new();
    scale.insert("hosts_min".to_owned(), whole(hosts_min));
    scale.insert("hosts_max".to_owned(), whole(hosts_max));
    Table::from_iter([("scale".to_owned(), Value::Table(scale))])
}

/// Lambda is on, at the list prices.
fn lambda() -> Table {
    let prices = &Prices::listed().lambda;
    let mut lambda = Table::new();
    lambda.insert("enabled".to_owned(), true.into());
    lambda.insert("memory_gb".to_owned(), (VCPUS * prices.gb_per_vcpu).into());
    lambda.insert("usd_per_gb_second".to_owned(), prices.usd_per_gb_second.into());
    lambda.insert("usd_per_request".to_owned(), (prices.usd_per_million_requests / 1e6).into());
    lambda
}
