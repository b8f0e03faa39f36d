//! One run: a scenario, a policy, a workload.

use std::time::Duration;

use weighbridge_core::host::Discipline;
use weighbridge_core::share::{self, RULES};
use weighbridge_proxy::config::parse_duration;

use super::autoscalers::{self, Autoscaler, Future, Rule};
use super::measure::Measured;
use super::policies::{self, Policy, Shape};
use super::proxy::{Ordinary, Proxy};
use super::random::stream;
use super::scenario::{HOSTS_MAX, Scenario};
use super::weighbridge::Weighbridge;
use super::workload::Workload;
use super::world::World;

/// What is asked for: `NAME`, `NAME@DISCIPLINE`, `NAME+AUTOSCALER` or both. Behind it may stand
/// what differs from the scenario: `:hosts=N` to start with, `:lambda=off`, `:clients=off`,
/// `:deadlines=off`, `:without=CLIENT`, `:rule=NAME`, `:half_life=DURATION`,
/// `:slack=X`.
#[derive(Debug, Clone)]
pub struct PolicySpec {
    /// As written.
    pub text: String,
    kind: Kind,
    discipline: Option<Discipline>,
    autoscaler: Option<&'static Rule>,
    otherwise: Otherwise,
}

/// What of the scenario is otherwise for one policy.
#[derive(Debug, Clone, Default)]
struct Otherwise {
    /// As many hosts at the start.
    hosts: Option<usize>,
    /// There are no functions.
    without_lambda: bool,
    /// Weighbridge is not told whose requests are.
    without_clients: bool,
    /// Weighbridge is not told until when requests are of use.
    without_deadlines: bool,
    /// That client sends nothing.
    without: Option<String>,
    /// The order of clients.
    rule: Option<&'static dyn share::Rule>,
    half_life: Option<Duration>,
    slack: Option<f64>,
}

/// What dispatches.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The production balancer.
    Weighbridge,
    /// The same, where every request is a job.
    Jobs,
    /// A rival.
    Rival(&'static Policy),
}

/// The name of the production balancer.
const WEIGHBRIDGE: &str = "weighbridge";

/// Its name where every request is a job.
const JOBS: &str = "weighbridge-jobs";

/// Why a policy cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// There is no dispatcher of that name.
    #[error("no policy is called `{0}`, expected one of `{names}`", names = names().join("`, `"))]
    Unknown(String),
    /// There is no such discipline.
    #[error("no discipline is called `{0}`, expected one of `{names}`", names = disciplines().join("`, `"))]
    Discipline(String),
    /// There is no autoscaler of that name.
    #[error("no autoscaler is called `{0}`, expected one of `{names}`", names = rules().join("`, `"))]
    Autoscaler(String),
    /// Nothing like that can be otherwise.
    #[error(
        "`{0}` cannot be otherwise, expected `hosts=N`, N from 1 to 10000, `lambda=off`, \
         `clients=off`, `deadlines=off`, `without=CLIENT`, `rule=NAME`, `half_life=DURATION` or \
         `slack=X`"
    )]
    Otherwise(String),
}

// === impl PolicySpec ===

impl PolicySpec {
    /// Reads what is asked for.
    pub fn parse(text: &str) -> Result<PolicySpec, PolicyError> {
        let mut parts = text.split(':');
        let rest = parts.next().unwrap_or_default();
        let otherwise = Otherwise::parse(parts)?;
        let (rest, autoscaler) = match rest.split_once('+') {
            Some((rest, name)) => {
                let rule = autoscalers::by_name(name);
                (rest, Some(rule.ok_or_else(|| PolicyError::Autoscaler(name.to_owned()))?))
            }
            None => (rest, None),
        };
        let (name, discipline) = match rest.split_once('@') {
            Some((name, discipline)) => {
                let known = Discipline::by_name(discipline);
                (name, Some(known.ok_or_else(|| PolicyError::Discipline(discipline.to_owned()))?))
            }
            None => (rest, None),
        };
        let kind = Kind::by_name(name).ok_or_else(|| PolicyError::Unknown(name.to_owned()))?;
        Ok(PolicySpec { text: text.to_owned(), kind, discipline, autoscaler, otherwise })
    }

    /// Every policy there is.
    pub fn all() -> Vec<PolicySpec> {
        let kinds = names().into_iter().filter_map(|name| Some((name, Kind::by_name(name)?)));
        let spec = |(name, kind): (&str, Kind)| PolicySpec {
            text: name.to_owned(),
            kind,
            discipline: None,
            autoscaler: None,
            otherwise: Otherwise::default(),
        };
        kinds.map(spec).collect()
    }

    /// Runs it.
    pub fn run(
        &self,
        scenario: &Scenario,
        workload: &Workload,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Measured {
        let mut scenario = scenario.clone();
        self.otherwise.lay_over(&mut scenario);
        let fewer = self.otherwise.without.as_ref();
        let fewer = fewer.map(|client| workload.without(&scenario, client));
        let workload = fewer.as_ref().unwrap_or(workload);
        let shape = self.kind.shape();
        // A pool is of its own discipline.
        if shape.pooled {
            scenario.hosts.discipline = None;
        } else if self.discipline.is_some() {
            scenario.hosts.discipline = self.discipline;
        }
        let proxies = (0..scenario.balancers).map(|index| self.proxy(&scenario, index));
        let proxies = proxies.collect();
        let autoscaler = self.autoscaler(&scenario, workload);
        World::new(&scenario, workload, shape, proxies, autoscaler).run(&self.text, progress)
    }

    fn proxy(&self, scenario: &Scenario, index: usize) -> Box<dyn Proxy> {
        let seed = stream(scenario.seed, 100 + index as u64);
        match self.kind {
            Kind::Weighbridge => Box::new(self.weighbridge(scenario, seed)),
            Kind::Jobs => Box::new(self.weighbridge(scenario, seed).with_jobs()),
            Kind::Rival(policy) => Box::new(Ordinary::new((policy.make)(), policy.shape, seed)),
        }
    }

    fn weighbridge(&self, scenario: &Scenario, seed: u64) -> Weighbridge {
        Weighbridge::new(scenario, self.autoscaler.is_none(), seed)
    }

    fn autoscaler(&self, scenario: &Scenario, workload: &Workload) -> Option<Box<dyn Autoscaler>> {
        let (rule, scale) = (self.autoscaler?, scenario.scale?);
        let arrivals: Vec<(f64, f64)> =
            workload.requests.iter().map(|request| (request.at, request.work)).collect();
        Some((rule.make)(&Future {
            arrivals: &arrivals,
            boot: scenario.hosts.boot,
            tick: scale.tick,
            host_capacity: scenario.hosts.capacity() / scenario.hosts.count as f64,
            hosts: scenario.hosts.count,
            hosts_min: scale.hosts_min,
            hosts_max: scale.hosts_max,
        }))
    }
}

// === impl Otherwise ===

impl Otherwise {
    fn parse<'a>(parts: impl Iterator<Item = &'a str>) -> Result<Otherwise, PolicyError> {
        let mut otherwise = Otherwise::default();
        for part in parts {
            otherwise.read(part).ok_or_else(|| PolicyError::Otherwise(part.to_owned()))?;
        }
        Ok(otherwise)
    }

    /// Reads one part; `None` where it means nothing.
    fn read(&mut self, part: &str) -> Option<()> {
        match part.split_once('=')? {
            ("lambda", "off") => self.without_lambda = true,
            ("clients", "off") => self.without_clients = true,
            ("deadlines", "off") => self.without_deadlines = true,
            ("without", client) => self.without = Some(client.to_owned()),
            ("rule", name) => {
                self.rule = Some(*RULES.iter().find(|rule| rule.name() == name)?);
            }
            ("half_life", text) => {
                self.half_life = Some(parse_duration(text).filter(|span| !span.is_zero())?);
            }
            ("slack", slack) => {
                let slack = slack.parse().ok().filter(|slack| (0.0..=100.0).contains(slack));
                self.slack = Some(slack?);
            }
            ("hosts", hosts) => {
                let hosts = hosts.parse().ok().filter(|hosts| (1..=HOSTS_MAX).contains(hosts))?;
                self.hosts = Some(hosts);
            }
            _ => return None,
        }
        Some(())
    }

    fn lay_over(&self, scenario: &mut Scenario) {
        let policy = &mut scenario.weighbridge.policy;
        if let Some(hosts) = self.hosts {
            scenario.hosts.count = hosts;
            policy.scale.hosts_min = policy.scale.hosts_min.min(hosts);
            policy.scale.hosts_max = policy.scale.hosts_max.max(hosts);
            if let Some(scale) = &mut scenario.scale {
                scale.hosts_min = scale.hosts_min.min(hosts);
                scale.hosts_max = scale.hosts_max.max(hosts);
            }
        }
        self.lay_over_clients(scenario);
        let policy = &mut scenario.weighbridge.policy;
        if self.without_lambda {
            scenario.functions.clear();
            policy.lambda = None;
            policy.routes.iter_mut().for_each(|route| route.function = None);
        }
    }
}

impl Otherwise {
    fn lay_over_clients(&self, scenario: &mut Scenario) {
        let policy = &mut scenario.weighbridge.policy;
        if self.without_clients {
            policy.share = None;
        }
        if let Some(share) = &mut policy.share {
            share.rule = self.rule.unwrap_or(share.rule);
            share.half_life = self.half_life.unwrap_or(share.half_life);
            share.slack = self.slack.unwrap_or(share.slack);
        }
        scenario.tells_deadlines &= !self.without_deadlines;
    }
}

// === impl Kind ===

impl Kind {
    fn by_name(name: &str) -> Option<Kind> {
        match name {
            WEIGHBRIDGE => Some(Kind::Weighbridge),
            JOBS => Some(Kind::Jobs),
            _ => policies::by_name(name).map(Kind::Rival),
        }
    }

    fn shape(self) -> Shape {
        match self {
            Kind::Weighbridge | Kind::Jobs => {
                Shape { discipline: Discipline::Srpt, ..Shape::ORDINARY }
            }
            Kind::Rival(policy) => policy.shape,
        }
    }
}

/// The names of all policies.
pub fn names() -> Vec<&'static str> {
    let rivals = policies::ALL.iter().map(|policy| policy.name);
    [WEIGHBRIDGE, JOBS].into_iter().chain(rivals).collect()
}

/// What policies, disciplines and autoscalers there are.
pub fn listing() -> String {
    let line = |name: &str, about: &str| format!("  {name:<21} {about}\n");
    let weighbridge = line(WEIGHBRIDGE, "the production balancer, with its own scaling")
        + &line(JOBS, "the same, where every request is a job");
    let rivals = policies::ALL.iter().map(|policy| line(policy.name, policy.about));
    let rules = autoscalers::ALL.iter().map(|rule| line(rule.name, rule.about));
    let (rivals, rules): (String, String) = (rivals.collect(), rules.collect());
    let disciplines = disciplines().join(", ");
    format!(
        "Policies:\n{weighbridge}{rivals}\nDisciplines of hosts: {disciplines}\n\nAutoscalers:\n{rules}"
    )
}

fn rules() -> Vec<&'static str> {
    autoscalers::ALL.iter().map(|rule| rule.name).collect()
}

fn disciplines() -> [&'static str; 3] {
    Discipline::ALL.map(Discipline::name)
}

#[cfg(test)]
mod tests;
