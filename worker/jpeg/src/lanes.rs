//! Eight numbers at once, as both cosine transforms use them.

use wide::{i16x8, i32x8};

use crate::block::SIDE;

/// Fractional bits of constants.
pub(crate) const FRACTION: i32 = 13;

/// Bits kept between the two passes of a transform.
pub(crate) const BETWEEN: i32 = 2;

/// Eight rows of eight columns.
pub(crate) type Rows = [i16x8; SIDE];

/// `numbers` times `constant`, in full.
#[inline]
pub(crate) fn times(numbers: i16x8, constant: i16) -> i32x8 {
    numbers.widening_mul(i16x8::splat(constant))
}

/// Drops the last `BITS` bits, half up. What does not fit stays at the limit.
#[inline]
pub(crate) fn descale<const BITS: i32>(numbers: i32x8) -> i16x8 {
    i16x8::from_i32x8_saturate((numbers + i32x8::splat(1 << (BITS - 1))) >> BITS)
}

/// The odd half of a transform, in either direction: the numbers at 1, 3, 5 and 7.
#[inline]
pub(crate) fn odds([in1, in3, in5, in7]: [i16x8; 4]) -> [i32x8; 4] {
    let (z3, z4) = (in7 + in3, in5 + in1);
    let (z3, z4) = (times(z3, -6436) + times(z4, 9633), times(z3, 9633) + times(z4, 6437));
    [
        times(in1, 4926) - times(in7, 7373) + z4,
        times(in3, 4177) - times(in5, 20995) + z3,
        times(in5, -4176) - times(in3, 20995) + z4,
        times(in7, -4927) - times(in1, 7373) + z3,
    ]
}
