//! A chart: series stacked on one another over time, with a mark for each change of the fleet.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::super::words::{number, time_of_day};
use super::in_words;
use crate::timeline::{Change, Sample};

/// Width and height of a drawing, in units of its own.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

/// What is drawn.
pub(super) struct Chart<'a> {
    pub(super) name: &'static str,
    /// The least that is full height.
    pub(super) least: f64,
    pub(super) samples: &'a [Sample],
    /// From below.
    pub(super) series: Vec<Series>,
    pub(super) show: fn(f64) -> String,
}

/// One series of values.
pub(super) struct Series {
    pub(super) name: &'static str,
    /// How it looks.
    pub(super) kind: &'static str,
    pub(super) value: fn(&Sample) -> f64,
}

/// The time that is drawn, in seconds since 1970.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) from: f64,
    pub(super) to: f64,
}

/// Draws `chart`.
pub(super) fn chart(chart: &Chart<'_>, over: Span, changes: &[&Change]) -> Markup {
    let totals = chart.samples.iter().map(|sample| chart.below(sample, chart.series.len()));
    let most = totals.fold(chart.least, f64::max);
    let last = chart.samples.last();
    html! {
        figure {
            figcaption {
                strong { (chart.name) }
                @for series in &chart.series {
                    @let value = last.map_or(0.0, series.value);
                    span class={ "key " (series.kind) } {
                        (series.name) " " (number(series.name, value, &(chart.show)(value)))
                    }
                }
                span.most { "top: " ((chart.show)(most)) }
            }
            svg class="chart" role="img" aria-label={ (chart.name) " over time" }
                viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" {
                @for (nth, series) in chart.series.iter().enumerate() {
                    polygon class=(series.kind) points=(chart.area(nth, over, most)) {}
                }
                @for change in changes { (mark(change, over)) }
            }
        }
    }
}

fn mark(change: &Change, over: Span) -> Markup {
    let x = format!("{:.1}", over.x(change.at));
    html! {
        line class={ "mark " (change.action) } x1=(x) x2=(x) y1="0" y2=(HEIGHT) {
            title {
                (time_of_day(change.at)) " " (change.action) " " (change.hosts) ": "
                (in_words(&change.reason))
            }
        }
    }
}

// === impl Chart ===

impl Chart<'_> {
    /// Σ of the first `n` series.
    fn below(&self, sample: &Sample, n: usize) -> f64 {
        self.series.iter().take(n).map(|series| (series.value)(sample)).sum()
    }

    /// The outline of the series at `nth`, on those below it: forth on top, and back.
    fn area(&self, nth: usize, over: Span, most: f64) -> String {
        let mut points = String::new();
        let mut add = |sample: &Sample, n: usize| {
            let y = HEIGHT * (1.0 - self.below(sample, n) / most);
            // Writing to a text does not fail.
            let _ = write!(points, "{:.1},{y:.1} ", over.x(sample.at));
        };
        self.samples.iter().for_each(|sample| add(sample, nth + 1));
        self.samples.iter().rev().for_each(|sample| add(sample, nth));
        points
    }
}

// === impl Span ===

impl Span {
    /// Where `at` is drawn.
    fn x(self, at: f64) -> f64 {
        let part = (at - self.from) / (self.to - self.from).max(f64::MIN_POSITIVE);
        WIDTH * part.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_stand_on_one_another() {
        let sample = |at, active, starting| Sample { starting, active, ..Sample::new(at) };
        let samples = [sample(0.0, 1, 0), sample(10.0, 2, 2)];
        let chart = Chart {
            name: "hosts",
            least: 1.0,
            samples: &samples,
            series: vec![
                Series { name: "active", kind: "a", value: |sample| sample.active as f64 },
                Series { name: "starting", kind: "b", value: |sample| sample.starting as f64 },
            ],
            show: |value| value.to_string(),
        };
        let over = Span { from: 0.0, to: 20.0 };
        assert_eq!(chart.area(0, over, 4.0), "0.0,75.0 500.0,50.0 500.0,100.0 0.0,100.0 ");
        assert_eq!(chart.area(1, over, 4.0), "0.0,75.0 500.0,0.0 500.0,50.0 0.0,75.0 ");
    }
}
