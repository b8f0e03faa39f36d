//! An axis: its name with its unit, how values are laid along it, and where its ticks are.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};

/// Ticks that an axis has about.
const TICKS: f64 = 7.0;

/// How values are laid along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spacing {
    /// Evenly, from zero.
    Linear,
    /// Evenly, over the values that there are.
    Steps,
    /// By their logarithm.
    Log,
}

/// What an axis shows.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    /// Its name and unit.
    pub(crate) name: String,
    pub(crate) spacing: Spacing,
}

/// The part of an axis that has values, in places along it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    spacing: Spacing,
    first: f64,
    last: f64,
}

// === impl Axis ===

impl Axis {
    pub(crate) fn new(name: &str, spacing: Spacing) -> Axis {
        Axis { name: name.to_owned(), spacing }
    }

    /// Where `value` is along the axis; `None` where it cannot be shown.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let place = match self.spacing {
            Spacing::Linear | Spacing::Steps => value,
            Spacing::Log => value.log10(),
        };
        place.is_finite().then_some(place)
    }

    /// What is written at `place`.
    pub(super) fn label(&self, place: f64) -> String {
        match self.spacing {
            Spacing::Linear | Spacing::Steps => written(place),
            Spacing::Log => written(10_f64.powf(place)),
        }
    }

    /// The part of the axis that holds all of `values`.
    pub(super) fn shown(&self, values: impl Iterator<Item = f64>) -> Shown {
        let (mut first, mut last) = (f64::INFINITY, f64::NEG_INFINITY);
        for place in values.filter_map(|value| self.place(value)) {
            first = first.min(place);
            last = last.max(place);
        }
        if self.spacing == Spacing::Linear {
            first = first.min(0.0);
        }
        if last <= first {
            // One value, or none.
            let middle = if first.is_finite() { first } else { 0.0 };
            (first, last) = (middle - 0.5, middle + 0.5);
        }
        let room = 0.02 * (last - first);
        match self.spacing {
            Spacing::Linear => last += room,
            Spacing::Steps => {}
            Spacing::Log => (first, last) = (first - room, last + room),
        }
        Shown { spacing: self.spacing, first, last }
    }
}

// === impl Shown ===

impl Shown {
    /// Places of the ticks.
    fn ticks(self) -> Vec<f64> {
        match self.spacing {
            Spacing::Linear => evenly(self.first, self.last, step(self.last - self.first)),
            Spacing::Steps => evenly(self.first, self.last, 1.0),
            Spacing::Log => self.log_ticks(),
        }
    }

    /// At whole powers of ten; at 1, 2 and 5 times them where those are too few.
    fn log_ticks(self) -> Vec<f64> {
        let decades = evenly(self.first.floor(), self.last.ceil(), 1.0);
        let multiples: &[f64] = match decades.len() {
            0..=4 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let all = decades
            .iter()
            .flat_map(|decade| multiples.iter().map(move |times| decade + times.log10()));
        let shown = self.first - 1e-9..=self.last + 1e-9;
        all.filter(|place| shown.contains(place)).collect()
    }
}

impl Ranged for Shown {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, (first, last): (i32, i32)) -> i32 {
        let part = (place - self.first) / (self.last - self.first);
        first + (part * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks() }
    }

    fn range(&self) -> Range<f64> {
        self.first..self.last
    }
}

/// The multiples of `step` within an interval.
fn evenly(first: f64, last: f64, step: f64) -> Vec<f64> {
    let least = (first / step - 1e-9).ceil() as i64;
    let most = (last / step + 1e-9).floor() as i64;
    (least..=most).map(|times| times as f64 * step).collect()
}

/// A step of 1, 2 or 5 times a power of ten that gives about [`TICKS`] over `span`.
fn step(span: f64) -> f64 {
    let rough = span / TICKS;
    let power = 10_f64.powf(rough.log10().floor());
    let times = [1.0, 2.0, 5.0, 10.0].into_iter().find(|times| rough <= times * power);
    times.unwrap_or(10.0) * power
}

/// A number with no more digits than it needs.
fn written(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.999e-3 {
        return format!("{value:.0e}");
    }
    let rounded = format!("{value:.6}");
    let rounded = rounded.trim_end_matches('0').trim_end_matches('.');
    if rounded == "-0" { "0".to_owned() } else { rounded.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(spacing: Spacing, values: &[f64]) -> String {
        let axis = Axis::new("x", spacing);
        let shown = axis.shown(values.iter().copied());
        shown.ticks().into_iter().map(|at| axis.label(at)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_linear_axis_begins_at_zero_and_has_round_ticks() {
        assert_eq!(labels(Spacing::Linear, &[30.0, 3600.0]), "0 1000 2000 3000");
        assert_eq!(labels(Spacing::Linear, &[0.02, 0.07]), "0 0.02 0.04 0.06");
    }

    #[test]
    fn an_axis_of_steps_names_each() {
        assert_eq!(labels(Spacing::Steps, &[1.0, 4.0]), "1 2 3 4");
    }

    #[test]
    fn a_short_logarithmic_axis_has_ticks_between_powers_of_ten() {
        assert_eq!(labels(Spacing::Log, &[1.0, 30.0]), "1 2 5 10 20");
        assert_eq!(labels(Spacing::Log, &[0.0001, 10.0]), "1e-4 0.001 0.01 0.1 1 10");
    }

    #[test]
    fn what_a_logarithmic_axis_cannot_show_does_not_stretch_it() {
        assert_eq!(labels(Spacing::Log, &[0.0, -1.0, 1.0, 10.0]), "1 2 5 10");
    }

    #[test]
    fn an_axis_without_values_is_still_one() {
        assert_eq!(labels(Spacing::Linear, &[f64::NAN]), "-0.4 -0.2 0 0.2 0.4");
        assert_eq!(labels(Spacing::Linear, &[0.0]), "-0.4 -0.2 0 0.2 0.4");
    }
}
