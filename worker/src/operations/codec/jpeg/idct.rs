//! The inverse discrete cosine transform, in integers of 13 fractional bits.
//!
//! The algorithm is that of Loeffler, Ligtenberg and Moschytz (1989), with the roundings of
//! libjpeg's "islow": columns first, two more bits kept between the passes.

use std::num::Wrapping;

use super::frame::Block;

/// Fractional bits of the constants.
const FRACTION: usize = 13;

/// Bits kept between the passes.
const BETWEEN: usize = 2;

/// Damaged coefficients may overflow; what becomes of them does not matter.
type Number = Wrapping<i32>;

/// The samples of a block.
pub(super) fn transform(block: &Block, divisors: &[u16; 64]) -> [u8; 64] {
    let mut numbers = [Wrapping(0); 64];
    for (number, (&coefficient, &divisor)) in numbers.iter_mut().zip(block.iter().zip(divisors)) {
        *number = Wrapping(i32::from(coefficient)) * Wrapping(i32::from(divisor));
    }
    if block[1..].iter().all(|&coefficient| coefficient == 0) {
        return [sample(descale(numbers[0], 3)); 64];
    }
    for column in 0..8 {
        let line = [0, 8, 16, 24, 32, 40, 48, 56].map(|row| numbers[row + column]);
        let line = transform_line(line);
        for (row, number) in line.into_iter().enumerate() {
            numbers[8 * row + column] = descale(number, FRACTION - BETWEEN);
        }
    }
    let mut samples = [0; 64];
    for (samples, line) in samples.as_chunks_mut::<8>().0.iter_mut().zip(numbers.as_chunks().0) {
        *samples =
            transform_line(*line).map(|number| sample(descale(number, FRACTION + BETWEEN + 3)));
    }
    samples
}

fn descale(number: Number, bits: usize) -> Number {
    (number + Wrapping(1 << (bits - 1))) >> bits
}

fn sample(number: Number) -> u8 {
    number.0.saturating_add(128).clamp(0, 255) as u8
}

/// Eight numbers in one dimension; the result has [`FRACTION`] more bits.
fn transform_line([in0, in1, in2, in3, in4, in5, in6, in7]: [Number; 8]) -> [Number; 8] {
    let constant = Wrapping::<i32>;

    let common = (in2 + in6) * constant(4433);
    let even2 = common - in6 * constant(15137);
    let even3 = common + in2 * constant(6270);
    let (even0, even1) = ((in0 + in4) << FRACTION, (in0 - in4) << FRACTION);
    let evens = [even0 + even3, even1 + even2, even1 - even2, even0 - even3];

    let (z1, z2, z3, z4) = (in7 + in1, in5 + in3, in7 + in3, in5 + in1);
    let z5 = (z3 + z4) * constant(9633);
    let (z1, z2) = (-z1 * constant(7373), -z2 * constant(20995));
    let (z3, z4) = (z5 - z3 * constant(16069), z5 - z4 * constant(3196));
    let odds = [
        in1 * constant(12299) + z1 + z4,
        in3 * constant(25172) + z2 + z3,
        in5 * constant(16819) + z2 + z4,
        in7 * constant(2446) + z1 + z3,
    ];
    [
        evens[0] + odds[0],
        evens[1] + odds[1],
        evens[2] + odds[2],
        evens[3] + odds[3],
        evens[3] - odds[3],
        evens[2] - odds[2],
        evens[1] - odds[1],
        evens[0] - odds[0],
    ]
}
