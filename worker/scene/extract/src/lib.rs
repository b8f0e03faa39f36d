//! Reads the features of scenes and films, for the balancer that has to predict what they cost.
//!
//! It is apart from the scene's language because it needs the balancer's core and because none of
//! its code is counted. A program registers it by giving [`extractors()`] to the configuration.

mod film;
mod sample;
mod scene;
mod trace;
#[cfg(test)]
mod tests;

use weighbridge_core::features::extractors::{self, Extractor};

// Counted code, as is in the scene's language, calls back into it, in tests too.
#[cfg(test)]
use weighbridge_instrument as _;

pub use film::Film;
pub use scene::Scene;

/// The core's extractors, and those of scenes and films.
pub fn extractors() -> Vec<&'static dyn Extractor> {
    [extractors::ALL, &[&Scene, &Film]].concat()
}
