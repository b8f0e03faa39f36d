//! What a run costs, in US dollars.

use super::measure::Usage;

/// Price of a core of a host for an hour: half of an m7i.large (2 vCPU, Linux, on demand, us-east-1).
const CORE_HOUR_USD: f64 = 0.0504;

/// Price of a gigabyte of Lambda's memory for a second (x86, us-east-1).
const LAMBDA_GB_SECOND_USD: f64 = 0.000_016_666_7;

/// Price of a request on Lambda.
const LAMBDA_REQUEST_USD: f64 = 0.000_000_2;

/// What `usage` costs.
pub fn usd(usage: &Usage) -> f64 {
    usage.core_seconds / 3600.0 * CORE_HOUR_USD
        + usage.lambda_gb_seconds * LAMBDA_GB_SECOND_USD
        + usage.lambda_requests as f64 * LAMBDA_REQUEST_USD
}
