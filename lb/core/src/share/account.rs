//! What is kept of a client, and what of it is shown.

use std::sync::Arc;

use serde::Serialize;

use super::quota::Meter;
use super::{ClassId, Shares, jain};
use crate::units::Time;

/// What is kept of a client.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) name: Arc<str>,
    pub(super) class: ClassId,
    /// CPU seconds over weight, at the origin.
    pub(super) attained: f64,
    /// CPU seconds that are charged and not settled.
    pub(super) charged: f64,
    /// CPU seconds that were settled, since it is remembered.
    pub(super) used: f64,
    /// Requests that the balancer has not finished with.
    pub(super) here: u32,
    /// Requests that were taken.
    pub(super) requests: u64,
    /// Requests that were refused.
    pub(super) refused: u64,
    pub(super) meter: Meter,
    /// When it last asked, where that is not longer ago than a half-life.
    pub(super) seen: Option<Time>,
    /// When what it has attained is forgotten, as long as it has nothing here.
    pub(super) forgotten_at: Time,
}

/// A client, for people who look.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClientShown {
    /// Its name; [`OTHER`](super::OTHER) for those without an account of their own.
    pub client: String,
    /// The name of its class.
    pub class: String,
    /// What it has attained, decayed, in CPU seconds.
    pub attained_cpu_seconds: f64,
    /// What its requests have used, since it is remembered.
    pub used_cpu_seconds: f64,
    /// What those are estimated to use that run now.
    pub running_cpu_seconds: f64,
    /// Its requests that are here.
    pub here: u32,
    /// Its requests that were taken, since it is remembered.
    pub requests: u64,
    /// Its requests that were refused, since it is remembered.
    pub refused: u64,
}

/// A class, for people who look.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassShown {
    /// Its name.
    pub class: String,
    /// That of its policy.
    pub priority: u8,
    /// That of its policy.
    pub weight: f64,
    /// How evenly its clients have been served, by Jain's index; `None` where there are none.
    pub fairness: Option<f64>,
    /// What its clients' requests have used, of those that are remembered.
    pub used_cpu_seconds: f64,
}

// === impl Account ===

impl Account {
    pub(super) fn new(name: Arc<str>, class: ClassId) -> Account {
        Account {
            name,
            class,
            attained: 0.0,
            charged: 0.0,
            used: 0.0,
            here: 0,
            requests: 0,
            refused: 0,
            meter: Meter::default(),
            seen: None,
            forgotten_at: Time::ZERO,
        }
    }
}

// === impl Shares ===

impl Shares {
    /// The clients that are remembered, those that have attained most first. Nothing where there is
    /// one client.
    pub fn clients(&self, now: Time) -> Vec<ClientShown> {
        let Some(policy) = &self.policy else { return Vec::new() };
        let worth = self.worth(now);
        let shown = self.accounts.values().filter(|account| 0 < account.requests + account.refused);
        let mut shown: Vec<ClientShown> = shown
            .map(|account| {
                let class = policy.classes.get(usize::from(account.class.0));
                ClientShown {
                    client: account.name.to_string(),
                    class: class.map(|class| class.name.clone()).unwrap_or_default(),
                    attained_cpu_seconds: account.attained / worth
                        * class.map_or(1.0, |class| class.weight),
                    used_cpu_seconds: account.used,
                    running_cpu_seconds: account.charged.max(0.0),
                    here: account.here,
                    requests: account.requests,
                    refused: account.refused,
                }
            })
            .collect();
        shown.sort_by(|a, b| {
            let most = b.attained_cpu_seconds.total_cmp(&a.attained_cpu_seconds);
            most.then_with(|| a.client.cmp(&b.client)).then_with(|| a.class.cmp(&b.class))
        });
        shown
    }

    /// The classes, in the policy's order.
    pub fn classes(&self, now: Time) -> Vec<ClassShown> {
        let policy = self.policy.iter().flat_map(|policy| &policy.classes).enumerate();
        let shown = policy.map(|(index, class)| {
            let of_class =
                self.accounts.values().filter(|account| usize::from(account.class.0) == index);
            let attained = of_class.clone().map(|account| account.attained / self.worth(now));
            ClassShown {
                class: class.name.clone(),
                priority: class.priority,
                weight: class.weight,
                fairness: jain(attained.filter(|secs| super::decay::FORGOTTEN < *secs)),
                used_cpu_seconds: of_class.map(|account| account.used).sum(),
            }
        });
        shown.collect()
    }
}
