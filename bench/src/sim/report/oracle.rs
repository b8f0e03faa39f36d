//! What a fleet costs over the oracle's at the same response time.
//!
//! The oracle is planned for several utilizations. Of its runs over the same dispatcher, the cheapest
//! whose 99 % response is not above a policy's, by more than a hundredth, is what that policy is
//! compared with.

use super::Row;

/// Responses that differ by less than this factor count as the same.
const SAME: f64 = 1.01;

/// How the names of the oracle's rules begin.
const ORACLE: &str = "+oracle_";

/// The cheapest run of the oracle at the response time of `row`; `None` where it has none.
pub(super) fn match_of<'a>(row: &Row, rows: &'a [Row]) -> Option<&'a Row> {
    rows.iter()
        .filter(|other| is_oracle(&other.policy) && other.p99_response <= SAME * row.p99_response)
        .min_by(|one, other| one.cost_usd.total_cmp(&other.cost_usd))
}

/// Whether it is a run of the oracle.
pub(super) fn is_oracle(policy: &str) -> bool {
    policy.contains(ORACLE)
}
