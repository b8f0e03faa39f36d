//! Tests of the benchmarks as a whole: of the program `weighbridge-bench` against real workers and
//! balancers, and of the simulator over its scenarios.

// The image codecs are counted code, here too: this brings what counts them.
use weighbridge_instrument as _;

#[cfg(test)]
mod clients;
#[cfg(test)]
mod compare;
#[cfg(test)]
#[path = "../../../lb/aws/tests/shared/emulators.rs"]
mod emulators;
#[cfg(test)]
mod guardrail;
#[cfg(test)]
mod hold;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod lambda;
#[cfg(test)]
mod load;
#[cfg(test)]
mod program;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod services;
#[cfg(test)]
mod targets;
#[cfg(test)]
#[path = "../../../lb/aws/tests/shared/wire.rs"]
mod wire;
