//! Unfinished progressive files: what is not known yet is estimated from the blocks around.
//!
//! Where the scans of a file do not tell the first nine coefficients of a block in full, those that
//! are still zero are estimated from the first coefficients of the block and of the 24 around it,
//! as the standard's annex K.8 suggests and libjpeg-turbo does since 2.1.

use std::array;

use super::frame::{Component, Frame};
use super::passes::Band;
use crate::block::{Block, Square, ZIGZAG};

/// Coefficients that are looked at, in the order of the file.
const COEFFICIENTS: usize = 10;

/// Weights of the blocks around, in rows.
type Kernel = [[i32; 5]; 5];

/// How many bits of its first coefficients a component lacks; -1 where no scan had them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    known: [i8; COEFFICIENTS],
    /// The same before the last scan.
    before: [i8; COEFFICIENTS],
}

/// What is smoothed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Smoothing {
    /// The last row of units that the last scan told.
    pub(super) last_good_row: usize,
    /// Rows of units.
    pub(super) rows: usize,
    /// Whether there was more than one scan.
    pub(super) later_scans: bool,
}

/// Of the other coefficients, where one of them is known.
const FEW: [Kernel; 5] = [
    [[0; 5], [0; 5], [-7, 50, 0, -50, 7], [0; 5], [0; 5]],
    [[0, 0, -7, 0, 0], [0, 0, 50, 0, 0], [0; 5], [0, 0, -50, 0, 0], [0, 0, 7, 0, 0]],
    [[0, 0, -1, 0, 0], [0, 0, 13, 0, 0], [0, 0, -24, 0, 0], [0, 0, 13, 0, 0], [0, 0, -1, 0, 0]],
    [[0, -1, 0, 1, 0], [-1, 10, 0, -10, 1], [0; 5], [1, -10, 0, 10, -1], [0, 1, 0, -1, 0]],
    [[0; 5], [0; 5], [-1, 13, -24, 13, -1], [0; 5], [0; 5]],
];

/// Of all coefficients, where only the first is known.
const ALL: [Kernel; COEFFICIENTS] = [
    [
        [-2, -6, -8, -6, -2],
        [-6, 6, 42, 6, -6],
        [-8, 42, 152, 42, -8],
        [-6, 6, 42, 6, -6],
        [-2, -6, -8, -6, -2],
    ],
    [
        [-1, -1, 0, 1, 1],
        [-3, 13, 0, -13, 3],
        [-3, 38, 0, -38, 3],
        [-3, 13, 0, -13, 3],
        [-1, -1, 0, 1, 1],
    ],
    [[-1, -3, -3, -3, -1], [-1, 13, 38, 13, -1], [0; 5], [1, -13, -38, -13, 1], [1, 3, 3, 3, 1]],
    [[0, 0, 1, 0, 0], [0, 2, 7, 2, 0], [0, -5, -14, -5, 0], [0, 2, 7, 2, 0], [0, 0, 1, 0, 0]],
    [[-1, 0, 0, 0, 1], [0, 9, 0, -9, 0], [0; 5], [0, -9, 0, 9, 0], [1, 0, 0, 0, -1]],
    [[0; 5], [0, 2, -5, 2, 0], [1, 7, -14, 7, 1], [0, 2, -5, 2, 0], [0; 5]],
    [[0; 5], [0, 1, 0, -1, 0], [0, 2, 0, -2, 0], [0, 1, 0, -1, 0], [0; 5]],
    [[0; 5], [0, 1, -3, 1, 0], [0; 5], [0, -1, 3, -1, 0], [0; 5]],
    [[0; 5], [0, 1, 0, -1, 0], [0, -3, 0, 3, 0], [0, 1, 0, -1, 0], [0; 5]],
    [[0; 5], [0, 1, 2, 1, 0], [0; 5], [0, -1, -2, -1, 0], [0; 5]],
];

// === impl Progress ===

impl Default for Progress {
    fn default() -> Progress {
        Progress { known: [-1; COEFFICIENTS], before: [0; COEFFICIENTS] }
    }
}

impl Progress {
    /// A scan tells a band of coefficients.
    pub(super) fn advance(&mut self, band: Band, is_first_scan: bool) {
        let Band { first, last, left } = band;
        for k in usize::from(first.min(1))..COEFFICIENTS {
            self.before[k] = if is_first_scan { 0 } else { self.known[k] };
        }
        for k in usize::from(first)..=usize::from(last).min(COEFFICIENTS - 1) {
            self.known[k] = left as i8;
        }
    }

    /// The bits that each coefficient lacks in a row of units.
    fn lacks(&self, row: usize, smoothing: Smoothing) -> [i8; COEFFICIENTS] {
        match (row <= smoothing.last_good_row, smoothing.later_scans) {
            (true, _) => self.known,
            (false, true) => self.before,
            (false, false) => [-1; COEFFICIENTS],
        }
    }
}

/// Whether something is not known that can be estimated.
pub(super) fn is_useful(frame: &Frame) -> bool {
    let possible = frame.components.iter().all(|component| {
        let divides = |divisors: Square<u16>| {
            ZIGZAG[..COEFFICIENTS].iter().all(|&place| divisors[usize::from(place)] != 0)
        };
        component.divisors.is_some_and(divides) && 0 <= component.progress.known[0]
    });
    let lacks_some =
        |component: &Component| component.progress.known[1..].iter().any(|&lacks| lacks != 0);
    frame.progressive && possible && frame.components.iter().any(lacks_some)
}

/// Estimates what the blocks of a row lack.
pub(super) fn row(
    component: &Component,
    divisors: &Square<u16>,
    (row, smoothing): (usize, Smoothing),
    blocks: &mut [Block],
) {
    let lacks = component.progress.lacks(row / component.sampling.1, smoothing);
    let rows = around(component, row, smoothing.rows);
    let last = component.own_blocks().0 - 1;
    for (column, block) in blocks.iter_mut().enumerate().take(last + 1) {
        let columns: [usize; 5] = array::from_fn(|i| (column + i).saturating_sub(2).min(last));
        let firsts = rows.map(|row| {
            let blocks = &component.blocks[row * component.stride..];
            columns.map(|column| i32::from(blocks[column][0]))
        });
        estimate(block, &firsts, divisors, &lacks);
    }
}

/// The rows of blocks around `row`, from two above to two below. Those at the border stand for what
/// is beyond; where the last row of units is not full, libjpeg takes some for the border that are
/// near it.
fn around(component: &Component, row: usize, units: usize) -> [usize; 5] {
    let high = component.sampling.1;
    let (unit, within) = (row / high, row % high);
    let rest = component.own_blocks().1 % high;
    let rows_here = if unit + 1 < units || rest == 0 { high } else { rest };
    let (at, n) = (unit * rows_here + within, rows_here * units);
    let above = if 0 < at { row - 1 } else { row };
    let further_above = if 1 < at { row - 2 } else { above };
    let below = if at + 1 < n { row + 1 } else { row };
    let further_below = if at + 2 < n { row + 2 } else { below };
    [further_above, above, row, below, further_below]
}

/// Estimates what `block` lacks, where the blocks around have the first coefficients `firsts`.
fn estimate(
    block: &mut Block,
    firsts: &Kernel,
    divisors: &Square<u16>,
    lacks: &[i8; COEFFICIENTS],
) {
    let only_first = lacks[1..].iter().all(|&lacks| lacks == -1);
    let kernels = if only_first { &ALL[1..] } else { &FEW[..] };
    let sum = |kernel: &Kernel| -> i64 {
        let weights = kernel.as_flattened().iter().zip(firsts.as_flattened());
        i64::from(divisors[0]) * weights.map(|(&w, &first)| i64::from(w * first)).sum::<i64>()
    };
    let rounded = |sum: i64, place: usize| {
        let divisor = i64::from(divisors[place]);
        (((divisor << 7) + sum.abs()) / (divisor << 8), sum < 0)
    };
    for ((kernel, &place), &lacks) in kernels.iter().zip(&ZIGZAG[1..]).zip(&lacks[1..]) {
        let place = usize::from(place);
        if lacks == 0 || block[place] != 0 {
            continue;
        }
        let (mut size, negative) = rounded(sum(kernel), place);
        if 0 < lacks {
            size = size.min((1 << lacks) - 1);
        }
        block[place] = if negative { -size } else { size } as i16;
    }
    if only_first {
        let (size, negative) = rounded(sum(&ALL[0]), 0);
        block[0] = if negative { -size } else { size } as i16;
    }
}
