//! What is predicted of a request: the truth with an error that the scenario asks for.

use weighbridge_core::random::Random;

use super::random::normal;
use super::sizes::Sizes;

/// The error of predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The truth times e^(sigma N), N standard normal.
    LogNormal,
    /// The size of some other request: says nothing.
    Random,
    /// The mean size: says nothing.
    Constant,
    /// g² over the truth, g being the geometric mean: long ones look short and short ones long.
    Reversed,
}

/// Predicts requests of some sizes.
#[derive(Debug)]
pub struct Predictions<'a> {
    kind: ErrorKind,
    sigma: f64,
    sizes: &'a Sizes,
    mean: f64,
    geometric_mean: f64,
}

/// Sizes from which the geometric mean is found.
const DRAWS: u32 = 10_000;

// === impl Predictions ===

impl<'a> Predictions<'a> {
    /// `sigma` is that of [`ErrorKind::LogNormal`].
    pub fn new(kind: ErrorKind, sigma: f64, sizes: &'a Sizes) -> Predictions<'a> {
        let mut random = Random::new(0);
        let logs: f64 = (0..DRAWS).map(|_| sizes.draw(&mut random).1.ln()).sum();
        let geometric_mean = (logs / f64::from(DRAWS)).exp();
        Predictions { kind, sigma, sizes, mean: sizes.mean(), geometric_mean }
    }

    /// What is predicted of a request of `work`.
    pub fn predict(&self, work: f64, random: &mut Random) -> f64 {
        match self.kind {
            ErrorKind::LogNormal => work * (self.sigma * normal(random)).exp(),
            ErrorKind::Random => self.sizes.draw(random).1,
            ErrorKind::Constant => self.mean,
            ErrorKind::Reversed => self.geometric_mean * self.geometric_mean / work,
        }
    }
}
