//! The bits of a scan.

use super::Refusal;

/// Entropy-coded bytes, bit by bit. Behind their end there are zeros, and reading those is found
/// out by [`Bits::check`].
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    /// The next bits, the lowest `n` of it.
    buffer: u64,
    n: u32,
    /// How many of them are behind the end.
    behind: u32,
}

// === impl Bits ===

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Bits<'a> {
        Bits { bytes, buffer: 0, n: 0, behind: 0 }
    }

    /// The next `count` bits, at most 16, without reading them.
    pub(super) fn peek(&mut self, count: u32) -> u32 {
        if self.n < count {
            self.fill();
        }
        (self.buffer >> (self.n - count)) as u32 & ((1 << count) - 1)
    }

    /// Reads `count` bits that were peeked at.
    pub(super) fn skip(&mut self, count: u32) {
        self.n -= count;
    }

    /// Reads `count` bits, at most 16.
    pub(super) fn read(&mut self, count: u32) -> u32 {
        let bits = self.peek(count);
        self.skip(count);
        bits
    }

    /// Reads a number whose size is `size` bits, at most 16.
    pub(super) fn read_signed(&mut self, size: u32) -> i32 {
        let bits = self.read(size).cast_signed();
        if size == 0 || 1 << (size - 1) <= bits { bits } else { bits - (1 << size) + 1 }
    }

    /// Whether all that was read was there.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.n < self.behind { Err(Refusal::Unusual) } else { Ok(()) }
    }

    /// Goes on behind the marker of a restart, the `number`-th.
    pub(super) fn restart(&mut self, number: usize) -> Result<(), Refusal> {
        self.check()?;
        match super::next_marker(self.bytes)? {
            (marker, rest) if usize::from(marker) == 0xD0 + number % 8 => {
                *self = Bits::new(rest);
                Ok(())
            }
            _ => Err(Refusal::Unusual),
        }
    }

    /// What follows the bits.
    pub(super) fn rest(mut self) -> Result<&'a [u8], Refusal> {
        self.check()?;
        // A whole byte of filling may not have been looked at.
        self.fill();
        Ok(self.bytes)
    }

    fn fill(&mut self) {
        while self.n <= 48 {
            let (byte, length) = match self.bytes {
                [0xFF, 0, ..] => (0xFF, 2),
                [0xFF, ..] | [] => (0, 0),
                [byte, ..] => (*byte, 1),
            };
            if length == 0 {
                self.behind += 8;
            }
            self.bytes = &self.bytes[length..];
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.n += 8;
        }
    }
}
