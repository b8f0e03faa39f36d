//! Integration tests of the scene's extractor, through the core's public interface.

#[cfg(test)]
mod accuracy;
#[cfg(test)]
mod counting;
#[cfg(test)]
#[path = "../../../../../lb/core/tests/it/learning.rs"]
mod learning;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod truth;
