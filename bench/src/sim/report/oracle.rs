//! What a fleet costs over the oracle's at the same response time.
//!
//! The oracle runs once for each of several utilizations. A policy is compared with the cheapest of
//! these runs over the same dispatcher whose 99 % response is at most a hundredth above the
//! policy's.

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
