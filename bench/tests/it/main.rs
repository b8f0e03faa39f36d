//! Tests of the benchmarks as a whole, as one binary.

#[cfg(test)]
mod guardrail;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod targets;
