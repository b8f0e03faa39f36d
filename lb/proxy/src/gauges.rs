//! What the balancer believes, as Prometheus gauges: read from it at each scrape, so that a host
//! that is gone leaves no series behind.

mod clients;

use prometheus::{GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use weighbridge_core::balancer::{Balancer, Counters};
use weighbridge_core::host::{HostState, Phase};
use weighbridge_core::request::RouteId;
use weighbridge_core::units::Time;

use crate::config::{Config, FleetIndex};
use crate::loops::fleet_full;
use crate::metrics::registered;
use clients::ClientGauges;

/// Every phase, for the gauge of hosts by phase.
const PHASES: [(Phase, &str); 3] =
    [(Phase::Starting, "starting"), (Phase::Active, "active"), (Phase::Draining, "draining")];

/// What is wanted of hosts.
const WANTED: &str = "Hosts that the scale plan wants, whoever launches them, by fleet.";

/// Gauges of the fleet, the waiting room and the models.
pub(crate) struct Gauges {
    hosts: IntGaugeVec,
    hosts_wanted: IntGaugeVec,
    fleet_full: IntGauge,
    ejected: IntGaugeVec,
    in_flight: IntGaugeVec,
    work_left: GaugeVec,
    speed: GaugeVec,
    utilization: GaugeVec,
    waiting_requests: IntGauge,
    waiting_bytes: IntGauge,
    buffered_bytes: IntGauge,
    observations: IntGaugeVec,
    model_error: GaugeVec,
    model_coverage: GaugeVec,
    model_trusted: IntGaugeVec,
    decisions: IntCounterVec,
    clients: ClientGauges,
}

impl Gauges {
    /// Registers them.
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Gauges> {
        let whole = |name, help, labels: &[&str]| {
            registered(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
        };
        let real = |name, help, labels: &[&str]| {
            registered(registry, GaugeVec::new(Opts::new(name, help), labels)?)
        };
        let single = |name, help| registered(registry, IntGauge::new(name, help)?);
        Ok(Gauges {
            hosts: whole("weighbridge_hosts", "Hosts, by phase.", &["phase"])?,
            hosts_wanted: whole("weighbridge_hosts_wanted", WANTED, &["fleet"])?,
            fleet_full: single(
                "weighbridge_fleet_full",
                "1 while a fleet that scales has as many hosts as it may.",
            )?,
            ejected: whole("weighbridge_host_ejected", "1 while a host is ejected.", &["host"])?,
            in_flight: whole(
                "weighbridge_host_in_flight",
                "Requests that a host has, from whatever balancer.",
                &["host"],
            )?,
            work_left: real(
                "weighbridge_host_work_left_seconds",
                "Predicted work that a host has left, in CPU-seconds of the reference core.",
                &["host"],
            )?,
            speed: real(
                "weighbridge_host_speed_ratio",
                "Reference cores that one core of a host is worth.",
                &["host"],
            )?,
            utilization: real(
                "weighbridge_host_utilization_ratio",
                "Fraction of a host that is busy; may exceed 1.",
                &["host"],
            )?,
            waiting_requests: single("weighbridge_waiting_requests", "Requests that wait here.")?,
            waiting_bytes: single("weighbridge_waiting_bytes", "Bytes of bodies that wait here.")?,
            buffered_bytes: single(
                "weighbridge_buffered_bytes",
                "Bytes of the memory budget for bodies and held answers that are in use.",
            )?,
            observations: whole(
                "weighbridge_model_observations",
                "Observations that a route's model rests on.",
                &["route"],
            )?,
            model_error: real(
                "weighbridge_model_error_ratio",
                "Median absolute relative error of recent estimates, made before the outcome.",
                &["route"],
            )?,
            model_coverage: real(
                "weighbridge_model_p90_coverage_ratio",
                "Fraction of recent requests that stayed below their 90 % estimate.",
                &["route"],
            )?,
            model_trusted: whole(
                "weighbridge_model_trusted",
                "1 while a route's estimates steer; 0 while the drift gate holds them back.",
                &["route", "estimator"],
            )?,
            decisions: registered(
                registry,
                IntCounterVec::new(
                    Opts::new("weighbridge_decisions_total", "What the balancer decided, by kind."),
                    &["kind"],
                )?,
            )?,
            clients: ClientGauges::new(registry)?,
        })
    }

    /// Forgets everything, before the fleets are read one after the other.
    pub(crate) fn begin(&self) {
        for gauge in [&self.ejected, &self.hosts_wanted, &self.in_flight, &self.model_trusted] {
            gauge.reset();
        }
        self.observations.reset();
        for gauge in [
            &self.work_left,
            &self.speed,
            &self.utilization,
            &self.model_error,
            &self.model_coverage,
        ] {
            gauge.reset();
        }
        for (_, label) in PHASES {
            self.hosts.with_label_values(&[label]).set(0);
        }
        self.waiting_requests.set(0);
        self.waiting_bytes.set(0);
        self.decisions.reset();
        self.clients.begin();
    }

    /// Takes over what the balancer of `fleet` believes.
    pub(crate) fn read(
        &self,
        config: &Config,
        fleet: FleetIndex,
        (balancer, now): (&Balancer, Time),
    ) {
        for (phase, label) in PHASES {
            let n_hosts = balancer.hosts().filter(|host| host.phase == phase).count();
            self.hosts.with_label_values(&[label]).add(signed(n_hosts as u64));
        }
        if let Some(wanted) = balancer.hosts_wanted() {
            let name = config.fleet_names().nth(fleet.0).unwrap_or_default();
            self.hosts_wanted.with_label_values(&[name]).set(signed(wanted as u64));
        }
        if fleet == FleetIndex::default() {
            let most = fleet_full::most(config, balancer);
            self.fleet_full.set(i64::from(most.is_some()));
        }
        for host in balancer.hosts() {
            self.read_host(host, now);
        }
        let waiting = balancer.waiting();
        self.waiting_requests.add(signed(waiting.requests as u64));
        self.waiting_bytes.add(signed(waiting.bytes));
        for id in config.route_ids() {
            let route = config.route(id);
            if route.fleet == fleet {
                self.read_model(&route.name, balancer, id);
            }
        }
        self.read_counters(balancer.counters());
        let name = config.fleet_names().nth(fleet.0).unwrap_or_default();
        self.clients.read((name, config.clients.shown_max), (balancer, now));
    }

    /// Notes how much of the memory budget is in use.
    pub(crate) fn buffered(&self, bytes: u64) {
        self.buffered_bytes.set(signed(bytes));
    }

    fn read_counters(&self, counters: &Counters) {
        let kinds = [
            ("forward", counters.forwards),
            ("lambda", counters.lambdas),
            ("queue", counters.queues),
            ("retry", counters.retries),
            ("eject", counters.ejections),
            ("abandon", counters.abandons),
        ];
        let sheds = counters.sheds.iter().map(|(reason, count)| (reason.name(), *count));
        for (kind, count) in kinds.into_iter().chain(sheds) {
            self.decisions.with_label_values(&[kind]).inc_by(count);
        }
    }

    fn read_host(&self, host: &HostState, now: Time) {
        let name = [host.spec.name.as_str()];
        self.ejected.with_label_values(&name).set(i64::from(host.is_ejected(now)));
        self.in_flight.with_label_values(&name).set(i64::from(host.n_requests()));
        self.work_left.with_label_values(&name).set(host.work_left.as_cpu_secs());
        self.speed.with_label_values(&name).set(host.speed.as_reference_cores());
        self.utilization.with_label_values(&name).set(host.utilization());
    }

    fn read_model(&self, route: &str, balancer: &Balancer, id: RouteId) {
        let quality = balancer.predictor(id).quality();
        self.observations.with_label_values(&[route]).set(signed(quality.observations));
        if let Some(error) = quality.mdape {
            self.model_error.with_label_values(&[route]).set(error);
        }
        if let Some(coverage) = quality.p90_coverage {
            self.model_coverage.with_label_values(&[route]).set(coverage);
        }
        let labels = [route, quality.estimator.as_str()];
        self.model_trusted.with_label_values(&labels).set(i64::from(quality.trusted));
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
