//! Whether estimates put requests in order.
//!
//! The drift gate asks by which factor an estimate is off. That does not tell whether the larger of
//! two estimates is of the larger request: where most sizes are alike, any guess is near enough. So
//! each request that ends is compared with the one that ended before it. The pair is concordant
//! where what was estimated larger was larger (Kendall's tau counts the same pairs). The fraction
//! of concordant pairs is a half where estimates say nothing, and 1 where they are right. It is a
//! moving average over about 64 of them, of all routes together: two routes of one size each are in
//! order when the routes are.
//!
//! At first it is a half: requests are held by their estimates only once these have proved right,
//! for which about thirty requests are enough.

use crate::units::Work;

/// The average is over so many pairs.
const PAIRS: f64 = 64.0;

/// The fraction from which on requests are held. Estimates that say nothing stay below it but for
/// one time in a thousand.
const ORDERS: f64 = 0.65;

/// See the module.
#[derive(Debug, Clone)]
pub struct Concordance {
    /// Of the pairs of late, those that were concordant.
    fraction: f64,
    /// What was estimated of the last request, and what it was.
    last: Option<(Work, Work)>,
}

// === impl Concordance ===

impl Concordance {
    /// Nothing has been compared.
    pub fn new() -> Concordance {
        Concordance { fraction: 0.5, last: None }
    }

    /// A request has ended that was `estimated`, and cost `actual`. Pairs of equals count as half
    /// concordant.
    pub fn observe(&mut self, estimated: Work, actual: Work) {
        if let Some((estimated_before, actual_before)) = self.last.replace((estimated, actual)) {
            let by_estimate = estimated.as_cpu_secs().total_cmp(&estimated_before.as_cpu_secs());
            let by_size = actual.as_cpu_secs().total_cmp(&actual_before.as_cpu_secs());
            let concordant = if by_estimate.is_eq() || by_size.is_eq() {
                0.5
            } else {
                f64::from(u8::from(by_estimate == by_size))
            };
            self.fraction += (concordant - self.fraction) / PAIRS;
        }
    }

    /// Whether estimates order requests.
    pub fn orders(&self) -> bool {
        ORDERS <= self.fraction
    }
}

impl Default for Concordance {
    fn default() -> Concordance {
        Concordance::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Whether the estimates of `n` requests, made by `estimate` from their sizes, order them.
    fn orders(n: usize, estimate: impl Fn(f64, &mut Random) -> f64) -> bool {
        let mut random = Random::new(1);
        let mut concordance = Concordance::new();
        for _ in 0..n {
            let size = 0.001 * (1.0 - random.unit()).powf(-0.77);
            let estimated = Work::saturating(estimate(size, &mut random));
            concordance.observe(estimated, Work::saturating(size));
        }
        concordance.orders()
    }

    #[test]
    fn good_estimates_order_requests_after_some_thirty_of_them() {
        let off_by_half = |size: f64, random: &mut Random| size * (0.75 + 0.75 * random.unit());
        assert!(!orders(10, |size, _| size));
        assert!(orders(40, |size, _| size));
        assert!(orders(200, off_by_half));
    }

    #[test]
    fn estimates_that_say_nothing_do_not() {
        for n in [10, 40, 100, 1000, 5000] {
            assert!(!orders(n, |_, random| 0.001 * (1.0 - random.unit()).powf(-0.77)), "{n}");
            assert!(!orders(n, |_, _| 1.0), "{n}");
            assert!(!orders(n, |size, _| 1.0 / size), "{n}");
        }
    }
}
