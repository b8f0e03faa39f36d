//! One configuration in the place of another, while requests go on.
//!
//! Routes and fleets keep their numbers: requests that are under way know them by number. What is
//! no longer configured keeps its place, and nothing takes it. So the rooms that requests share can
//! be made anew at any time, and an old room and a new one mean the same by a number.

use std::collections::BTreeSet;
use std::fmt::Debug;

use weighbridge_core::policy::{FunctionId, RoutePolicy};
use weighbridge_core::request::RouteId;

use super::{
    Config, ConfigError, Discovery, FleetConfig, FleetIndex, FleetSource, Mistake, NamedFleet,
    Route,
};

/// The most routes and the most fleets that a process has known, those that are gone included. More
/// need a restart.
const ROUTES_EVER_MAX: usize = 4096;
const FLEETS_EVER_MAX: usize = 250;

/// A configuration to go on by.
#[derive(Debug)]
pub struct Successor {
    /// The configuration, with what cannot be changed as it was.
    pub config: Config,
    /// What the operator changed and cannot be changed while the balancer runs, by key.
    pub kept: Vec<&'static str>,
}

impl Config {
    /// This configuration in the place of `old`.
    ///
    /// # Errors
    ///
    /// So many routes or fleets have come and gone that there are no numbers left.
    pub fn after(mut self, old: &Config) -> Result<Successor, Vec<ConfigError>> {
        let mut kept = Vec::new();
        self.keep_fixed(old, &mut kept);
        self.keep_lambda(old, &mut kept);
        self.number_fleets(old);
        self.number_routes(old);
        let counts = [
            (self.routes.len(), ROUTES_EVER_MAX, "routes"),
            (self.fleets.len(), FLEETS_EVER_MAX, "fleets"),
        ];
        let over = counts.iter().filter(|(n, most, _)| most < n);
        let errors: Vec<ConfigError> = over
            .map(|(n, most, what)| {
                let text = format!(
                    "{n} {what} have come and gone since the start: expected at most {most}; \
                     restart the balancer"
                );
                ConfigError { line: None, mistake: Mistake::Conflict(text) }
            })
            .collect();
        if errors.is_empty() { Ok(Successor { config: self, kept }) } else { Err(errors) }
    }

    /// Keeps what is set up once: sockets, threads, the store, what starts or rents hosts.
    fn keep_fixed(&mut self, old: &Config, kept: &mut Vec<&'static str>) {
        keep((&mut self.listen, &old.listen), "listen", kept);
        let places = |config: &Config| -> Vec<_> {
            let listeners = config.listeners.iter().enumerate();
            // The address of the first is `listen`.
            listeners
                .map(|(nth, one)| ((nth != 0).then_some(one.address), one.tls.is_some()))
                .collect()
        };
        // Sockets are opened once, and whether they speak TLS is known then; how, is read anew.
        if places(self) != places(old) {
            keep((&mut self.listeners, &old.listeners), "listeners", kept);
        }
        if let Some(first) = self.listeners.first_mut() {
            first.address = self.listen;
        }
        keep((&mut self.admin, &old.admin), "admin", kept);
        keep((&mut self.admin_socket, &old.admin_socket), "admin_socket", kept);
        if self.admin_tls.is_some() != old.admin_tls.is_some() {
            keep((&mut self.admin_tls, &old.admin_tls), "admin_certificates", kept);
        }
        keep((&mut self.threads, &old.threads), "threads", kept);
        keep((&mut self.store, &old.store), "store", kept);
        keep((&mut self.jobs, &old.jobs), "jobs", kept);
        keep((&mut self.repeats, &old.repeats), "repeats", kept);
        keep((&mut self.access_log, &old.access_log), "access_log", kept);
        keep((&mut self.traces, &old.traces), "traces", kept);
        keep((&mut self.lambda, &old.lambda), "lambda.timeout", kept);
        keep((&mut self.kubernetes, &old.kubernetes), "kubernetes", kept);
        keep((&mut self.cpu_source, &old.cpu_source), "scale.cpu_source", kept);
        let is_listed = |fleet: &FleetConfig| matches!(fleet.source(), FleetSource::Listed(_));
        if !is_listed(&self.fleet) || !is_listed(&old.fleet) {
            keep((&mut self.fleet, &old.fleet), "fleet", kept);
        }
    }

    /// Functions keep their numbers, prices and what is known of them.
    fn keep_lambda(&mut self, old: &Config, kept: &mut Vec<&'static str>) {
        keep((&mut self.policy.lambda, &old.policy.lambda), "lambda", kept);
        let functions = self.policy.lambda.as_ref().map(|lambda| &lambda.functions);
        for (route, policy) in self.routes.iter().zip(&mut self.policy.routes) {
            let known = functions.and_then(|functions| {
                functions.iter().position(|function| function.name == route.function)
            });
            let nth = known.and_then(|nth| u16::try_from(nth).ok());
            policy.function = nth.map(FunctionId);
        }
    }

    fn number_fleets(&mut self, old: &Config) {
        let mut fleets: Vec<NamedFleet> =
            old.fleets.iter().map(NamedFleet::without_hosts).collect();
        let mut numbers = vec![FleetIndex(0)];
        let mut found = std::mem::take(&mut self.discovery).into_iter();
        let mut discovery: Vec<Discovery> = found.next().into_iter().collect();
        discovery.resize_with(old.discovery.len(), Discovery::default);
        for (fleet, found) in std::mem::take(&mut self.fleets).into_iter().zip(found) {
            let nth = fleets.iter().position(|known| known.name == fleet.name);
            let nth = nth.unwrap_or(fleets.len());
            numbers.push(FleetIndex(nth + 1));
            if nth < fleets.len() {
                (fleets[nth], discovery[nth + 1]) = (fleet, found);
            } else {
                fleets.push(fleet);
                discovery.push(found);
            }
        }
        (self.fleets, self.discovery) = (fleets, discovery);
        for route in &mut self.routes {
            route.fleet = numbers.get(route.fleet.0).copied().unwrap_or_default();
        }
    }

    fn number_routes(&mut self, old: &Config) {
        let mut routes: Vec<Route> = old.routes.clone();
        let mut policies: Vec<RoutePolicy> = old.policy.routes.clone();
        let mut retired: BTreeSet<RouteId> = (0..routes.len()).map(id).collect();
        let mut numbers = Vec::new();
        let new = std::mem::take(&mut self.routes).into_iter();
        for (route, policy) in new.zip(std::mem::take(&mut self.policy.routes)) {
            // Of which something else is looked at is another route, whatever its name.
            let is_it = |(known, before): (&Route, &RoutePolicy)| {
                known.name == route.name && before.features.is_like(&policy.features)
            };
            let nth = routes.iter().zip(&policies).position(is_it).unwrap_or(routes.len());
            numbers.push(id(nth));
            retired.remove(&id(nth));
            if nth < routes.len() {
                (routes[nth], policies[nth]) = (route, policy);
            } else {
                routes.push(route);
                policies.push(policy);
            }
        }
        self.route_table
            .renumber(|route| numbers.get(usize::from(route.0)).copied().unwrap_or(route));
        (self.routes, self.policy.routes, self.retired) = (routes, policies, retired);
    }
}

fn id(nth: usize) -> RouteId {
    RouteId(u16::try_from(nth).unwrap_or(u16::MAX))
}

/// Keeps a value that cannot be changed, and notes the `key` of one that the operator changed.
fn keep<T: Clone + Debug>(
    (new, old): (&mut T, &T),
    key: &'static str,
    kept: &mut Vec<&'static str>,
) {
    // What is shown of these values is all that they are.
    if format!("{new:?}") != format!("{old:?}") {
        kept.push(key);
        new.clone_from(old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Shown, Taken};

    /// Routes as named, each at its own path, with the fleet that stands beside it.
    fn config(routes: &[(&str, &str)], rest: &str) -> Config {
        use std::fmt::Write as _;
        let mut text = format!("store.kind = \"off\"\n{rest}");
        for (nth, (_, fleet)) in routes.iter().enumerate() {
            let head = match *fleet {
                "main" => "[fleet]\nkind = \"static\"\n[fleet.static]\n".to_owned(),
                other => format!("[fleets.{other}]\n"),
            };
            writeln!(text, "{head}hosts = [{{ address = \"10.0.0.{nth}:1\" }}]").unwrap();
        }
        for (name, fleet) in routes {
            writeln!(text, "[[routes]]\nname = \"{name}\"\npath = \"/{name}\"").unwrap();
            writeln!(text, "fleet = \"{fleet}\"").unwrap();
        }
        Config::parse(&text, &[]).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"))
    }

    fn taken(config: &Config, path: &str) -> Taken {
        config.route_table.take(Shown { host: None, path, method: &http::Method::GET })
    }

    #[test]
    fn routes_and_fleets_keep_their_numbers() {
        let old = config(&[("a", "x"), ("b", "y")], "");
        let new = config(&[("c", "z"), ("b", "y")], "").after(&old).unwrap();
        assert!(new.kept.is_empty(), "{:?}", new.kept);
        let new = new.config;
        let names: Vec<&str> = new.routes.iter().map(|route| route.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let names: Vec<&str> = new.policy.routes.iter().map(|route| route.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(new.fleet_names().collect::<Vec<_>>(), ["main", "x", "y", "z"]);
        assert!(new.fleets[0].hosts.is_empty(), "the hosts of a fleet that is gone leave");
        assert_eq!(new.routes[2].fleet, FleetIndex(3));
        assert_eq!(new.routes[1].fleet, FleetIndex(2));
        assert_eq!(new.route_ids().map(|id| id.0).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(taken(&new, "/a"), Taken::Nowhere);
        assert_eq!(taken(&new, "/b"), Taken::Route(RouteId(1)));
        assert_eq!(taken(&new, "/c"), Taken::Route(RouteId(2)));
        // What was gone comes back under its number.
        let again = config(&[("a", "x")], "").after(&new).unwrap().config;
        assert_eq!(taken(&again, "/a"), Taken::Route(RouteId(0)));
        assert_eq!(again.routes[0].fleet, FleetIndex(1));
        assert_eq!(again.fleets[0].hosts.len(), 1);
    }

    #[test]
    fn a_route_that_looks_at_something_else_is_another_one() {
        let old = config(&[("a", "main")], "");
        let rest = "route_defaults.features = [\"2\"]\n";
        let new = config(&[("a", "main")], rest).after(&old).unwrap().config;
        assert_eq!(taken(&new, "/a"), Taken::Route(RouteId(1)));
        assert_eq!(new.retired.iter().copied().collect::<Vec<_>>(), [RouteId(0)]);
        let again = config(&[("a", "main")], "").after(&new).unwrap().config;
        assert_eq!(taken(&again, "/a"), Taken::Route(RouteId(0)));
    }

    #[test]
    fn what_cannot_be_changed_is_kept_and_named() {
        let old = config(&[("a", "main")], "");
        let rest = "listen = \"127.0.0.1:1\"\nthreads = 77\n[access_log]\nto = \"stderr\"\n";
        let new = config(&[("a", "main")], rest).after(&old).unwrap();
        assert_eq!(new.kept, ["listen", "threads", "access_log"]);
        assert_eq!(new.config.listen, old.listen);
        assert_eq!(new.config.threads, old.threads);
        assert_eq!(new.config.access_log, old.access_log);
    }

    #[test]
    fn routes_cannot_come_and_go_for_ever() {
        let mut old = config(&[("a", "main")], "");
        let policy = old.policy.routes[0].clone();
        let of = |name: String| (Route { name: name.clone(), ..old.routes[0].clone() }, name);
        let gone: Vec<_> = (1..ROUTES_EVER_MAX).map(|nth| of(format!("r{nth}"))).collect();
        for (route, name) in gone {
            old.routes.push(route);
            old.policy.routes.push(RoutePolicy { name, ..policy.clone() });
        }
        assert!(config(&[("a", "main")], "").after(&old).is_ok(), "it is there already");
        let errors = config(&[("b", "main")], "").after(&old).unwrap_err();
        assert!(errors[0].to_string().contains("restart the balancer"), "{errors:?}");
    }
}
