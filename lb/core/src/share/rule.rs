//! Who goes first within a class: the whole policy.
//!
//! # Decision: what a client will have attained counts, not only what it has
//!
//! Among clients that have had about as much the shortest request goes first: to put them in order
//! by small differences of what they have had would lose most of what ordering by size is worth.
//! Whoever has had more than that has an excess.
//!
//! With least attained service first, whoever has had nothing goes first with whatever it asks for,
//! and its giant keeps everybody else's small requests waiting. So the request's own work is added:
//! its *finish tag*, as in fair queueing (Demers, Keshav and Shenker 1989; Goyal, Vin and Cheng
//! 1996 order by start tags instead). Among clients that have had as much, that is the shortest
//! first; a flood's requests have all of its past before them. `bench/README.md` has the figures of
//! each rule. Cost: a client of small requests may have had somewhat more than one of giants. Look
//! again when clients ask for guarantees.

use std::fmt;

/// See the module.
pub trait Rule: fmt::Debug + Send + Sync {
    /// Unique, as in the configuration.
    fn name(&self) -> &'static str;

    /// The lowest goes first. `excess`: what the client has had beyond others; `size`: what the
    /// request adds to that. Both finite and not negative.
    fn key(&self, excess: f64, size: f64) -> (u64, u64);
}

/// Every rule there is, the default first.
pub const RULES: &[&dyn Rule] = &[&Finish, &Attained, &Steps];

/// The least after the request has run: `excess + size`.
#[derive(Debug)]
struct Finish;

/// The least before it, and then the shortest: least attained service first (LAS).
#[derive(Debug)]
struct Attained;

/// The same, where what is less than twice as much counts as equal.
#[derive(Debug)]
struct Steps;

impl Rule for Finish {
    fn name(&self) -> &'static str {
        "finish"
    }

    fn key(&self, excess: f64, size: f64) -> (u64, u64) {
        (bits(excess + size), 0)
    }
}

impl Rule for Attained {
    fn name(&self) -> &'static str {
        "attained"
    }

    fn key(&self, excess: f64, size: f64) -> (u64, u64) {
        (bits(excess), bits(size))
    }
}

impl Rule for Steps {
    fn name(&self) -> &'static str {
        "steps"
    }

    fn key(&self, excess: f64, size: f64) -> (u64, u64) {
        // The exponent of a float: its logarithm in whole steps.
        (bits(excess) >> (f64::MANTISSA_DIGITS - 1), bits(size))
    }
}

/// In the order of the numbers, which are not negative.
fn bits(number: f64) -> u64 {
    debug_assert!(0.0 <= number, "an amount is not negative");
    number.max(0.0).to_bits()
}
