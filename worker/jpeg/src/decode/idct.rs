//! The inverse discrete cosine transform, in integers of 13 fractional bits.
//!
//! The algorithm is that of Loeffler, Ligtenberg and Moschytz (1989), with the roundings of
//! libjpeg's "islow": columns first, two more bits kept between the passes. The numbers have 16
//! bits between the passes, and sums of two of them as well, so that eight can be worked on at
//! once; what does not fit is damage, and wraps or stays at the limit.

use std::array;

use wide::{i16x8, u8x16};

use crate::block::{Block, SIDE, Square};
use crate::lanes::{BETWEEN, FRACTION, Rows, descale, odds, times};

/// All columns but the first.
const NOT_FIRST: i16x8 = i16x8::new([0, -1, -1, -1, -1, -1, -1, -1]);

/// Transforms a row of blocks into eight rows of samples, each as long as the blocks are wide.
pub(super) fn transform_row(blocks: &[Block], divisors: &Square<u16>, samples: &mut [u8]) {
    let stride = blocks.len() * SIDE;
    debug_assert_eq!(samples.len(), stride * SIDE, "a row of blocks has eight rows of samples");
    for (column, block) in blocks.iter().enumerate() {
        let rows = transform(block, divisors);
        for (row, from) in samples.chunks_exact_mut(stride).zip(rows) {
            let to: &mut [u8] = &mut row[column * SIDE..][..SIDE];
            to.copy_from_slice(&from);
        }
    }
}

/// The samples of a block, in rows.
#[inline]
fn transform(block: &Block, divisors: &Square<u16>) -> [[u8; SIDE]; SIDE] {
    let (rows, _) = block.as_chunks::<SIDE>();
    let (divisors, _) = divisors.as_chunks::<SIDE>();
    let rows: Rows = array::from_fn(|i| i16x8::new(rows[i]));
    let first = rows[0] * i16x8::new(divisors[0].map(u16::cast_signed));
    let half = if rows[1..].iter().fold(i16x8::ZERO, |all, &row| all | row) == i16x8::ZERO {
        // Every row is like the first.
        if rows[0] & NOT_FIRST == i16x8::ZERO {
            let number = i32::from(first.as_array()[0] << BETWEEN);
            return [[sample((number + 16) >> 5); SIDE]; SIDE];
        }
        [first << BETWEEN; SIDE]
    } else {
        let numbers = |i: usize| rows[i] * i16x8::new(divisors[i].map(u16::cast_signed));
        pass::<{ FRACTION - BETWEEN }>(array::from_fn(numbers))
    };
    let half = i16x8::transpose(half);
    let whole = i16x8::transpose(pass::<{ FRACTION + BETWEEN + 3 }>(half));
    let mut samples = [[0; SIDE]; SIDE];
    let (pairs, _) = samples.as_chunks_mut::<2>();
    for (pair, rows) in pairs.iter_mut().zip(whole.as_chunks::<2>().0) {
        let middle = i16x8::splat(128);
        let [upper, lower] = rows.map(|row| row.saturating_add(middle));
        let rows = u8x16::narrow_i16x8(upper, lower);
        pair.as_flattened_mut().copy_from_slice(rows.as_array());
    }
    samples
}

fn sample(number: i32) -> u8 {
    (number + 128).clamp(0, 255) as u8
}

/// Transforms every column, and drops the last `BITS` bits.
#[inline]
fn pass<const BITS: i32>([in0, in1, in2, in3, in4, in5, in6, in7]: Rows) -> Rows {
    let whole = |numbers: i16x8| times(numbers, 1 << FRACTION);
    let even2 = times(in2, 4433) - times(in6, 10704);
    let even3 = times(in2, 10703) + times(in6, 4433);
    let (even0, even1) = (whole(in0 + in4), whole(in0 - in4));
    let evens = [even0 + even3, even1 + even2, even1 - even2, even0 - even3];
    let odds = odds([in1, in3, in5, in7]);
    let sum = |i: usize| descale::<BITS>(evens[i] + odds[i]);
    let difference = |i: usize| descale::<BITS>(evens[i] - odds[i]);
    [sum(0), sum(1), sum(2), sum(3), difference(3), difference(2), difference(1), difference(0)]
}
