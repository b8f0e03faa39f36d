//! What one request may cost at most.

use crate::defaults;

/// The limits of a worker. Each is checked before its cost is paid, and has an error of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request body.
    pub body_bytes: usize,
    /// Pixels of an image or texture, read from its header before it is decoded.
    pub image_pixels: u64,
    /// Pixels of a rendered image: `wcols * wrows`.
    pub output_pixels: u64,
    /// Shapes of a scene, those that are never hit included.
    pub shapes: usize,
    /// Lights of a scene, the ambient one included.
    pub lights: usize,
    /// Bytes of a texture, before it is decoded.
    pub texture_bytes: usize,
    /// How many times a ray may be reflected or transmitted. A scene that does either needs
    /// [`Limits::RECURSION_DEPTH_NEEDED`]; under that, such scenes are refused. It never changes
    /// a pixel.
    pub recursion_depth: u32,
}

impl Limits {
    /// How often a ray of a scene with reflection or transmission is followed up.
    pub const RECURSION_DEPTH_NEEDED: u32 = weighbridge_scene::DEPTH_MAX;
}

impl Default for Limits {
    fn default() -> Limits {
        defaults::LIMITS
    }
}
