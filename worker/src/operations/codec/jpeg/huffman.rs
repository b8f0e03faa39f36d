//! Huffman codes.

use super::Refusal;
use super::bits::Bits;

/// Codes up to this length are looked up.
const LOOKUP_BITS: u32 = 9;

/// The longest code.
const LENGTH_MAX: usize = 16;

/// A code: which bits stand for which symbol.
pub(super) struct Code {
    /// By the next [`LOOKUP_BITS`] bits: the length of the code, zero where it is longer, and the
    /// symbol.
    lookup: Vec<(u8, u8)>,
    /// By length: the first code that is too large, its bits on the left of 16; and what to add
    /// to a code, wrapping, for the index of its symbol.
    ends: [u32; LENGTH_MAX + 1],
    offsets: [u32; LENGTH_MAX + 1],
    symbols: Vec<u8>,
}

// === impl Code ===

impl Code {
    /// Reads a code, and returns what follows it.
    pub(super) fn parse(segment: &[u8]) -> Result<(Code, &[u8]), Refusal> {
        let (counts, rest) = segment.split_first_chunk::<LENGTH_MAX>().ok_or(Refusal::Unusual)?;
        let n: usize = counts.iter().map(|&count| usize::from(count)).sum();
        let (symbols, rest) = rest.split_at_checked(n).ok_or(Refusal::Unusual)?;
        let mut code = Code {
            lookup: vec![(0, 0); 1 << LOOKUP_BITS],
            ends: [0; LENGTH_MAX + 1],
            offsets: [0; LENGTH_MAX + 1],
            symbols: symbols.to_vec(),
        };
        let (mut next, mut index) = (0_u32, 0_usize);
        for (length, &count) in (1..=LENGTH_MAX as u32).zip(counts) {
            code.offsets[length as usize] = (index as u32).wrapping_sub(next);
            for &symbol in &symbols[index..][..usize::from(count)] {
                if length <= LOOKUP_BITS {
                    let spread = LOOKUP_BITS - length;
                    let entries = code.lookup.iter_mut().skip((next as usize) << spread);
                    entries.take(1 << spread).for_each(|entry| *entry = (length as u8, symbol));
                }
                next += 1;
            }
            index += usize::from(count);
            if 1 << length < next {
                return Err(Refusal::Unusual);
            }
            code.ends[length as usize] = next << (LENGTH_MAX as u32 - length);
            next <<= 1;
        }
        Ok((code, rest))
    }

    /// Reads a symbol.
    pub(super) fn read(&self, bits: &mut Bits<'_>) -> Result<u8, Refusal> {
        let next = bits.peek(LENGTH_MAX as u32);
        let (length, symbol) = self.lookup[(next >> (LENGTH_MAX as u32 - LOOKUP_BITS)) as usize];
        if length != 0 {
            bits.skip(u32::from(length));
            return Ok(symbol);
        }
        let longer = LOOKUP_BITS as usize + 1..=LENGTH_MAX;
        let length = longer.into_iter().find(|&length| next < self.ends[length]);
        let length = length.ok_or(Refusal::Unusual)?;
        bits.skip(length as u32);
        let index = (next >> (LENGTH_MAX - length)).wrapping_add(self.offsets[length]);
        self.symbols.get(index as usize).copied().ok_or(Refusal::Unusual)
    }
}
