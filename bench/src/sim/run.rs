//! One run: a scenario, a policy, a workload.

use weighbridge_core::host::Discipline;

use super::autoscalers::{self, Autoscaler, Future, Rule};
use super::measure::Measured;
use super::policies::{self, Policy, Shape};
use super::proxy::{Ordinary, Proxy};
use super::random::stream;
use super::scenario::Scenario;
use super::workload::Workload;
use super::world::World;

/// What is asked for: `NAME`, `NAME@DISCIPLINE`, `NAME+AUTOSCALER` or both.
#[derive(Debug, Clone)]
pub struct PolicySpec {
    /// As written.
    pub text: String,
    policy: &'static Policy,
    discipline: Option<Discipline>,
    autoscaler: Option<&'static Rule>,
}

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
        let policy = policies::by_name(name);
        let policy = policy.ok_or_else(|| PolicyError::Unknown(name.to_owned()))?;
        Ok(PolicySpec { text: text.to_owned(), policy, discipline, autoscaler })
    }

    /// Every policy there is.
    pub fn all() -> Vec<PolicySpec> {
        let all = policies::ALL.iter().map(|policy| PolicySpec {
            text: policy.name.to_owned(),
            policy,
            discipline: None,
            autoscaler: None,
        });
        all.collect()
    }

    /// Runs it.
    pub fn run(
        &self,
        scenario: &Scenario,
        workload: &Workload,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Measured {
        let mut scenario = scenario.clone();
        if self.discipline.is_some() && !self.policy.shape.pooled {
            scenario.hosts.discipline = self.discipline;
        }
        let shape = self.policy.shape;
        let proxies = (0..scenario.balancers).map(|index| self.proxy(&scenario, shape, index));
        let proxies = proxies.collect();
        let autoscaler = self.autoscaler(&scenario, workload);
        World::new(&scenario, workload, shape, proxies, autoscaler).run(&self.text, progress)
    }

    fn proxy(&self, scenario: &Scenario, shape: Shape, index: usize) -> Box<dyn Proxy> {
        let seed = stream(scenario.seed, 100 + index as u64);
        Box::new(Ordinary::new((self.policy.make)(), shape, seed))
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

/// The names of all policies.
pub fn names() -> Vec<&'static str> {
    policies::ALL.iter().map(|policy| policy.name).collect()
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
