//! What many spans of time come to.

use serde::Serialize;

/// Mean and percentiles of some numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Spans {
    pub(super) mean: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
    pub(super) max: f64,
}

impl Spans {
    /// Of `numbers`; zeros where there are none.
    pub(super) fn of(numbers: impl IntoIterator<Item = f64>) -> Spans {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let Some(max) = sorted.last().copied() else { return Spans::default() };
        let rank = |part: f64| {
            let n = (part * sorted.len() as f64).ceil() as usize;
            sorted[n.clamp(1, sorted.len()) - 1]
        };
        let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
        Spans { mean, p50: rank(0.5), p99: rank(0.99), max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_numbers() {
        let spans = Spans::of((1..=200).map(f64::from));
        assert_eq!(
            format!("{spans:?}"),
            "Spans { mean: 100.5, p50: 100.0, p99: 198.0, max: 200.0 }"
        );
        assert_eq!(Spans::of([]), Spans::default());
        assert_eq!(Spans::of([3.0]).p99.to_bits(), 3.0_f64.to_bits());
    }
}
