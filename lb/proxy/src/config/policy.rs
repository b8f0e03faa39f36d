//! What steers the balancer: everything of [`Policy`] but the routes.

use std::time::Duration;

use weighbridge_core::balancer::Policy;
use weighbridge_core::policy::{
    HostPolicy, LearnPolicy, QueueDiscipline, QueuePolicy, RetryPolicy, RoutePolicy,
};
use weighbridge_core::scale::{ScalePolicy, rules};
use weighbridge_core::schedule::{Filter, SchedulePolicy, filters, weighers};

use super::CpuSource;
use super::reader::{self, Section};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// The least observations that a first model is trained on.
const OBSERVATIONS_MIN: usize = 20;

/// A load report is believed for this many intervals at which hosts are asked for it,
const REPORT_INTERVALS: u32 = 5;

/// and for at least this long, because a busy machine may answer late.
const REPORT_AGE_LEAST: Duration = SECOND;

/// What of the policy depends on other tables: where the hosts come from, and how often they are
/// asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Auto {
    /// The most hosts.
    pub(super) hosts_max: usize,
    /// The time that a host needs to boot, and after which it is given up.
    pub(super) boot: (Duration, Duration),
    /// Whether CloudWatch knows the hosts, as far as is known.
    pub(super) on_aws: bool,
    /// Between two looks at a host's load report.
    pub(super) report_interval: Duration,
}

/// Reads the policy's tables, and who says how busy CPUs are.
pub(super) fn read(
    root: &mut Section<'_>,
    routes: Vec<RoutePolicy>,
    auto: Auto,
) -> (Policy, CpuSource) {
    let (scale, cpu_source) = scale(root.table("scale"), auto);
    let policy = Policy {
        routes,
        schedule: schedule(root.table("schedule")),
        queue: queue(root.table("queue")),
        hosts: hosts(root.table("hosts"), auto.report_interval),
        retry: retry(root.table("retry")),
        learn: learn(root.table("learn")),
        scale,
        lambda: None,
        share: None,
    };
    (policy, cpu_source)
}

fn schedule(mut section: Section<'_>) -> SchedulePolicy {
    let mut table = section.table("weighers");
    let weighers = weighers::ALL
        .iter()
        .map(|weigher| (*weigher, table.number(weigher.name(), 0.0..=1000.0)))
        .filter(|(_, multiplier)| 0.0 < *multiplier);
    let weighers = weighers.collect();
    table.finish();
    let policy = SchedulePolicy {
        filters: filters(&mut section),
        weighers,
        host_subset_size: section.whole("host_subset_size", 1..=1000),
        shuffle_best_same_weighed_hosts: true,
        hold: section.number_or_off("hold", 1.0..=1000.0),
    };
    section.finish();
    policy
}

fn filters(section: &mut Section<'_>) -> Vec<&'static dyn Filter> {
    let all: Vec<&str> = filters::ALL.iter().map(|filter| filter.name()).collect();
    let names = section.texts("filters", "a list of names of filters");
    for (i, name) in names.iter().enumerate() {
        let known = all.contains(&name.as_str());
        section.check(known, &["filters"], || {
            let hint = reader::nearest(name, &all);
            let hint = hint.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            format!("schedule.filters names `{name}`: expected {}{hint}", all.join(", "))
        });
        section.check(!names[..i].contains(name), &["filters"], || {
            format!("schedule.filters names `{name}` twice")
        });
    }
    section.check(names.iter().any(|name| name == "active"), &["filters"], || {
        "schedule.filters lacks `active`: expected it, or requests go to hosts that are gone"
            .to_owned()
    });
    names.iter().filter_map(|name| filters::by_name(name)).collect()
}

fn queue(mut section: Section<'_>) -> QueuePolicy {
    let disciplines = [
        ("fcfs", QueueDiscipline::Fcfs),
        ("sept", QueueDiscipline::Sept),
        ("edf", QueueDiscipline::Edf),
    ];
    let policy = QueuePolicy {
        discipline: section.word("discipline", &disciplines),
        requests_max: section.whole("requests_max", 0..=1_000_000),
        bytes_max: section.size("bytes_max", 0..=1 << 40),
        wait_max: section.duration("wait_max", Duration::ZERO..=HOUR),
        age_floor: section.duration("age_floor", Duration::ZERO..=HOUR),
        age_factor: section.number("age_factor", 0.0..=1000.0),
    };
    section.finish();
    policy
}

fn hosts(mut section: Section<'_>, report_interval: Duration) -> HostPolicy {
    let policy = HostPolicy {
        in_flight_max_per_core: section.whole("in_flight_max_per_core", 1..=100_000),
        memory_utilization_max: section.number("memory_utilization_max", 0.01..=1.0),
        eject_failures: section.whole("eject_failures", 1..=1000),
        eject_base: section.duration("eject_base", Duration::ZERO..=HOUR),
        eject_max: section.duration("eject_max", Duration::ZERO..=24 * HOUR),
        eject_fraction_max: section.number("eject_fraction_max", 0.0..=1.0),
        warm_up: section.duration("warm_up", Duration::ZERO..=HOUR),
        report_age_max: (REPORT_INTERVALS * report_interval).max(REPORT_AGE_LEAST),
    };
    let keys = ["eject_base", "eject_max"];
    section.check(policy.eject_base <= policy.eject_max, &keys, || above("hosts", keys));
    section.finish();
    policy
}

fn retry(mut section: Section<'_>) -> RetryPolicy {
    let policy = RetryPolicy {
        tries_max: section.whole("tries_max", 1..=16),
        budget_fraction: section.number("budget_fraction", 0.0..=1.0),
        budget_floor: section.whole("budget_floor", 0..=10_000),
    };
    section.finish();
    policy
}

fn learn(mut section: Section<'_>) -> LearnPolicy {
    let policy = LearnPolicy {
        window: section.whole("window", 10..=100_000),
        observations_min: OBSERVATIONS_MIN,
        retrain_after: section.whole("retrain_after", 1..=100_000),
        drift_error_max: section.number("drift_error_max", 0.01..=100.0),
    };
    section.finish();
    policy
}

fn scale(mut section: Section<'_>, auto: Auto) -> (ScalePolicy, CpuSource) {
    let rules: Vec<_> = rules::ALL.iter().map(|rule| (rule.name(), *rule)).collect();
    let policy = ScalePolicy {
        rule: section.word("rule", &rules),
        hosts_min: section.whole("hosts_min", 1..=10_000),
        hosts_max: section.whole_or_auto("hosts_max", 1..=10_000, auto.hosts_max.max(1)),
        cpu_high: section.number("cpu_high", 0.0..=1.0),
        cpu_low: section.number("cpu_low", 0.0..=1.0),
        cpu_target: section.number("cpu_target", 0.01..=1.0),
        backlog_max: section.duration("backlog_max", MS..=HOUR),
        stable_window: section.duration("stable_window", Duration::ZERO..=24 * HOUR),
        panic_window: section.duration("panic_window", MS..=HOUR),
        panic_factor: section.number("panic_factor", 1.0..=1000.0),
        boot_time: section
            .duration_or("boot_time", "auto", Duration::ZERO..=HOUR)
            .unwrap_or(auto.boot.0),
        boot_timeout: section
            .duration_or("boot_timeout", "auto", SECOND..=HOUR)
            .unwrap_or(auto.boot.1),
    };
    let pairs = [
        (policy.hosts_min <= policy.hosts_max, ["hosts_min", "hosts_max"]),
        (policy.cpu_low <= policy.cpu_target, ["cpu_low", "cpu_target"]),
        (policy.cpu_target <= policy.cpu_high, ["cpu_target", "cpu_high"]),
        (policy.boot_time <= policy.boot_timeout, ["boot_time", "boot_timeout"]),
    ];
    for (good, keys) in pairs {
        section.check(good, &keys, || above("scale", keys));
    }
    let interval = section.duration("cpu_interval", 100 * MS..=HOUR);
    let sources =
        [("reports", CpuSource::Reports), ("cloudwatch", CpuSource::CloudWatch { interval })];
    let source = section.word("cpu_source", &sources);
    section.check(source == CpuSource::Reports || auto.on_aws, &["cpu_source"], || {
        "scale.cpu_source is `cloudwatch`, which knows only hosts of fleet.kind `ec2` or `asg`"
            .to_owned()
    });
    section.finish();
    (policy, source)
}

fn above(table: &str, [less, more]: [&str; 2]) -> String {
    format!("{table}.{less} is above {table}.{more}: expected at most that")
}
