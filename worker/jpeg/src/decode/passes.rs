//! The coefficients of a block, in one scan or bit by bit in several.
//!
//! What is not in order does no harm: runs that are too long end in the last place, as in libjpeg.

use wide::{i8x16, i16x16};

use super::bits::Bits;
use super::huffman::Code;
use crate::block::{Block, ZIGZAG};

/// The coefficients that a progressive scan is about, in the order of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Band {
    pub(super) first: u8,
    pub(super) last: u8,
    /// Bits that are left for later scans.
    pub(super) left: u32,
}

/// The last coefficient.
const LAST: usize = 63;

/// Where the `k`-th coefficient of a file goes.
#[inline]
fn place(k: usize) -> usize {
    usize::from(ZIGZAG[k] & 63)
}

/// Reads the first coefficient: how much larger it is than that of the block before.
#[inline]
fn first(bits: &mut Bits<'_>, code: &Code, prediction: &mut i32) {
    bits.refill();
    let size = u32::from(code.read(bits));
    *prediction = prediction.wrapping_add(bits.read_signed(size));
}

/// All coefficients.
#[inline(never)]
pub(super) fn sequential(
    bits: &mut Bits<'_>,
    (dc, ac): (&Code, &Code),
    prediction: &mut i32,
    block: &mut Block,
) {
    first(bits, dc, prediction);
    block[0] = *prediction as i16;
    let mut k = 1;
    while k < 64 {
        bits.refill();
        let number = ac.number(bits);
        if number.length != 0 {
            k += usize::from(number.run);
            block[place(k)] = number.value;
            bits.skip(number.length.into());
            k += 1;
            continue;
        }
        let symbol = ac.read(bits);
        let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 && run < 15 {
            break;
        }
        k += run;
        if size != 0 {
            block[place(k)] = bits.read_signed(size) as i16;
        }
        k += 1;
    }
}

/// The upper bits of the first coefficient.
#[inline(never)]
pub(super) fn dc_first(
    bits: &mut Bits<'_>,
    code: &Code,
    prediction: &mut i32,
    left: u32,
    block: &mut Block,
) {
    first(bits, code, prediction);
    block[0] = (*prediction << left) as i16;
}

/// The next bit of the first coefficient.
#[inline(never)]
pub(super) fn dc_refine(bits: &mut Bits<'_>, left: u32, block: &mut Block) {
    bits.refill();
    block[0] |= (bits.read(1) << left) as i16;
}

/// The upper bits of a band of coefficients. The block is in the order of the file.
pub(super) fn ac_first(
    bits: &mut Bits<'_>,
    code: &Code,
    band: Band,
    empty_blocks: &mut u32,
    block: &mut Block,
) {
    if 0 < *empty_blocks {
        *empty_blocks -= 1;
        return;
    }
    let mut k = usize::from(band.first);
    while k <= usize::from(band.last) {
        bits.refill();
        let number = code.number(bits);
        if number.length != 0 {
            k += usize::from(number.run);
            block[k.min(LAST)] = (i32::from(number.value) << band.left) as i16;
            bits.skip(number.length.into());
            k += 1;
            continue;
        }
        let symbol = code.read(bits);
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 && run < 15 {
            *empty_blocks = (1 << run) - 1 + bits.read(run);
            break;
        }
        k += run as usize;
        if size != 0 {
            block[k.min(LAST)] = (bits.read_signed(size) << band.left) as i16;
        }
        k += 1;
    }
}

/// The next bit of a band of coefficients. The block is in the order of the file.
pub(super) fn ac_refine(
    bits: &mut Bits<'_>,
    code: &Code,
    band: Band,
    empty_blocks: &mut u32,
    block: &mut Block,
) {
    let mut refined = Refined { known: non_zeros(block), bit: 1 << band.left, block };
    let end = usize::from(band.last) + 1;
    let mut k = usize::from(band.first);
    while *empty_blocks == 0 && k < end {
        bits.refill();
        let symbol = code.read(bits);
        let (run, size) = (usize::from(symbol >> 4), symbol & 15);
        if size == 0 && run < 15 {
            *empty_blocks = (1 << run) + bits.read(run as u32);
            break;
        }
        let is_positive = size != 0 && bits.read(1) == 1;
        k = refined.pass(bits, (k, end), run);
        if size != 0 {
            refined.block[k.min(LAST)] = if is_positive { refined.bit } else { -refined.bit };
        }
        k += 1;
    }
    if 0 < *empty_blocks {
        refined.pass(bits, (k, end), usize::MAX);
        *empty_blocks -= 1;
    }
}

/// A block of which the next bit is told.
struct Refined<'a> {
    /// Which coefficients were not zero before, the first in the lowest bit.
    known: u64,
    /// The bit, alone.
    bit: i16,
    block: &'a mut Block,
}

impl Refined<'_> {
    /// Passes `run` zeros, and refines what lies between them. Returns where the next zero is, or
    /// `end`.
    #[inline]
    fn pass(&mut self, bits: &mut Bits<'_>, (start, end): (usize, usize), mut run: usize) -> usize {
        let mut k = start;
        while k < end {
            let next = (k + (self.known >> k).trailing_zeros() as usize).min(end);
            let zeros = next - k;
            if run < zeros {
                return k + run;
            }
            run -= zeros;
            if next < end {
                self.refine(bits, next);
            }
            k = next + 1;
        }
        end
    }

    #[inline]
    fn refine(&mut self, bits: &mut Bits<'_>, k: usize) {
        bits.refill();
        let coefficient = &mut self.block[k & LAST];
        if bits.read(1) == 1 && *coefficient & self.bit == 0 {
            let change = if *coefficient < 0 { -self.bit } else { self.bit };
            *coefficient = coefficient.wrapping_add(change);
        }
    }
}

/// Which coefficients are not zero, the first in the lowest bit.
fn non_zeros(block: &Block) -> u64 {
    let (parts, _) = block.as_chunks::<16>();
    let zeros = parts.iter().rev().fold(0, |all, part| {
        let bytes = i8x16::from_i16x16_saturate(i16x16::new(*part));
        all << 16 | u64::from(bytes.simd_eq(i8x16::ZERO).to_bitmask() & 0xFFFF)
    });
    !zeros
}
