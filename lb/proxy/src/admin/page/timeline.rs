//! How the fleet has been of late: hosts, predicted backlog, utilization, and each change with its
//! reason.

mod chart;

use maud::{Markup, html};

use super::words::{count, percent, span, time_of_day};
use crate::timeline::{Change, Past, Sample};
use chart::{Chart, Series, Span, chart};

/// The part's name.
pub(super) const NAME: &str = "timeline";

/// Changes that are listed, the newest first.
const LISTED: usize = 50;

/// The shortest time that is drawn, in seconds.
const SPAN_MIN: f64 = 120.0;

/// The most points of a line.
const POINTS_MAX: usize = 300;

/// See the module.
pub(super) fn html(past: &Past, now: f64) -> Markup {
    let from = past.samples.first().map_or(now, |sample| sample.at).min(now - SPAN_MIN);
    let over = Span { from, to: now };
    let samples = thinned(&past.samples);
    let shown: Vec<&Change> = past.changes.iter().filter(|change| from <= change.at).collect();
    html! {
        div.charts {
            (chart(&hosts(&samples), over, &shown))
            (chart(&backlog(&samples), over, &shown))
            (chart(&utilization(&samples), over, &shown))
            p.axis { span { (span((now - from).round())) " ago" } span { "now" } }
        }
        (list(&past.changes, now))
    }
}

/// At most [`POINTS_MAX`] samples: of neighbours the one with the most hosts, backlog and
/// utilization, each for itself.
fn thinned(samples: &[Sample]) -> Vec<Sample> {
    let each = samples.len().div_ceil(POINTS_MAX).max(1);
    samples.chunks(each).filter_map(|few| few.iter().copied().reduce(most)).collect()
}

fn most(a: Sample, b: Sample) -> Sample {
    let backlog = |one: &Sample| one.work_left_seconds + one.waiting_work_seconds;
    let (hosts, work) = (
        if a.active + a.starting < b.active + b.starting { b } else { a },
        if backlog(&a) < backlog(&b) { b } else { a },
    );
    Sample {
        utilization: a.utilization.max(b.utilization),
        work_left_seconds: work.work_left_seconds,
        waiting_work_seconds: work.waiting_work_seconds,
        ..hosts
    }
}

fn hosts(samples: &[Sample]) -> Chart<'_> {
    Chart {
        name: "hosts",
        least: 1.0,
        samples,
        series: vec![
            Series { name: "active", kind: "a", value: |sample| sample.active as f64 },
            Series { name: "starting", kind: "b", value: |sample| sample.starting as f64 },
            Series { name: "draining", kind: "c", value: |sample| sample.draining as f64 },
        ],
        show: |hosts| format!("{hosts:.0}"),
    }
}

fn backlog(samples: &[Sample]) -> Chart<'_> {
    Chart {
        name: "predicted backlog",
        least: 1.0,
        samples,
        series: vec![
            Series { name: "at hosts", kind: "a", value: |sample| sample.work_left_seconds },
            Series { name: "waiting", kind: "b", value: |sample| sample.waiting_work_seconds },
        ],
        show: span,
    }
}

fn utilization(samples: &[Sample]) -> Chart<'_> {
    Chart {
        name: "utilization",
        least: 1.0,
        samples,
        series: vec![Series { name: "mean", kind: "a", value: |sample| sample.utilization }],
        show: percent,
    }
}

fn list(changes: &[Change], now: f64) -> Markup {
    html! {
        @if changes.is_empty() {
            p.none { "The fleet has not been changed." }
        } @else {
            div.scroll.short {
                table {
                    thead { tr { th { "UTC" } th { "change" } th { "reason" } } }
                    tbody {
                        @for change in changes.iter().rev().take(LISTED) {
                            tr {
                                td title={ (span(now - change.at)) " ago" } { (time_of_day(change.at)) }
                                td {
                                    span class={ "badge " (change.action) } { (change.action) } " "
                                    (count("hosts", change.hosts as u64))
                                    @if change.hosts == 1 { " host" } @else { " hosts" }
                                }
                                td.reason { (in_words(&change.reason)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A reason as people say it.
fn in_words(reason: &str) -> &str {
    match reason {
        "hosts_min" => "fewer hosts than the least",
        "hosts_max" => "more hosts than the most",
        "cpu_high" => "utilization above the threshold",
        "cpu_low" => "utilization below the threshold for the stable window",
        "backlog" => "the predicted backlog would not drain in time",
        "backlog_low" => "no backlog for the stable window",
        "queue_depth" => "as many hosts as requests",
        "panic" => "a burst",
        "host_failed" => "a host was lost, never became ready, or keeps failing",
        "leaves" => "the host says that it leaves",
        "found" => "a machine was found that somebody else has launched",
        "operator" => "an operator asked for it",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_past_is_thinned_and_keeps_its_peaks() {
        let mut samples = vec![Sample::new(0.0); 1800];
        samples[777].waiting_work_seconds = 99.0;
        samples[778].utilization = 1.5;
        samples[900].active = 40;
        let thin = thinned(&samples);
        assert_eq!(thin.len(), POINTS_MAX);
        let most = |value: fn(&Sample) -> f64| thin.iter().map(value).fold(0.0, f64::max);
        assert!((most(|sample| sample.waiting_work_seconds) - 99.0).abs() < 1e-9);
        assert!((most(|sample| sample.utilization) - 1.5).abs() < 1e-9);
        assert!((most(|sample| sample.active as f64) - 40.0).abs() < 1e-9);
        assert!(thinned(&[]).is_empty());
    }

    #[test]
    fn every_reason_to_scale_has_words() {
        for reason in weighbridge_core::scale::ScaleReason::ALL {
            let name = reason.name();
            assert!(name == "steady" || in_words(name) != name, "{name}");
        }
    }
}
