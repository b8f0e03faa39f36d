//! Huffman codes.

use super::bits::{Bits, extend};
use super::error::DecodeError;

/// Codes up to this length are looked up.
const LOOKUP_BITS: u32 = 10;
const LOOKUP_SIZE: usize = 1 << LOOKUP_BITS;

/// The longest code.
const LENGTH_MAX: usize = 16;

/// A code: which bits stand for which symbol.
pub(super) struct Code {
    /// By the next [`LOOKUP_BITS`] bits: the length of the code and the symbol; 0 where the code is
    /// longer.
    lookup: Box<[u16; LOOKUP_SIZE]>,
    /// By the same bits, where they hold a number too: all that they say.
    numbers: Box<[Number; LOOKUP_SIZE]>,
    /// By length: the first code that is too large, its bits on the left of 16; and what to add
    /// to a code, wrapping, for the index of its symbol.
    ends: [u32; LENGTH_MAX + 1],
    offsets: [u32; LENGTH_MAX + 1],
    symbols: Vec<u8>,
}

/// A coefficient that follows its code closely enough to be looked up together with it.
#[derive(Clone, Copy, Default)]
pub(super) struct Number {
    pub(super) value: i16,
    /// Zeros before it.
    pub(super) run: u8,
    /// Bits of code and number; 0 where there is no number, or a longer one.
    pub(super) length: u8,
}

// === impl Code ===

impl Code {
    /// The code that has `counts` codes of each length, and `symbols` in their order.
    pub(super) fn new(counts: &[u8; LENGTH_MAX], symbols: &[u8]) -> Result<Code, DecodeError> {
        let mut code = Code {
            lookup: Box::new([0; LOOKUP_SIZE]),
            numbers: Box::new([Number::default(); LOOKUP_SIZE]),
            ends: [0; LENGTH_MAX + 1],
            offsets: [0; LENGTH_MAX + 1],
            symbols: symbols.to_vec(),
        };
        let (mut next, mut index) = (0_u32, 0_usize);
        for (length, &count) in (1..=LENGTH_MAX as u32).zip(counts) {
            code.offsets[length as usize] = (index as u32).wrapping_sub(next);
            let end = next + u32::from(count);
            if 1 << length < end {
                return Err(DecodeError::Damaged("a Huffman table has more codes than bits"));
            }
            for &symbol in symbols.iter().skip(index).take(count.into()) {
                if length <= LOOKUP_BITS {
                    code.enter(next, length, symbol);
                }
                next += 1;
            }
            (next, index) = (end, index + usize::from(count));
            code.ends[length as usize] = next << (LENGTH_MAX as u32 - length);
            next <<= 1;
        }
        Ok(code)
    }

    /// Fills in the entries that begin with a code.
    fn enter(&mut self, code: u32, length: u32, symbol: u8) {
        let free = LOOKUP_BITS - length;
        let (run, size) = (symbol >> 4, u32::from(symbol & 15));
        for rest in 0..1 << free {
            let at = (code << free | rest) as usize;
            self.lookup[at] = (length as u16) << 8 | u16::from(symbol);
            if 0 < size && size <= free {
                let value = extend(rest >> (free - size), size) as i16;
                self.numbers[at] = Number { value, run, length: (length + size) as u8 };
            }
        }
    }

    /// Whether every symbol is the size of a number.
    pub(super) fn is_of_sizes(&self) -> bool {
        self.symbols.iter().all(|&symbol| symbol < 16)
    }

    /// Reads a symbol. Bits that are no code are the symbol 0, by libjpeg's rule.
    #[inline]
    pub(super) fn read(&self, bits: &mut Bits<'_>) -> u8 {
        let entry = self.lookup[bits.peek(LOOKUP_BITS) as usize];
        if entry == 0 {
            return self.read_long(bits);
        }
        bits.skip(u32::from(entry >> 8));
        entry as u8
    }

    /// What the next bits say, where that is short.
    #[inline]
    pub(super) fn number(&self, bits: &Bits<'_>) -> Number {
        self.numbers[bits.peek(LOOKUP_BITS) as usize]
    }

    fn read_long(&self, bits: &mut Bits<'_>) -> u8 {
        let next = bits.peek(LENGTH_MAX as u32);
        let longer = LOOKUP_BITS as usize + 1..=LENGTH_MAX;
        let Some(length) = longer.into_iter().find(|&length| next < self.ends[length]) else {
            // What no code begins with, and the bit that shows it.
            bits.skip(LENGTH_MAX as u32 + 1);
            return 0;
        };
        bits.skip(length as u32);
        let index = (next >> (LENGTH_MAX - length)).wrapping_add(self.offsets[length]);
        self.symbols.get(index as usize).copied().unwrap_or(0)
    }
}
