//! What stands before the pixels: the header, the tables, and how they are used.

use crate::block::{SIDE, Square, ZIGZAG};
use crate::standard::{self, Table};
use weighbridge_image_header::jpeg::markers::{APP0, DHT, DQT, EOI, SOF0, SOI, SOS};

/// The divisors of coefficients, made ready.
pub(super) struct Quantization {
    /// In the order of the file: half of what divides, and its inverse in 32 bits.
    steps: [(u32, u32); SIDE * SIDE],
}

/// The divisors of a quality, in rows, of brightness and of colour differences.
pub(super) fn divisors(quality: u8) -> [Square<u8>; 2] {
    let quality = u32::from(quality);
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    standard::DIVISORS.map(|table| {
        table.map(|divisor| ((u32::from(divisor) * percent + 50) / 100).clamp(1, 255) as u8)
    })
}

/// Writes everything up to the first coefficient.
pub(super) fn write(
    file: &mut Vec<u8>,
    (width, height): (u16, u16),
    components: usize,
    divisors: &[Square<u8>; 2],
) {
    let tables = if components == 1 { 1 } else { 2 };
    file.extend([0xFF, SOI]);
    // Version 1.02, pixels as wide as high, no thumbnail.
    segment(file, APP0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0");
    for (i, divisors) in (0..).zip(&divisors[..tables]) {
        let ordered = ZIGZAG.iter().take(SIDE * SIDE).map(|&place| divisors[usize::from(place)]);
        segment(file, DQT, &[i].into_iter().chain(ordered).collect::<Vec<u8>>());
    }
    let ([h0, h1], [w0, w1]) = (height.to_be_bytes(), width.to_be_bytes());
    let mut frame = vec![8, h0, h1, w0, w1, components as u8];
    let mut scan = vec![components as u8];
    for (id, i) in (1..).zip(0..components) {
        let table = u8::from(i != 0);
        let sampling = if i == 0 && components != 1 { 0x22 } else { 0x11 };
        frame.extend([id, sampling, table]);
        scan.extend([id, table << 4 | table]);
    }
    segment(file, SOF0, &frame);
    for (i, (dc, ac)) in (0..).zip(standard::DC.iter().zip(&standard::AC)).take(tables) {
        huffman(file, i, dc);
        huffman(file, 0x10 | i, ac);
    }
    scan.extend([0, 63, 0]);
    segment(file, SOS, &scan);
}

/// Writes what stands behind the pixels.
pub(super) fn end(file: &mut Vec<u8>) {
    file.extend([0xFF, EOI]);
}

fn huffman(file: &mut Vec<u8>, number: u8, table: &Table) {
    segment(file, DHT, &[&[number][..], &table.counts, table.symbols].concat());
}

fn segment(file: &mut Vec<u8>, marker: u8, payload: &[u8]) {
    file.extend([0xFF, marker]);
    file.extend((payload.len() as u16 + 2).to_be_bytes());
    file.extend(payload);
}

// === impl Quantization ===

impl Quantization {
    pub(super) fn new(divisors: &Square<u8>) -> Quantization {
        let mut steps = [(0, 0); SIDE * SIDE];
        for (step, &place) in steps.iter_mut().zip(&ZIGZAG) {
            // Coefficients come with three more bits.
            let divisor = u32::from(divisors[usize::from(place)]) << 3;
            *step = (divisor / 2, u32::MAX / divisor + 1);
        }
        Quantization { steps }
    }

    /// Divides the coefficients of `block`, half away from zero, and puts them in the order of the
    /// file.
    pub(super) fn apply(&self, block: &Square<i16>) -> Square<i16> {
        let mut ordered = [0; SIDE * SIDE];
        for ((to, &place), &(half, inverse)) in ordered.iter_mut().zip(&ZIGZAG).zip(&self.steps) {
            let coefficient = block[usize::from(place & 63)];
            let size = u32::from(coefficient.unsigned_abs()) + half;
            // Exact, as numbers and divisors are below 2^16.
            let quotient = ((u64::from(size) * u64::from(inverse)) >> 32) as i16;
            *to = if coefficient < 0 { -quotient } else { quotient };
        }
        ordered
    }
}
