//! One run: a scenario, a policy, a workload.

use weighbridge_core::host::Discipline;

use super::autoscalers::{self, Autoscaler, Future, Rule};
use super::measure::Measured;
use super::policies::{self, Policy, Shape};
use super::proxy::{Ordinary, Proxy};
use super::random::stream;
use super::scenario::Scenario;
use super::weighbridge::Weighbridge;
use super::workload::Workload;
use super::world::World;

/// What is asked for: `NAME`, `NAME@DISCIPLINE`, `NAME+AUTOSCALER` or both.
#[derive(Debug, Clone)]
pub struct PolicySpec {
    /// As written.
    pub text: String,
    kind: Kind,
    discipline: Option<Discipline>,
    autoscaler: Option<&'static Rule>,
}

/// What dispatches.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The production balancer.
    Weighbridge,
    /// A rival.
    Rival(&'static Policy),
}

/// The name of the production balancer.
const WEIGHBRIDGE: &str = "weighbridge";

/// Why a policy cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// There is no dispatcher of that name.
    #[error("no policy is called `{0}`, expected one of `{names}`", names = names().join("`, `"))]
    Unknown(String),
    /// There is no such discipline.
    #[error("no discipline is called `{0}`, expected `srpt`, `ps` or `fcfs`")]
    Discipline(String),
    /// There is no autoscaler of that name.
    #[error("no autoscaler is called `{0}`, expected one of `{names}`", names = rules().join("`, `"))]
    Autoscaler(String),
}

// === impl PolicySpec ===

impl PolicySpec {
    /// Reads what is asked for.
    pub fn parse(text: &str) -> Result<PolicySpec, PolicyError> {
        let (rest, autoscaler) = match text.split_once('+') {
            Some((rest, name)) => {
                let rule = autoscalers::by_name(name);
                (rest, Some(rule.ok_or_else(|| PolicyError::Autoscaler(name.to_owned()))?))
            }
            None => (text, None),
        };
        let (name, discipline) = match rest.split_once('@') {
            Some((name, discipline)) => (name, Some(discipline_of(discipline)?)),
            None => (rest, None),
        };
        let kind = Kind::by_name(name).ok_or_else(|| PolicyError::Unknown(name.to_owned()))?;
        Ok(PolicySpec { text: text.to_owned(), kind, discipline, autoscaler })
    }

    /// Every policy there is.
    pub fn all() -> Vec<PolicySpec> {
        let kinds = names().into_iter().filter_map(|name| Some((name, Kind::by_name(name)?)));
        let spec = |(name, kind): (&str, Kind)| PolicySpec {
            text: name.to_owned(),
            kind,
            discipline: None,
            autoscaler: None,
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
            Kind::Weighbridge => {
                Box::new(Weighbridge::new(scenario, self.autoscaler.is_none(), seed))
            }
            Kind::Rival(policy) => Box::new(Ordinary::new((policy.make)(), policy.shape, seed)),
        }
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

// === impl Kind ===

impl Kind {
    fn by_name(name: &str) -> Option<Kind> {
        match name {
            WEIGHBRIDGE => Some(Kind::Weighbridge),
            _ => policies::by_name(name).map(Kind::Rival),
        }
    }

    fn shape(self) -> Shape {
        match self {
            Kind::Weighbridge => Shape { discipline: Discipline::Srpt, ..Shape::ORDINARY },
            Kind::Rival(policy) => policy.shape,
        }
    }
}

/// The names of all policies.
pub fn names() -> Vec<&'static str> {
    let rivals = policies::ALL.iter().map(|policy| policy.name);
    [WEIGHBRIDGE].into_iter().chain(rivals).collect()
}

/// What policies and autoscalers there are, a line each.
pub fn listing() -> String {
    let line = |name: &str, about: &str| format!("  {name:<21} {about}\n");
    let weighbridge = line(WEIGHBRIDGE, "the production balancer, with its own scaling");
    let rivals = policies::ALL.iter().map(|policy| line(policy.name, policy.about));
    let rules = autoscalers::ALL.iter().map(|rule| line(rule.name, rule.about));
    let (rivals, rules): (String, String) = (rivals.collect(), rules.collect());
    format!("Policies:\n{weighbridge}{rivals}\nAutoscalers:\n{rules}")
}

fn rules() -> Vec<&'static str> {
    autoscalers::ALL.iter().map(|rule| rule.name).collect()
}

fn discipline_of(name: &str) -> Result<Discipline, PolicyError> {
    match name {
        "srpt" => Ok(Discipline::Srpt),
        "ps" => Ok(Discipline::Ps),
        "fcfs" => Ok(Discipline::Fcfs),
        _ => Err(PolicyError::Discipline(name.to_owned())),
    }
}

#[cfg(test)]
mod tests;
