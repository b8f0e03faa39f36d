//! The bits of a scan.

use weighbridge_image_header::jpeg::markers::{RST0, RST7, SOF0, next_marker};

/// More than a code of 16 bits and a number of 15 are never read between two refills.
const REFILL_BITS: u32 = 32;

/// 0xFF and the code of a marker.
const MARKER_BYTES: usize = 2;

/// Entropy-coded bytes, bit by bit. At a marker they end; behind their end there are zeros.
///
/// Work on a copy is faster: that need not be in memory.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    /// What is not in the buffer yet. At the end of the bits, it begins with a marker.
    bytes: &'a [u8],
    /// The next bits, from the left.
    buffer: u64,
    /// How many there are.
    n: u32,
    /// Whether a marker or the end of the file was found.
    ended: bool,
    exhausted: bool,
    /// The restart that is expected next, from 0 to 7.
    restart: u8,
}

// === impl Bits ===

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Bits<'a> {
        Bits { bytes, buffer: 0, n: 0, ended: false, exhausted: false, restart: 0 }
    }

    /// Makes sure that a code and a number can be read.
    #[inline]
    pub(super) fn refill(&mut self) {
        if self.n < REFILL_BITS {
            self.fill();
        }
    }

    /// The next `count` bits, without reading them.
    #[inline]
    pub(super) fn peek(&self, count: u32) -> u32 {
        ((self.buffer >> 1) >> (63 - count)) as u32
    }

    /// Reads `count` bits that were peeked at.
    #[inline]
    pub(super) fn skip(&mut self, count: u32) {
        if count <= self.n {
            self.buffer <<= count;
            self.n -= count;
        } else {
            self.exhaust();
        }
    }

    /// Reads `count` bits.
    #[inline]
    pub(super) fn read(&mut self, count: u32) -> u32 {
        let bits = self.peek(count);
        self.skip(count);
        bits
    }

    /// Reads a number whose size is `size` bits.
    #[inline]
    pub(super) fn read_signed(&mut self, size: u32) -> i32 {
        extend(self.read(size), size)
    }

    /// Whether zeros were read that are not there.
    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Goes on behind the next restart. What lies in front of it is skipped.
    ///
    /// Where another marker is found, it may be that bytes were lost or that some were added: by
    /// libjpeg's rule a restart of the last two is passed over, and in front of one of the next two
    /// or of what is no restart at all, the bits stay exhausted.
    pub(super) fn restart(&mut self) {
        let expected = self.restart;
        self.restart = (expected + 1) % 8;
        (self.buffer, self.n) = (0, 0);
        self.ended = false;
        loop {
            let mut rest = self.bytes;
            // Slices are read without errors.
            let Some(marker) = next_marker(&mut rest).ok().flatten() else {
                self.bytes = &[];
                return;
            };
            let ahead = match marker {
                RST0..=RST7 => (marker - RST0).wrapping_sub(expected) % 8,
                0..SOF0 => 7,
                _ => 1,
            };
            match ahead {
                1 | 2 => {
                    let start = self.bytes.len() - rest.len() - MARKER_BYTES;
                    self.bytes = &self.bytes[start..];
                    return;
                }
                6 | 7 => self.bytes = rest,
                _ => {
                    self.bytes = rest;
                    self.exhausted = false;
                    return;
                }
            }
        }
    }

    /// What follows the bits.
    pub(super) fn rest(self) -> &'a [u8] {
        self.bytes
    }

    #[cold]
    fn exhaust(&mut self) {
        (self.buffer, self.n) = (0, 0);
        self.exhausted = true;
    }

    /// Fills the buffer, as far as there are bits.
    fn fill(&mut self) {
        if self.ended {
            return;
        }
        if let Some(next) = self.bytes.first_chunk() {
            let next = u64::from_be_bytes(*next);
            if !has_ff(next) {
                // Of the last byte only a part may fit; it is not counted and filled in once more.
                self.buffer |= next >> self.n;
                let n_bytes = (63 - self.n) / 8;
                self.bytes = &self.bytes[n_bytes as usize..];
                self.n += 8 * n_bytes;
                return;
            }
        }
        while self.n <= 56 {
            let byte = match self.bytes {
                [0xFF, rest @ ..] => stuffed(rest).map(|length| (0xFF, 1 + length)),
                [byte, ..] => Some((*byte, 1)),
                [] => None,
            };
            let Some((byte, length)) = byte else {
                self.ended = true;
                return;
            };
            self.bytes = &self.bytes[length..];
            self.buffer |= u64::from(byte) << (56 - self.n);
            self.n += 8;
        }
    }
}

/// A number of `size` bits: its sign is in its first bit, and the negative ones count from below.
#[inline]
pub(super) fn extend(bits: u32, size: u32) -> i32 {
    let bits = bits.cast_signed();
    let half = (1 << size) >> 1;
    if bits < half { bits - (1 << size) + 1 } else { bits }
}

/// How many of `bytes` make a byte of data of the 0xFF before them; `None` where it is a marker's.
fn stuffed(bytes: &[u8]) -> Option<usize> {
    let filling = bytes.iter().take_while(|&&byte| byte == 0xFF).count();
    (bytes.get(filling) == Some(&0)).then_some(filling + 1)
}

/// Whether a byte of `word` is 0xFF.
#[inline]
fn has_ff(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 0xFF;

    let zeros = !word;
    zeros.wrapping_sub(ONES) & word & (ONES << 7) != 0
}
