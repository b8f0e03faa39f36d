//! What a run costs, in US dollars at the list prices of `bench/prices.toml`.
//!
//! Virtual machines are billed from launch to termination, booting and draining included, by the
//! second and for a least time each. Lambda is billed by memory, run time and requests.

use std::sync::LazyLock;

use serde::Deserialize;

use super::measure::Usage;

/// The prices of `bench/prices.toml`.
static LISTED: LazyLock<Prices> = LazyLock::new(|| {
    toml::from_str(include_str!("../../prices.toml")).expect("the price list is one, as tests see")
});

/// List prices.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// When they were those of the list.
    pub as_of: String,
    /// Of virtual machines.
    pub vm: VmPrice,
    /// Of Lambda.
    pub lambda: LambdaPrice,
}

/// The price of a virtual machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VmPrice {
    /// The instance type that it is the price of.
    pub instance: String,
    /// Dollars for an hour of it.
    pub usd_per_hour: f64,
    /// Its virtual CPUs, each taken as one core.
    pub vcpus: f64,
    /// Seconds that are billed at least.
    pub billed_min_secs: f64,
}

/// The price of Lambda.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LambdaPrice {
    /// Dollars for a second of one GB.
    pub usd_per_gb_second: f64,
    /// Dollars for a million requests.
    pub usd_per_million_requests: f64,
    /// GB of memory that come with one virtual CPU.
    pub gb_per_vcpu: f64,
    /// Run times are rounded up to a multiple of so many seconds.
    pub billed_step_secs: f64,
}

// === impl Prices ===

impl Prices {
    /// The prices of `bench/prices.toml`.
    pub fn listed() -> &'static Prices {
        &LISTED
    }

    /// Dollars for what a run used.
    pub fn usd(&self, usage: &Usage) -> f64 {
        self.vm.usd(usage.core_seconds) + self.lambda.usd(usage)
    }
}

// === impl VmPrice ===

impl VmPrice {
    /// Dollars for so many seconds of one core.
    fn usd(&self, core_seconds: f64) -> f64 {
        self.usd_per_hour / 3600.0 / self.vcpus * core_seconds
    }

    /// What is billed of a machine that was there for `secs`, in seconds.
    pub fn billed_secs(&self, secs: f64) -> f64 {
        secs.max(self.billed_min_secs)
    }
}

// === impl LambdaPrice ===

impl LambdaPrice {
    fn usd(&self, usage: &Usage) -> f64 {
        let requests = usage.lambda_requests as f64 / 1e6;
        usage.lambda_gb_seconds * self.usd_per_gb_second + requests * self.usd_per_million_requests
    }

    /// What is billed of a request that ran for `secs` on `vcpus`, in GB-seconds.
    pub fn billed_gb_seconds(&self, vcpus: f64, secs: f64) -> f64 {
        // A hair over a whole number of steps is float noise, not a further step.
        let steps = (secs / self.billed_step_secs - 1e-9).ceil().max(1.0);
        self.gb_per_vcpu * vcpus * steps * self.billed_step_secs
    }
}

/// What `usage` costs at the listed prices, in US dollars.
pub fn usd(usage: &Usage) -> f64 {
    Prices::listed().usd(usage)
}

/// What of that is for Lambda.
pub fn lambda_usd(usage: &Usage) -> f64 {
    Prices::listed().lambda.usd(usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f64, right: f64) {
        assert!((left - right).abs() <= 1e-9 * right.abs(), "{left} is not {right}");
    }

    #[test]
    fn two_cores_for_an_hour_cost_the_listed_instance() {
        near(usd(&Usage { core_seconds: 7200.0, ..Usage::default() }), 0.085);
    }

    #[test]
    fn a_machine_is_billed_for_a_minute_at_least() {
        let vm = &Prices::listed().vm;
        near(vm.billed_secs(1.0), 60.0);
        near(vm.billed_secs(61.5), 61.5);
    }

    #[test]
    fn a_function_is_billed_by_memory_time_and_request() {
        let usage =
            Usage { lambda_requests: 1_000_000, lambda_gb_seconds: 600_000.0, ..Usage::default() };
        near(usd(&usage), 0.2 + 10.000_02);
        let lambda = &Prices::listed().lambda;
        near(lambda.billed_gb_seconds(2.0, 1.0), 3.538);
        near(lambda.billed_gb_seconds(1.0, 0.000_01), 0.001_769);
    }
}
