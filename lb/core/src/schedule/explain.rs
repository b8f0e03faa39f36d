//! The account of a decision, as a value: one text for logs, the admin API and tests.

use std::fmt;

use serde::Serialize;

use super::{Delay, Demand, Schedule};
use crate::estimate::{Estimate, Source};
use crate::fleet::Fleet;
use crate::host::{HostId, HostState};
use crate::learn::Quality;
use crate::units::Seconds;

/// The most hosts that an explanation lists; the best ones.
const HOSTS_MAX: usize = 100;

/// Why a request would go where it would go.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The route's name.
    pub route: String,
    /// What the request is predicted to cost.
    pub estimate: Estimate,
    /// What the model saw.
    pub features: Vec<(String, f64)>,
    /// The model and how good it is.
    pub quality: Quality,
    /// The filters in order, with how many hosts were left after each.
    pub filters: Vec<FilterAccount>,
    /// The weighers in order, with their multipliers.
    pub weighers: Vec<(String, f64)>,
    /// Hosts that passed the filters, best first, those that are closed to the request last; of a
    /// large fleet the best 100.
    pub hosts: Vec<HostAccount>,
    /// What would become of the request.
    pub verdict: String,
}

/// What a filter did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilterAccount {
    /// Its name.
    pub name: String,
    /// Hosts left after it.
    pub left: usize,
    /// Whether it was waived, for it would have left none.
    pub waived: bool,
}

/// What a host weighs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostAccount {
    /// Which host.
    pub id: HostId,
    /// Its name.
    pub name: String,
    /// Its weight: the sum of the others.
    pub weight: Seconds,
    /// Each weigher's part, multiplied, in the order of [`Explanation::weighers`].
    pub weights: Vec<Seconds>,
    /// What the request would cost in time there.
    pub delay: Delay,
    /// Whether it may have the request now; where it may not, the request is held.
    pub is_open: bool,
}

/// Filters, weighers and hosts of one decision.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) filters: Vec<FilterAccount>,
    pub(crate) weighers: Vec<(String, f64)>,
    pub(crate) hosts: Vec<HostAccount>,
}

// === impl Schedule ===

impl Schedule {
    /// The account of [`Schedule::rank_open`] for the same arguments, before the random pick: hosts
    /// that are closed come last.
    pub(crate) fn explain(&self, demand: &Demand<'_>, fleet: &Fleet) -> Account {
        let (mut filters, mut passed) = self.filtered(demand, fleet, false);
        if passed.is_empty() {
            (filters, passed) = self.filtered(demand, fleet, true);
        }
        let mut hosts: Vec<HostAccount> =
            passed.into_iter().map(|host| self.account(demand, host)).collect();
        if demand.hold.is_some() {
            let left = hosts.iter().filter(|host| host.is_open).count();
            filters.push(FilterAccount { name: "hold".to_owned(), left, waived: false });
        }
        hosts.sort_by(|a, b| {
            let of_open = b.is_open.cmp(&a.is_open);
            of_open.then(b.weight.0.total_cmp(&a.weight.0)).then(a.id.cmp(&b.id))
        });
        hosts.truncate(HOSTS_MAX);
        let weighers =
            self.weighers.iter().map(|(weigher, by)| (weigher.name().to_owned(), *by)).collect();
        Account { filters, weighers, hosts }
    }

    fn filtered<'a>(
        &self,
        demand: &Demand<'_>,
        fleet: &'a Fleet,
        waive: bool,
    ) -> (Vec<FilterAccount>, Vec<&'a HostState>) {
        let mut passed: Vec<&HostState> = fleet.hosts().iter().collect();
        let mut filters = Vec::new();
        for filter in &self.filters {
            let waived = waive && filter.may_be_waived();
            passed.retain(|host| waived || filter.passes(demand, host));
            filters.push(FilterAccount {
                name: filter.name().to_owned(),
                left: passed.len(),
                waived,
            });
        }
        (filters, passed)
    }

    fn account(&self, demand: &Demand<'_>, host: &HostState) -> HostAccount {
        let weights: Vec<Seconds> = self
            .weighers
            .iter()
            .map(|(weigher, multiplier)| weigher.weight(demand, host) * *multiplier)
            .collect();
        let weight = weights.iter().fold(Seconds::ZERO, |sum, weight| sum + *weight);
        HostAccount {
            id: host.id,
            name: host.spec.name.clone(),
            weight,
            weights,
            delay: Delay::of(demand, host),
            is_open: demand.is_open(host),
        }
    }
}

// === impl Explanation ===

impl fmt::Display for Explanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.estimate.source {
            Source::Prior => "prior",
            Source::Declared => "the declared prior",
            Source::RunningMean => "running mean",
            Source::Model => "model",
            Source::Repeat => "repeat",
        };
        let (mean, p90) = (self.estimate.mean.as_cpu_secs(), self.estimate.p90.as_cpu_secs());
        let believed = if self.estimate.trusted { "" } else { ", not believed" };
        writeln!(out, "route {}", self.route)?;
        writeln!(out, "estimate {mean:.6} s, p90 {p90:.6} s, by {source}{believed}")?;
        for (name, value) in &self.features {
            writeln!(out, "feature {name} {value}")?;
        }
        self.fmt_quality(out)?;
        for filter in &self.filters {
            let waived = if filter.waived { ", waived" } else { "" };
            writeln!(out, "filter {}: {} left{waived}", filter.name, filter.left)?;
        }
        for host in &self.hosts {
            self.fmt_host(out, host)?;
        }
        write!(out, "verdict {}", self.verdict)
    }
}

impl Explanation {
    fn fmt_quality(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quality = &self.quality;
        write!(out, "model {} of {} observations", quality.estimator, quality.observations)?;
        if let Some(mdape) = quality.mdape {
            write!(out, ", median error {:.1} %", mdape * 100.0)?;
        }
        if let Some(coverage) = quality.p90_coverage {
            write!(out, ", {:.1} % below p90", coverage * 100.0)?;
        }
        writeln!(out)
    }

    fn fmt_host(&self, out: &mut fmt::Formatter<'_>, host: &HostAccount) -> fmt::Result {
        write!(out, "host {} {} {:.6}", host.id.0, host.name, host.weight.0)?;
        for ((name, _), weight) in self.weighers.iter().zip(&host.weights) {
            if weight.0 != 0.0 {
                write!(out, " {name} {:.6}", weight.0)?;
            }
        }
        writeln!(out, "{}", if host.is_open { "" } else { ", closed" })
    }
}
