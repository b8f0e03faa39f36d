//! Colours.

use std::ops::Mul;

/// Red, green and blue in 0 to 1, or not a number, which is shown as black.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Colour(pub [f32; 3]);

// === impl Colour ===

impl Colour {
    /// No light at all.
    pub const BLACK: Colour = Colour([0.0; 3]);

    /// What a ray sees that hits nothing: gray.
    pub const BACKGROUND: Colour = Colour([128.0 / 255.0; 3]);

    /// The colour of three channels of 8 bits.
    #[inline]
    pub fn from_bytes(channels: [u8; 3]) -> Colour {
        Colour(channels.map(|channel| f32::from(channel) / 255.0))
    }

    /// The colour whose channels are `channels`, clamped.
    #[inline]
    pub fn clamped(channels: [f32; 3]) -> Colour {
        Colour(channels.map(clamp))
    }

    /// The sum of both, clamped.
    #[inline]
    #[must_use]
    pub fn blend(self, other: Colour) -> Colour {
        Colour(zip(self, other, |own, other| clamp(own + other)))
    }

    /// The sum of both, where the caller knows that it stays in range.
    #[inline]
    #[must_use]
    pub fn plus(self, other: Colour) -> Colour {
        Colour(zip(self, other, |own, other| own + other))
    }

    /// Every channel as 8 bits, rounded.
    #[inline]
    pub fn to_bytes(self) -> [u8; 3] {
        self.0.map(|channel| (f64::from(channel * 255.0) + 0.5) as u8)
    }
}

impl Mul for Colour {
    type Output = Colour;

    #[inline]
    fn mul(self, other: Colour) -> Colour {
        Colour(zip(self, other, |own, other| own * other))
    }
}

impl Mul<f32> for Colour {
    type Output = Colour;

    #[inline]
    fn mul(self, factor: f32) -> Colour {
        Colour(self.0.map(|channel| channel * factor))
    }
}

/// `value` within 0 to 1. What is not a number stays so, unlike with [`f32::max`].
#[inline]
pub fn clamp(value: f32) -> f32 {
    value.clamp(0.0, 1.0)
}

#[inline]
fn zip(a: Colour, b: Colour, combine: impl Fn(f32, f32) -> f32) -> [f32; 3] {
    [combine(a.0[0], b.0[0]), combine(a.0[1], b.0[1]), combine(a.0[2], b.0[2])]
}
