//! What colour a shape has.

use crate::colour::Colour;
use crate::vector::Vector;

/// How the colour depends on the place.
#[derive(Debug, Clone, PartialEq)]
pub enum Pigment {
    /// The same everywhere. A gradient is one, too.
    Solid(Colour),
    /// Cubes in turns.
    Checker {
        /// The colour of every other cube, the one at the origin included.
        even: Colour,
        /// The colour of the others.
        odd: Colour,
        /// The side of a cube.
        scale: f64,
    },
    /// A picture. The coordinates in it are affine in the place.
    Texture {
        /// Across the picture.
        s: Affine,
        /// Down the picture.
        t: Affine,
    },
}

/// `factors . place + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine {
    /// What each coordinate is multiplied by.
    pub factors: Vector,
    /// What is added.
    pub offset: f64,
}

// === impl Affine ===

impl Affine {
    /// Its value at `place`.
    #[inline]
    pub fn at(&self, place: Vector) -> f64 {
        self.factors.dot(place) + self.offset
    }
}
