//! Random numbers of some laws, from the one seeded source.

use weighbridge_core::random::Random;

/// Exponential with mean 1.
pub fn exponential(random: &mut Random) -> f64 {
    -(1.0 - random.unit()).ln()
}

/// Standard normal (Box & Muller 1958, one of the two).
pub fn normal(random: &mut Random) -> f64 {
    let radius = (2.0 * exponential(random)).sqrt();
    radius * (std::f64::consts::TAU * random.unit()).cos()
}

/// The seed of a stream of its own: streams of one seed and different `purpose` are independent.
pub fn stream(seed: u64, purpose: u64) -> u64 {
    Random::new(seed ^ Random::new(purpose).next_u64()).next_u64()
}
