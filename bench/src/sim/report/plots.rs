//! The pictures of a comparison.

use super::super::cost;
use super::super::measure::{Measured, Sample};
use super::super::scenario::Scenario;
use super::chart::{Axis, Chart, Line, POINTS_MAX, Scale};

/// The policy that pictures are about.
const SUBJECT: &str = "weighbridge";

/// Which part of the requests was slowed down by more than so much.
pub(super) fn slowdown(scenario: &Scenario, results: &[Measured]) -> Chart {
    chart(
        title(scenario, "slowdown"),
        Axis::new("slowdown: response time / service time alone", Scale::Log),
        Axis::new("part of requests slowed down by more", Scale::Log),
        results,
        |measured| exceedance(measured.slowdowns()),
    )
}

/// Mean responses of small and of large requests.
pub(super) fn deciles(scenario: &Scenario, results: &[Measured]) -> Chart {
    chart(
        title(scenario, "response by size"),
        Axis::new("tenth of the requests, smallest first", Scale::Steps),
        Axis::new("mean response time, s", Scale::Log),
        results,
        |measured| {
            let classes = measured.deciles().into_iter().enumerate();
            classes.map(|(index, class)| (index as f64 + 1.0, class.mean_response)).collect()
        },
    )
}

/// Hosts that are paid for, over time.
pub(super) fn fleet(scenario: &Scenario, results: &[Measured]) -> Chart {
    chart(
        format!("{}: fleet size", scenario.name),
        Axis::new("time, s", Scale::Linear),
        Axis::new("hosts paid for", Scale::Linear),
        results,
        |measured| steps(&measured.samples, |sample| sample.paid),
    )
}

/// What has been paid, over time.
pub(super) fn spent(scenario: &Scenario, results: &[Measured]) -> Chart {
    chart(
        format!("{}: cost", scenario.name),
        Axis::new("time, s", Scale::Linear),
        Axis::new("spent at list prices, US dollars", Scale::Linear),
        results,
        |measured| {
            let points = |sample: &Sample| (sample.at, cost::usd(&sample.usage));
            thinned(measured.samples.iter().map(points).collect())
        },
    )
}

fn title(scenario: &Scenario, what: &str) -> String {
    let Scenario { name, load, sigma, .. } = scenario;
    format!("{name}: {what} at load {load}, prediction error {sigma}")
}

fn chart(
    title: String,
    x: Axis,
    y: Axis,
    results: &[Measured],
    points: impl Fn(&Measured) -> Vec<(f64, f64)>,
) -> Chart {
    let line = |measured: &Measured| Line {
        name: measured.policy.clone(),
        is_subject: measured.policy == SUBJECT,
        points: points(measured),
    };
    Chart { title, x, y, lines: results.iter().map(line).collect() }
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

/// What holds from each sample to the next, with corners.
fn steps(samples: &[Sample], hosts: impl Fn(&Sample) -> usize) -> Vec<(f64, f64)> {
    let mut corners = Vec::new();
    let mut held = None;
    for sample in samples {
        let (at, new) = (sample.at, hosts(sample));
        match held {
            Some(old) if old == new => {}
            Some(old) => corners.extend([(at, old as f64), (at, new as f64)]),
            None => corners.push((at, new as f64)),
        }
        held = Some(new);
    }
    let end = samples.last().map(|sample| (sample.at, hosts(sample) as f64));
    corners.extend(end);
    corners
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
    fn a_fleet_changes_in_steps() {
        let samples = [sample(0.0, 2), sample(1.0, 2), sample(2.0, 3), sample(5.0, 3)];
        let corners = steps(&samples, |sample| sample.paid);
        assert_eq!(corners, [(0.0, 2.0), (2.0, 2.0), (2.0, 3.0), (5.0, 3.0)]);
    }

    #[test]
    fn the_last_point_is_kept() {
        let points: Vec<(f64, f64)> = (0..=1000).map(|x| (f64::from(x), 0.0)).collect();
        let thinned = thinned(points);
        assert_eq!(thinned.len(), 335);
        assert_eq!(thinned.last(), Some(&(1000.0, 0.0)));
    }
}
