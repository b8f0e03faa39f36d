//! Reads the features of a scene, for the balancer that has to predict what rendering it costs.
//!
//! It is apart from the scene's language because it needs the balancer's core and because none of
//! its code is counted. A program registers it by giving [`extractors()`] to the configuration.

mod sample;
mod scene;
mod trace;
#[cfg(test)]
mod tests;

use weighbridge_core::features::extractors::{self, Extractor};

// Counted code, as is in the scene's language, calls back into it, in tests too.
#[cfg(test)]
use weighbridge_instrument as _;

pub use scene::Scene;

/// The core's extractors and that of scenes.
pub fn extractors() -> Vec<&'static dyn Extractor> {
    [extractors::ALL, &[&Scene]].concat()
}
