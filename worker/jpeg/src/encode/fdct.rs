//! The discrete cosine transform, in integers of 13 fractional bits.
//!
//! The algorithm is that of Loeffler, Ligtenberg and Moschytz (1989), with the roundings of
//! libjpeg's "islow": rows first, two more bits kept between the passes. The results have three
//! more bits than coefficients. All fits into 16 bits: 64 samples of 8 bits with two more have as
//! many.

use wide::i16x8;

use crate::block::{Block, SIDE};
use crate::lanes::{BETWEEN, FRACTION, Rows, descale, odds, times};

/// The coefficients of a block of a plane, in rows.
pub(super) fn block(
    (plane, stride): (&[u8], usize),
    (block_column, block_row): (usize, usize),
) -> Block {
    let start = block_row * SIDE * stride + block_column * SIDE;
    let mut rows = [i16x8::ZERO; SIDE];
    for (row, samples) in rows.iter_mut().zip(plane[start..].chunks(stride)) {
        if let Some(samples) = samples.first_chunk() {
            let samples: [u8; SIDE] = *samples;
            *row = i16x8::new(samples.map(|sample| i16::from(sample) - 128));
        }
    }
    let rows = pass::<true>(i16x8::transpose(rows));
    let rows = pass::<false>(i16x8::transpose(rows));
    let mut block = [0; SIDE * SIDE];
    for (to, row) in block.as_chunks_mut().0.iter_mut().zip(rows) {
        *to = row.to_array();
    }
    block
}

/// Transforms every column: in the first pass with two more bits, in the second without.
#[inline]
fn pass<const FIRST: bool>([in0, in1, in2, in3, in4, in5, in6, in7]: Rows) -> Rows {
    let whole = |numbers: i16x8| {
        if FIRST { numbers << BETWEEN } else { (numbers + 2) >> BETWEEN }
    };
    let part = |numbers| {
        if FIRST {
            descale::<{ FRACTION - BETWEEN }>(numbers)
        } else {
            descale::<{ FRACTION + BETWEEN }>(numbers)
        }
    };
    let (sum0, sum1, sum2, sum3) = (in0 + in7, in1 + in6, in2 + in5, in3 + in4);
    let (even0, even3) = (sum0 + sum3, sum0 - sum3);
    let (even1, even2) = (sum1 + sum2, sum1 - sum2);
    let odds = odds([in0 - in7, in1 - in6, in2 - in5, in3 - in4]);
    [
        whole(even0 + even1),
        part(odds[0]),
        part(times(even3, 10703) + times(even2, 4433)),
        part(odds[1]),
        whole(even0 - even1),
        part(odds[2]),
        part(times(even3, 4433) - times(even2, 10704)),
        part(odds[3]),
    ]
}
