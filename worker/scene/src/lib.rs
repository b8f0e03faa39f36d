//! The language of scenes, and where rays go in them.
//!
//! The worker renders scenes; the balancer predicts what that costs. Both read the text by one
//! parser, the worker strictly ([`parse`]), the balancer leniently ([`outline`]), and both follow
//! rays by the same geometry.
//!
//! Geometry is `f64`, colours are `f32`, and every formula is evaluated in a fixed order: pictures
//! are compared byte for byte with what the systems before us rendered. That is why some
//! expressions here are not in their shortest form.
//!
//! What runs for each token or ray is `#[inline]` or generic, so that each crate that uses it
//! compiles a copy of its own: the worker's copy counts its basic blocks, the balancer's does not.

mod vector;
mod view;
mod camera;
mod colour;
mod pigment;
mod shapes;
mod scene;

// Counted code calls back into it, in tests too.
#[cfg(test)]
use weighbridge_instrument as _;

pub use camera::{Camera, Viewpoint};
pub use colour::{Colour, clamp};
pub use pigment::{Affine, Pigment};
pub use scene::{Finish, Light, Limits, Outline, Scene, SceneError, outline, parse};
pub use shapes::{Hit, Material, Shapes, Test, Watch};
pub use vector::{Ray, Vector};
pub use view::{View, ViewError};

/// How often a ray is reflected or transmitted at most.
pub const DEPTH_MAX: u32 = 6;
