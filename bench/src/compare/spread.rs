//! The rounds of a comparison in three numbers.

use serde::Serialize;

/// Median, least and most of several rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// The middle one; the mean of both where there are two.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of `values`; not a number where there are none.
    pub fn of(values: impl Iterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        Spread {
            median: f64::midpoint(at(last / 2), at(values.len() / 2)),
            least: at(0),
            most: at(last),
        }
    }

    /// `12 (11–13)`, each number as `show` writes it; `12` where all are the same then.
    pub(crate) fn show(&self, show: impl Fn(f64) -> String) -> String {
        let [median, least, most] = [self.median, self.least, self.most].map(show);
        if least == most { median } else { format!("{median} ({least}–{most})") }
    }
}
