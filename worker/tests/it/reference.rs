//! Slow and obvious implementations of the operations, to compare with.

pub(crate) mod blur;
pub(crate) mod enhance;
pub(crate) mod raytrace;
