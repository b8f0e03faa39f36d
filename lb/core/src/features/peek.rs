//! Reads here and there in an image at a bounded cost, decoding as little base64 as possible.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Lenient as browsers are: padding or none, any trailing bits.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Characters decoded at once, and the bytes that they give.
const CHARACTERS: usize = 64;
const BYTES: usize = CHARACTERS / 4 * 3;

/// What one seek or refill costs, in bytes of reading.
const STEP_COST: usize = 64;

/// A reader of raw or base64 bytes that ends when it has cost too much.
#[derive(Debug)]
pub(super) struct Peek<'a> {
    source: &'a [u8],
    is_base64: bool,
    /// Where in `source` the next refill reads.
    next: usize,
    buffer: [u8; BYTES],
    /// Offset of the buffer in the decoded bytes.
    offset: u64,
    filled: usize,
    used: usize,
    /// Left to spend, so that no sequence of seeks costs more than a few passes over the source.
    budget: usize,
}

impl<'a> Peek<'a> {
    pub(super) fn raw(bytes: &'a [u8]) -> Peek<'a> {
        Peek::new(bytes, false)
    }

    /// White space in `text` is skipped.
    pub(super) fn base64(text: &'a [u8]) -> Peek<'a> {
        Peek::new(text, true)
    }

    fn new(source: &'a [u8], is_base64: bool) -> Peek<'a> {
        let budget = source.len() + 4096 * STEP_COST;
        let buffer = [0; BYTES];
        Peek { source, is_base64, next: 0, buffer, offset: 0, filled: 0, used: 0, budget }
    }

    fn position(&self) -> u64 {
        self.offset + self.used as u64
    }

    fn spend(&mut self, cost: usize) -> io::Result<()> {
        match self.budget.checked_sub(cost) {
            Some(left) => self.budget = left,
            None => return Err(io::ErrorKind::QuotaExceeded.into()),
        }
        Ok(())
    }

    /// Reads the bytes after the buffer into the buffer; none at the end.
    fn refill(&mut self) -> io::Result<()> {
        self.spend(STEP_COST)?;
        self.offset += self.filled as u64;
        (self.filled, self.used) = (0, 0);
        self.filled = if self.is_base64 { self.decode()? } else { self.copy() };
        Ok(())
    }

    fn copy(&mut self) -> usize {
        let rest = self.source.get(self.next..).unwrap_or_default();
        let n_bytes = rest.len().min(BYTES);
        self.buffer[..n_bytes].copy_from_slice(&rest[..n_bytes]);
        self.next += n_bytes;
        n_bytes
    }

    fn decode(&mut self) -> io::Result<usize> {
        let mut characters = [0; CHARACTERS];
        let mut n_characters = 0;
        while n_characters < CHARACTERS
            && let Some(byte) = self.source.get(self.next)
        {
            self.next += 1;
            if !is_space(*byte) {
                characters[n_characters] = *byte;
                n_characters += 1;
            }
        }
        // One character alone is the beginning of a byte that was cut off.
        n_characters -= usize::from(n_characters % 4 == 1);
        BASE64
            .decode_slice(&characters[..n_characters], &mut self.buffer)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    /// Makes `to` the next byte read.
    fn jump(&mut self, to: u64) -> io::Result<()> {
        if to < self.offset {
            (self.next, self.offset, self.filled) = (0, 0, 0);
        }
        let ahead = to - self.offset;
        if ahead <= self.filled as u64 {
            self.used = ahead as usize;
            return Ok(());
        }
        let skipped = ahead - self.filled as u64;
        // Whole groups of four characters are skipped; what is left of the jump is decoded.
        let groups = if self.is_base64 { self.skip_groups(skipped / 3)? } else { 0 };
        let bytes = if self.is_base64 { groups * 3 } else { skipped };
        if !self.is_base64 {
            self.next = self.next.saturating_add(usize::try_from(skipped).unwrap_or(usize::MAX));
        }
        self.offset += self.filled as u64 + bytes;
        (self.filled, self.used) = (0, 0);
        self.refill()?;
        self.used = ((to - self.offset) as usize).min(self.filled);
        Ok(())
    }

    /// Passes over `groups` groups of characters, or as many as there are; returns `groups`.
    fn skip_groups(&mut self, groups: u64) -> io::Result<u64> {
        let mut left = usize::try_from(groups.saturating_mul(4)).unwrap_or(usize::MAX);
        let start = self.next;
        let rest = self.source.get(start..).unwrap_or_default();
        for chunk in rest.chunks(CHARACTERS) {
            let n_characters = chunk.iter().filter(|byte| !is_space(**byte)).count();
            if left < n_characters {
                break;
            }
            left -= n_characters;
            self.next += chunk.len();
        }
        while 0 < left
            && let Some(byte) = self.source.get(self.next)
        {
            left -= usize::from(!is_space(*byte));
            self.next += 1;
        }
        self.spend(self.next - start)?;
        Ok(groups)
    }
}

impl Read for Peek<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let ready = self.fill_buf()?;
        let n_bytes = ready.len().min(out.len());
        out[..n_bytes].copy_from_slice(&ready[..n_bytes]);
        self.consume(n_bytes);
        Ok(n_bytes)
    }
}

impl BufRead for Peek<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used == self.filled {
            self.refill()?;
        }
        Ok(&self.buffer[self.used..self.filled])
    }

    fn consume(&mut self, n_bytes: usize) {
        self.used = (self.used + n_bytes).min(self.filled);
    }
}

impl Seek for Peek<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => Some(to),
            SeekFrom::Current(by) => self.position().checked_add_signed(by),
            // The decoded length is unknown, and nothing that reads dimensions asks for it.
            SeekFrom::End(_) => None,
        };
        let to = to.ok_or(io::ErrorKind::InvalidInput)?;
        self.spend(STEP_COST)?;
        self.jump(to)?;
        Ok(to)
    }
}

/// Whether a character is white space: no base64 character is below it.
fn is_space(byte: u8) -> bool {
    byte <= b' '
}
