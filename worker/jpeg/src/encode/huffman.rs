//! Coefficients to bits, by the standard's codes.

use super::header;
use crate::block::{SIDE, Square};
use crate::standard::{self, Table};

/// The bits of each symbol, and how many they are; 0 where it has none.
type Codes = [(u16, u8); 256];

/// The codes of a component.
pub(super) struct Coder {
    dc: Codes,
    ac: Codes,
    /// The first coefficient of the block before.
    prediction: i16,
}

/// A file to which bits are written.
pub(super) struct Writer {
    file: Vec<u8>,
    /// The last `n` bits of it are not written yet; `n` is below 32 between two calls.
    buffer: u64,
    n: u32,
}

// === impl Coder ===

impl Coder {
    /// A coder with the standard's codes for brightness (0) or for colour differences (1).
    pub(super) fn new(table: usize) -> Coder {
        Coder { dc: codes(&standard::DC[table]), ac: codes(&standard::AC[table]), prediction: 0 }
    }

    /// Writes a block, in the order of the file.
    pub(super) fn put(&mut self, block: &Square<i16>, writer: &mut Writer) {
        let difference = block[0] - self.prediction;
        self.prediction = block[0];
        put_number(writer, &self.dc, 0, difference);
        let mut left = 0_u64;
        for (k, &coefficient) in block.iter().enumerate().skip(1) {
            left |= u64::from(coefficient != 0) << k;
        }
        let mut next = 1;
        while left != 0 {
            let k = left.trailing_zeros();
            left &= left - 1;
            let mut run = k - next;
            while 16 <= run {
                writer.put_code(self.ac[0xF0]);
                run -= 16;
            }
            put_number(writer, &self.ac, run, block[k as usize]);
            next = k + 1;
        }
        if next < (SIDE * SIDE) as u32 {
            writer.put_code(self.ac[0]);
        }
    }

    /// Writes a block that is as the one before in its mean, and flat.
    pub(super) fn put_empty(&mut self, writer: &mut Writer) {
        put_number(writer, &self.dc, 0, 0);
        writer.put_code(self.ac[0]);
    }
}

/// Assigns codes in the order of the table: each one more than the one before, longer ones with
/// zeros behind.
fn codes(table: &Table) -> Codes {
    let mut codes = [(0, 0); 256];
    let mut symbols = table.symbols.iter();
    let mut next = 0;
    for (length, &count) in (1..).zip(&table.counts) {
        for &symbol in symbols.by_ref().take(count.into()) {
            codes[usize::from(symbol)] = (next, length);
            next += 1;
        }
        next <<= 1;
    }
    codes
}

/// Writes a number after `run` zeros: the code of how many there are and of its size, and its bits.
fn put_number(writer: &mut Writer, codes: &Codes, run: u32, number: i16) {
    let number = i32::from(number);
    let size = u32::BITS - number.unsigned_abs().leading_zeros();
    let (code, length) = codes[(run << 4 | size) as usize & 0xFF];
    debug_assert!(length != 0, "the standard's codes have every size that 8 bits give");
    // The negative ones count from below.
    let bits = (number - i32::from(number < 0)).cast_unsigned() & ((1 << size) - 1);
    writer.put(u32::from(code) << size | bits, u32::from(length) + size);
}

// === impl Writer ===

impl Writer {
    /// Goes on behind what is in `file`.
    pub(super) fn new(file: Vec<u8>) -> Writer {
        Writer { file, buffer: 0, n: 0 }
    }

    fn put_code(&mut self, (code, length): (u16, u8)) {
        self.put(code.into(), length.into());
    }

    /// Writes the last `length` bits of `bits`, at most 32.
    fn put(&mut self, bits: u32, length: u32) {
        self.buffer = self.buffer << length | u64::from(bits);
        self.n += length;
        if 32 <= self.n {
            self.n -= 32;
            let bytes = ((self.buffer >> self.n) as u32).to_be_bytes();
            if bytes.contains(&0xFF) {
                for byte in bytes {
                    self.put_byte(byte);
                }
            } else {
                self.file.extend(bytes);
            }
        }
    }

    fn put_byte(&mut self, byte: u8) {
        self.file.push(byte);
        if byte == 0xFF {
            self.file.push(0);
        }
    }

    /// Fills up the last byte with ones, and ends the file.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let filling = (8 - self.n % 8) % 8;
        self.put((1 << filling) - 1, filling);
        while 0 < self.n {
            self.n -= 8;
            self.put_byte((self.buffer >> self.n) as u8);
        }
        header::end(&mut self.file);
        self.file
    }
}
