//! What colour a pigment has at a place.

use weighbridge_scene::{Colour, Pigment, Vector};

use crate::operations::codec::Raster;

/// The colour of `pigment` at `place`. Without a texture, what is textured is black.
pub(super) fn colour(pigment: &Pigment, place: Vector, texture: Option<&Raster>) -> Colour {
    match pigment {
        Pigment::Solid(colour) => *colour,
        Pigment::Checker { even, odd, scale } => {
            let cube = |coordinate: f64| (coordinate / scale).floor().abs() as i32;
            let number = cube(place.x).wrapping_add(cube(place.y)).wrapping_add(cube(place.z));
            if number % 2 == 0 { *even } else { *odd }
        }
        Pigment::Texture { s, t } => texture
            .map_or(Colour::BLACK, |texture| texel(texture, wrap(s.at(place)), wrap(t.at(place)))),
    }
}

/// `coordinate` less an integer, in `0 <= x && x < 1`; or not a number, where it has no fraction.
fn wrap(coordinate: f64) -> f64 {
    let fraction = coordinate.fract();
    // The sum is rounded, so that it may be one.
    if fraction < 0.0 { (fraction + 1.0).fract() } else { fraction }
}

/// The pixel of `texture` at `(s, t)`, each in 0 to 1.
fn texel(texture: &Raster, s: f64, t: f64) -> Colour {
    let column = ((s * texture.width as f64) as usize).min(texture.width - 1);
    let row = ((t * texture.height as f64) as usize).min(texture.height - 1);
    let pixel = &texture.samples[(row * texture.width + column) * texture.bands..];
    match texture.bands {
        1 | 2 => Colour::from_bytes([pixel[0]; 3]),
        _ => Colour::from_bytes([pixel[0], pixel[1], pixel[2]]),
    }
}
