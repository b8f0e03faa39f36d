//! The pictures of a comparison.
//!
//! Of the oracle's runs they show only the one that the subject is compared with. The table has the
//! others.

use super::super::cost;
use super::super::measure::{Measured, Sample};
use super::super::scenario::Scenario;
use super::{Row, oracle};
use crate::chart::{Axis, Line, LineChart, POINTS_MAX, Spacing};

/// The policy that pictures are about.
const SUBJECT: &str = "weighbridge";

/// Spans that a run is cut into to show its fleet.
const SPANS: usize = 200;

/// Which part of the requests was slowed down by more than so much.
pub(super) fn slowdown(scenario: &Scenario, rows: &[Row], results: &[Measured]) -> LineChart {
    chart(
        title(scenario, "slowdown"),
        Axis::new("slowdown: response time / service time alone", Spacing::Log),
        Axis::new("part of requests slowed down by more", Spacing::Log),
        without_other_oracles(rows, results),
        |measured| exceedance(measured.slowdowns()),
    )
}

/// Mean responses of small and of large requests.
pub(super) fn deciles(scenario: &Scenario, rows: &[Row], results: &[Measured]) -> LineChart {
    chart(
        title(scenario, "response by size"),
        Axis::new("tenth of the requests, smallest first", Spacing::Steps),
        Axis::new("mean response time, s", Spacing::Log),
        without_other_oracles(rows, results),
        |measured| {
            let classes = measured.deciles().into_iter().enumerate();
            classes.map(|(index, class)| (index as f64 + 1.0, class.mean_response)).collect()
        },
    )
}

/// Hosts that are paid for, over time.
pub(super) fn fleet(scenario: &Scenario, rows: &[Row], results: &[Measured]) -> LineChart {
    chart(
        format!("{}: fleet size", scenario.name),
        Axis::new("time, s", Spacing::Linear),
        Axis::new("hosts paid for, mean over a span", Spacing::Linear),
        without_other_oracles(rows, results),
        |measured| means(&measured.samples),
    )
}

/// What has been paid, over time.
pub(super) fn spent(scenario: &Scenario, rows: &[Row], results: &[Measured]) -> LineChart {
    chart(
        format!("{}: cost", scenario.name),
        Axis::new("time, s", Spacing::Linear),
        Axis::new("spent at list prices, US dollars", Spacing::Linear),
        without_other_oracles(rows, results),
        |measured| {
            let points = |sample: &Sample| (sample.at, cost::usd(&sample.usage));
            thinned(measured.samples.iter().map(points).collect())
        },
    )
}

/// All results, but of the oracle's only the one that the subject is compared with.
fn without_other_oracles<'a>(
    rows: &'a [Row],
    results: &'a [Measured],
) -> impl Iterator<Item = &'a Measured> {
    let subject = rows.iter().find(|row| row.policy == SUBJECT).or(rows.first());
    let beside = subject.and_then(|row| oracle::match_of(row, rows));
    results.iter().filter(move |measured| {
        !oracle::is_oracle(&measured.policy)
            || beside.is_some_and(|row| row.policy == measured.policy)
    })
}

fn title(scenario: &Scenario, what: &str) -> String {
    let Scenario { name, load, sigma, .. } = scenario;
    format!("{name}: {what} at load {load}, prediction error {sigma}")
}

fn chart<'a>(
    title: String,
    x: Axis,
    y: Axis,
    results: impl IntoIterator<Item = &'a Measured>,
    points: impl Fn(&Measured) -> Vec<(f64, f64)>,
) -> LineChart {
    let line = |measured: &Measured| Line {
        name: measured.policy.clone(),
        is_subject: measured.policy == SUBJECT,
        points: points(measured),
    };
    LineChart { title, x, y, lines: results.into_iter().map(line).collect() }
}

/// Each value with the part of all that are not below it, at ranks that are even on a logarithmic
/// scale.
fn exceedance(mut values: Vec<f64>) -> Vec<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let mut ranks: Vec<usize> = (0..POINTS_MAX)
        .map(|point| n.powf(1.0 - point as f64 / (POINTS_MAX - 1) as f64).round() as usize)
        .collect();
    ranks.dedup();
    let ranks = ranks.into_iter().filter(|rank| (1..=values.len()).contains(rank));
    ranks.map(|rank| (values[values.len() - rank], rank as f64 / n)).collect()
}

/// The mean number of hosts that are paid for, in each of [`SPANS`] equal spans, at its middle. A
/// sample holds until the next one.
fn means(samples: &[Sample]) -> Vec<(f64, f64)> {
    let Some(last) = samples.last() else { return Vec::new() };
    let span = (last.at / SPANS as f64).max(f64::MIN_POSITIVE);
    let mut host_seconds = vec![0.0; SPANS];
    for pair in samples.windows(2) {
        let (from, to) = (pair[0].at, pair[1].at);
        let (first, end) = ((from / span) as usize, (to / span).ceil() as usize);
        for (index, sum) in host_seconds.iter_mut().enumerate().take(end).skip(first) {
            let begin = index as f64 * span;
            let held = (to.min(begin + span) - from.max(begin)).max(0.0);
            *sum += held * pair[0].paid as f64;
        }
    }
    let means = host_seconds.into_iter().enumerate();
    means.map(|(index, sum)| ((index as f64 + 0.5) * span, sum / span)).collect()
}

/// At most [`POINTS_MAX`] of the points, the last one among them.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let every = points.len().div_ceil(POINTS_MAX).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points.into_iter().enumerate();
    kept.filter(|(index, _)| index % every == 0 || *index == last).map(|(_, point)| point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: f64, paid: usize) -> Sample {
        Sample { at, active: paid, paid, requests: 0, usage: crate::sim::measure::Usage::default() }
    }

    #[test]
    fn the_part_that_exceeds_falls_from_all_to_one() {
        let points = exceedance(vec![3.0, 1.0, 2.0, 8.0]);
        assert_eq!(points, [(1.0, 1.0), (2.0, 0.75), (3.0, 0.5), (8.0, 0.25)]);
        assert_eq!(exceedance(vec![]), []);
        let many = exceedance((0..100_000).map(f64::from).collect());
        assert!(many.len() <= POINTS_MAX);
        assert_eq!(many.last(), Some(&(99_999.0, 1e-5)));
    }

    #[test]
    fn a_fleet_is_shown_by_its_mean_over_spans() {
        // 200 s: 2 hosts for 50.5 s, then 4.
        let means = means(&[sample(0.0, 2), sample(50.5, 4), sample(200.0, 4)]);
        let near = |index: usize, expected: f64| (means[index].1 - expected).abs() < 1e-6;
        assert_eq!(means.len(), 200);
        assert!(near(0, 2.0) && near(49, 2.0) && near(50, 3.0) && near(51, 4.0) && near(199, 4.0));
        assert!((means[50].0 - 50.5).abs() < 1e-6);
    }

    #[test]
    fn the_last_point_is_kept() {
        let points: Vec<(f64, f64)> = (0..=1000).map(|x| (f64::from(x), 0.0)).collect();
        let thinned = thinned(points);
        assert_eq!(thinned.len(), 335);
        assert_eq!(thinned.last(), Some(&(1000.0, 0.0)));
    }
}
