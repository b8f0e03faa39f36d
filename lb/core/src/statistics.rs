//! Numbers that stand for many.

/// The value that the fraction `share` of `values` does not exceed, by the nearest rank: one that
/// is there. `None` where there are none. Takes linear time.
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut values = values.to_vec();
    let last = values.len().checked_sub(1)?;
    let rank = (share * values.len() as f64).ceil() as usize;
    let rank = rank.saturating_sub(1).min(last);
    Some(*values.select_nth_unstable_by(rank, f64::total_cmp).1)
}

/// The middle one, the lower of two; `None` where there are none.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::{median, quantile};

    #[test]
    fn quantiles_are_values_that_are_there() {
        let values = [4.0, 1.0, 3.0, 2.0];
        let of = |share| quantile(&values, share);
        assert_eq!([0.0, 0.25, 0.5].map(of), [Some(1.0), Some(1.0), Some(2.0)]);
        assert_eq!([0.9, 1.0].map(of), [Some(4.0), Some(4.0)]);
        assert_eq!(median(&values), Some(2.0));
        assert_eq!(median(&[]), None);
    }
}
