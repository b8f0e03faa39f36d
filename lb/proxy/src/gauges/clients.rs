//! What clients have had. Of each class as many are told apart as the configuration says; the rest
//! is summed up, so that the number of series is bounded.

use std::collections::BTreeSet;

use prometheus::{GaugeVec, Opts, Registry};

use weighbridge_core::balancer::Balancer;
use weighbridge_core::share::{ClientShown, OTHER};
use weighbridge_core::units::Time;

use crate::metrics::registered;

/// See the module.
pub(super) struct ClientGauges {
    attained: GaugeVec,
    used: GaugeVec,
    requests: GaugeVec,
    refused: GaugeVec,
    fairness: GaugeVec,
}

impl ClientGauges {
    /// Registers them.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<ClientGauges> {
        let real = |name, help, labels: &[&str]| {
            registered(registry, GaugeVec::new(Opts::new(name, help), labels)?)
        };
        let labels = ["class", "client"];
        Ok(ClientGauges {
            attained: real(
                "weighbridge_client_attained_cpu_seconds",
                "CPU seconds of the reference core that a client has attained, decayed.",
                &labels,
            )?,
            used: real(
                "weighbridge_client_used_cpu_seconds",
                "CPU seconds of the reference core that a client has used since it is remembered.",
                &labels,
            )?,
            requests: real(
                "weighbridge_client_requests",
                "Requests of a client that were taken since it is remembered.",
                &labels,
            )?,
            refused: real(
                "weighbridge_client_refused",
                "Requests of a client that were refused since it is remembered.",
                &labels,
            )?,
            fairness: real(
                "weighbridge_client_fairness_ratio",
                "Jain's index of what the clients of a class have attained; 1 is even.",
                &["fleet", "class"],
            )?,
        })
    }

    /// Forgets everything.
    pub(super) fn begin(&self) {
        let all = [&self.attained, &self.used, &self.requests, &self.refused, &self.fairness];
        all.into_iter().for_each(GaugeVec::reset);
    }

    /// Adds what the balancer of a fleet believes, of at most so many clients by name.
    pub(super) fn read(
        &self,
        (fleet, shown_max): (&str, usize),
        (balancer, now): (&Balancer, Time),
    ) {
        let shares = balancer.shares();
        let clients = shares.clients(now);
        let by_name = clients.iter().filter(|one| one.client != OTHER).take(shown_max);
        let by_name: BTreeSet<(&str, &str)> =
            by_name.map(|one| (one.class.as_str(), one.client.as_str())).collect();
        for one in &clients {
            let is_shown = by_name.contains(&(one.class.as_str(), one.client.as_str()));
            self.add(one, if is_shown { &one.client } else { OTHER });
        }
        for class in shares.classes(now) {
            if let Some(fairness) = class.fairness {
                self.fairness.with_label_values(&[fleet, &class.class]).set(fairness);
            }
        }
    }

    fn add(&self, one: &ClientShown, name: &str) {
        let labels = [one.class.as_str(), name];
        self.attained.with_label_values(&labels).add(one.attained_cpu_seconds);
        self.used.with_label_values(&labels).add(one.used_cpu_seconds);
        self.requests.with_label_values(&labels).add(one.requests as f64);
        self.refused.with_label_values(&labels).add(one.refused as f64);
    }
}
