//! Which trace was one of those that a bucket of a histogram counts.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::SystemTime;

use parking_lot::Mutex;

/// Exemplars of one series: the latest of each power of two, so that each bucket may have one.
const POWERS: usize = 32;

/// The value of the first power, in seconds: 2⁻¹².
const FIRST: i32 = -12;

/// See the module. Written for traced requests alone. It has as many entries as the histograms have
/// series.
#[derive(Debug, Default)]
pub(crate) struct Exemplars(Mutex<HashMap<&'static str, HashMap<String, Series>>>);

type Series = [Option<Exemplar>; POWERS];

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Exemplar {
    /// Its trace: 32 hexadecimal digits.
    pub(super) trace: String,
    /// What was observed of it.
    pub(super) value: f64,
    pub(super) at: SystemTime,
}

// === impl Exemplars ===

impl Exemplars {
    /// Keeps that `value` of the series of `name` with these values of labels was of `trace`.
    pub(super) fn keep(
        &self,
        name: &'static str,
        labels: &[&str],
        value: f64,
        (trace, at): (&str, SystemTime),
    ) {
        let mut kept = self.0.lock();
        let of_name = kept.entry(name).or_default();
        let series = of_name.entry(key(labels)).or_insert_with(|| [const { None }; POWERS]);
        series[power(value)] = Some(Exemplar { trace: trace.to_owned(), value, at });
    }

    /// Those of the series of `name` with these values of labels, the latest first.
    pub(super) fn of(&self, name: &str, labels: &[&str]) -> Vec<Exemplar> {
        let kept = self.0.lock();
        let series = kept.get(name).and_then(|of_name| of_name.get(&key(labels)));
        let mut found: Vec<Exemplar> = series.into_iter().flatten().flatten().cloned().collect();
        found.sort_by_key(|one| Reverse(one.at));
        found
    }
}

/// Labels do not have this character.
fn key(labels: &[&str]) -> String {
    labels.join("\u{1f}")
}

fn power(value: f64) -> usize {
    let power = value.max(f64::MIN_POSITIVE).log2().ceil() as i32 - FIRST;
    usize::try_from(power).unwrap_or(0).min(POWERS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_of_each_power_of_two_is_kept() {
        let exemplars = Exemplars::default();
        let at = |secs| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(secs);
        for (nth, value) in [0.3, 0.4, 0.9, 0.0, 1e9].into_iter().enumerate() {
            let trace = nth.to_string();
            exemplars.keep("h", &["a", "b"], value, (&trace, at(nth as u64)));
        }
        let kept = exemplars.of("h", &["a", "b"]);
        let kept: Vec<f64> = kept.iter().map(|one| one.value).collect();
        assert_eq!(kept, [1e9, 0.0, 0.9, 0.4]);
        assert!(exemplars.of("h", &["a"]).is_empty() && exemplars.of("g", &["a", "b"]).is_empty());
    }
}
