//! What a file defines, and scans use.

use super::error::DecodeError;
use super::huffman::Code;
use crate::block::{Square, ZIGZAG};
use crate::standard;

/// Tables of each kind.
const TABLES: usize = 4;

/// What was defined so far.
#[derive(Default)]
pub(super) struct Tables {
    quantization: [Option<Square<u16>>; TABLES],
    dc: [Slot; TABLES],
    ac: [Slot; TABLES],
    /// Units between two restarts; 0 where there are none.
    pub(super) restart_interval: u32,
}

/// Where a code is. A faulty one matters only once it is used.
type Slot = Option<Result<Code, DecodeError>>;

// === impl Tables ===

impl Tables {
    /// Files without Huffman tables mean the standard's, as those in motion pictures do.
    pub(super) fn fill_in(&mut self) {
        let dc = self.dc.iter_mut().zip(&standard::DC);
        let ac = self.ac.iter_mut().zip(&standard::AC);
        for (slot, table) in dc.chain(ac) {
            slot.get_or_insert_with(|| Code::new(&table.counts, table.symbols));
        }
    }

    pub(super) fn define_huffman(&mut self, mut segment: &[u8]) -> Result<(), DecodeError> {
        let faulty = DecodeError::Damaged("a Huffman table is cut off or has a wrong number");
        while let Some((&head, rest)) = segment.split_first() {
            let codes = match head >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(faulty),
            };
            let slot = codes.get_mut(usize::from(head & 15)).ok_or(faulty.clone())?;
            let (counts, rest) = rest.split_first_chunk().ok_or(faulty.clone())?;
            let n: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let (symbols, rest) = rest.split_at_checked(n).ok_or(faulty.clone())?;
            if 256 < n {
                return Err(faulty);
            }
            *slot = Some(Code::new(counts, symbols));
            segment = rest;
        }
        Ok(())
    }

    pub(super) fn define_quantization(&mut self, mut segment: &[u8]) -> Result<(), DecodeError> {
        let faulty = DecodeError::Damaged("a quantization table is cut off or has a wrong number");
        while let Some((&head, rest)) = segment.split_first() {
            let table = self.quantization.get_mut(usize::from(head & 15)).ok_or(faulty.clone())?;
            let size = if head >> 4 == 0 { 1 } else { 2 };
            let (divisors, rest) = rest.split_at_checked(64 * size).ok_or(faulty.clone())?;
            let mut ordered = [0; 64];
            for (&place, bytes) in ZIGZAG.iter().zip(divisors.chunks_exact(size)) {
                ordered[usize::from(place)] =
                    bytes.iter().fold(0, |all, &byte| all << 8 | u16::from(byte));
            }
            *table = Some(ordered);
            segment = rest;
        }
        Ok(())
    }

    pub(super) fn define_restarts(&mut self, segment: &[u8]) -> Result<(), DecodeError> {
        let interval = segment.try_into();
        let interval =
            interval.map_err(|_| DecodeError::Damaged("a restart interval is not one number"))?;
        self.restart_interval = u16::from_be_bytes(interval).into();
        Ok(())
    }

    pub(super) fn quantization(&self, number: usize) -> Result<&Square<u16>, DecodeError> {
        let table = self.quantization.get(number).and_then(Option::as_ref);
        table.ok_or(DecodeError::Damaged("a scan uses a quantization table that is not there"))
    }

    /// The code of first coefficients.
    pub(super) fn dc(&self, number: usize) -> Result<&Code, DecodeError> {
        let code = used(&self.dc, number)?;
        let checked = code.is_of_sizes().then_some(code);
        checked.ok_or(DecodeError::Damaged("a Huffman table has sizes over `15`"))
    }

    /// The code of the other coefficients.
    pub(super) fn ac(&self, number: usize) -> Result<&Code, DecodeError> {
        used(&self.ac, number)
    }
}

fn used(codes: &[Slot], number: usize) -> Result<&Code, DecodeError> {
    match codes.get(number) {
        Some(Some(code)) => code.as_ref().map_err(Clone::clone),
        _ => Err(DecodeError::Damaged("a scan uses a Huffman table that is not there")),
    }
}
