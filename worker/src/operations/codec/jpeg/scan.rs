//! Scans: coefficients, entropy-coded.

use weighbridge_instrument::checkpoint;

use super::Refusal;
use super::bits::Bits;
use super::frame::{Block, Frame};
use super::huffman::Code;

/// Where in a block the coefficients go, in the order of the file.
const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// What was defined so far.
#[derive(Default)]
pub(super) struct Tables {
    quantization: [Option<[u16; 64]>; 4],
    dc: [Option<Code>; 4],
    ac: [Option<Code>; 4],
    restart_interval: usize,
}

/// A scan of some components.
pub(super) struct Scan<'a> {
    frame: &'a mut Frame,
    tables: &'a Tables,
    parts: Vec<Part>,
    /// The first and last coefficient, in the order of the file.
    band: (usize, usize),
    /// Bits that were read before, and that are left for later.
    approximation: (u32, u32),
}

/// A component of a scan, and its codes.
#[derive(Clone, Copy)]
struct Part {
    component: usize,
    dc: usize,
    ac: usize,
}

/// What is carried from block to block.
#[derive(Default)]
struct State {
    predictions: [i32; 3],
    /// Blocks that have no further coefficients.
    empty_blocks: u32,
}

// === impl Tables ===

impl Tables {
    pub(super) fn define_huffman(&mut self, mut segment: &[u8]) -> Result<(), Refusal> {
        while let Some((&head, rest)) = segment.split_first() {
            let codes = if head >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            let place = codes.get_mut(usize::from(head & 15)).ok_or(Refusal::Unusual)?;
            let (code, rest) = Code::parse(rest)?;
            *place = Some(code);
            segment = rest;
        }
        Ok(())
    }

    pub(super) fn define_quantization(&mut self, mut segment: &[u8]) -> Result<(), Refusal> {
        while let Some((&head, rest)) = segment.split_first() {
            let table = self.quantization.get_mut(usize::from(head & 15));
            let size = if head >> 4 == 0 { 1 } else { 2 };
            let (divisors, rest) = rest.split_at_checked(64 * size).ok_or(Refusal::Unusual)?;
            let mut ordered = [0; 64];
            for (place, bytes) in ZIGZAG.into_iter().zip(divisors.chunks_exact(size)) {
                ordered[place] = bytes.iter().fold(0, |all, &byte| all << 8 | u16::from(byte));
            }
            *table.ok_or(Refusal::Unusual)? = Some(ordered);
            segment = rest;
        }
        Ok(())
    }

    pub(super) fn define_restarts(&mut self, segment: &[u8]) -> Result<(), Refusal> {
        let interval = segment.try_into().map_err(|_| Refusal::Unusual)?;
        self.restart_interval = usize::from(u16::from_be_bytes(interval));
        Ok(())
    }
}

// === impl Scan ===

impl<'a> Scan<'a> {
    /// Reads the header of a scan.
    pub(super) fn parse(
        segment: &[u8],
        frame: &'a mut Frame,
        tables: &'a Tables,
    ) -> Result<Scan<'a>, Refusal> {
        let (&n, rest) = segment.split_first().ok_or(Refusal::Unusual)?;
        let (specs, tail) = rest.as_chunks::<2>();
        let (specs, [last]) = (specs.split_at_checked(n.into()).ok_or(Refusal::Unusual)?, tail)
        else {
            return Err(Refusal::Unusual);
        };
        let (specs, &[[first, end]]) = specs else { return Err(Refusal::Unusual) };
        let mut parts = Vec::with_capacity(specs.len());
        for &[id, codes] in specs {
            let component = frame.position(id).ok_or(Refusal::Unusual)?;
            frame.components[component].fix_divisors(&tables.quantization)?;
            parts.push(Part { component, dc: (codes >> 4).into(), ac: (codes & 15).into() });
        }
        let band = (usize::from(first), usize::from(end));
        let approximation = (u32::from(last >> 4), u32::from(last & 15));
        let usual = if frame.progressive {
            let one_kind = if band.0 == 0 { band.1 == 0 } else { parts.len() == 1 };
            one_kind && band.0 <= band.1 && band.1 < 64 && approximation.1 < 14
        } else {
            band == (0, 63) && approximation == (0, 0)
        };
        let whole = parts.len() == 1 || parts.len() == frame.components.len();
        if !usual || !whole || parts.is_empty() {
            return Err(Refusal::Unusual);
        }
        Ok(Scan { frame, tables, parts, band, approximation })
    }

    /// Decodes the scan, and returns what follows it.
    pub(super) fn decode(mut self, bytes: &[u8]) -> Result<&[u8], Refusal> {
        let mut bits = Bits::new(bytes);
        let mut state = State::default();
        let (columns, rows) = match self.parts[..] {
            [part] => self.frame.components[part.component].own_blocks(),
            _ => self.frame.units,
        };
        for unit in 0..columns * rows {
            if unit % columns == 0 {
                checkpoint()?;
                bits.check()?;
            }
            let interval = self.tables.restart_interval;
            if interval != 0 && unit != 0 && unit % interval == 0 {
                bits.restart(unit / interval - 1)?;
                state = State::default();
            }
            self.unit(&mut bits, &mut state, (unit % columns, unit / columns))?;
        }
        bits.rest()
    }

    /// Decodes the blocks of a unit.
    fn unit(
        &mut self,
        bits: &mut Bits<'_>,
        state: &mut State,
        (column, row): (usize, usize),
    ) -> Result<(), Refusal> {
        for i in 0..self.parts.len() {
            let part = self.parts[i];
            let component = &self.frame.components[part.component];
            let stride = component.stride;
            let (wide, high) = if self.parts.len() == 1 { (1, 1) } else { component.sampling };
            for place in 0..wide * high {
                let (x, y) = (column * wide + place % wide, row * high + place / wide);
                self.block(bits, state, part, y * stride + x)?;
            }
        }
        Ok(())
    }

    fn block(
        &mut self,
        bits: &mut Bits<'_>,
        state: &mut State,
        part: Part,
        place: usize,
    ) -> Result<(), Refusal> {
        let tables = self.tables;
        let dc = tables.dc.get(part.dc).and_then(Option::as_ref).ok_or(Refusal::Unusual);
        let ac = tables.ac.get(part.ac).and_then(Option::as_ref).ok_or(Refusal::Unusual);
        let prediction = &mut state.predictions[part.component];
        let block = &mut self.frame.components[part.component].blocks[place];
        let (before, left) = self.approximation;
        match (self.band.0, before) {
            (0, 0) => {
                let size = u32::from(dc?.read(bits)?);
                if 16 < size {
                    return Err(Refusal::Unusual);
                }
                *prediction = prediction.wrapping_add(bits.read_signed(size));
                block[0] = (*prediction << left) as i16;
                if self.frame.progressive { Ok(()) } else { sequential(bits, ac?, block) }
            }
            (0, _) => {
                block[0] |= (bits.read(1) << left) as i16;
                Ok(())
            }
            (_, 0) => first_pass(bits, ac?, (block, self.band, left), &mut state.empty_blocks),
            _ => refine(bits, ac?, (block, self.band, left), &mut state.empty_blocks),
        }
    }
}

/// All coefficients but the first.
fn sequential(bits: &mut Bits<'_>, code: &Code, block: &mut Block) -> Result<(), Refusal> {
    let mut k = 1;
    while k < 64 {
        let symbol = code.read(bits)?;
        let (run, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if run < 15 {
                break;
            }
            k += 16;
            continue;
        }
        k += run;
        let place = *ZIGZAG.get(k).ok_or(Refusal::Unusual)?;
        block[place] = bits.read_signed(size) as i16;
        k += 1;
    }
    Ok(())
}

/// The upper bits of a band of coefficients.
fn first_pass(
    bits: &mut Bits<'_>,
    code: &Code,
    (block, band, left): (&mut Block, (usize, usize), u32),
    empty_blocks: &mut u32,
) -> Result<(), Refusal> {
    if 0 < *empty_blocks {
        *empty_blocks -= 1;
        return Ok(());
    }
    let mut k = band.0;
    while k <= band.1 {
        let symbol = code.read(bits)?;
        let (run, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        if size == 0 {
            if run < 15 {
                *empty_blocks = (1 << run) - 1 + bits.read(run);
                break;
            }
            k += 16;
            continue;
        }
        k += run as usize;
        if band.1 < k {
            return Err(Refusal::Unusual);
        }
        block[ZIGZAG[k]] = (bits.read_signed(size) << left) as i16;
        k += 1;
    }
    Ok(())
}

/// The next bit of a band of coefficients.
fn refine(
    bits: &mut Bits<'_>,
    code: &Code,
    (block, band, left): (&mut Block, (usize, usize), u32),
    empty_blocks: &mut u32,
) -> Result<(), Refusal> {
    let bit = 1_i16 << left;
    let mut k = band.0;
    while *empty_blocks == 0 && k <= band.1 {
        let symbol = code.read(bits)?;
        let (mut run, size) = (u32::from(symbol >> 4), symbol & 15);
        let new = match size {
            0 if run < 15 => {
                *empty_blocks = (1 << run) + bits.read(run);
                break;
            }
            0 => 0,
            1 if bits.read(1) == 1 => bit,
            1 => -bit,
            _ => return Err(Refusal::Unusual),
        };
        // The run counts the coefficients that are still zero.
        while k <= band.1 {
            let coefficient = &mut block[ZIGZAG[k]];
            k += 1;
            if *coefficient != 0 {
                refine_one(bits, coefficient, bit);
            } else if run == 0 {
                *coefficient = new;
                break;
            } else {
                run -= 1;
            }
        }
    }
    if 0 < *empty_blocks {
        for &place in &ZIGZAG[k..=band.1] {
            if block[place] != 0 {
                refine_one(bits, &mut block[place], bit);
            }
        }
        *empty_blocks -= 1;
    }
    Ok(())
}

fn refine_one(bits: &mut Bits<'_>, coefficient: &mut i16, bit: i16) {
    if bits.read(1) == 1 && *coefficient & bit == 0 {
        let change = if *coefficient < 0 { -bit } else { bit };
        *coefficient = coefficient.wrapping_add(change);
    }
}
