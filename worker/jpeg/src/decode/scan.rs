//! Scans: coefficients, entropy-coded.

use super::bits::Bits;
use super::error::DecodeError;
use super::frame::{Frame, Store};
use super::huffman::Code;
use super::passes::{Band, ac_first, ac_refine, dc_first, dc_refine, sequential};
use super::tables::Tables;
use crate::block::SIDE;
use crate::pace::Pace;

/// Components of a scan.
const COMPONENTS_MAX: usize = 4;

/// Blocks of a unit.
const BLOCKS_MAX: usize = 10;

/// A scan of some components.
pub(super) struct Scan<'t> {
    parts: Vec<Part<'t>>,
    pass: Pass,
    /// Units between two restarts; 0 where there are none.
    restart_interval: u32,
}

/// A component of a scan, and its codes.
struct Part<'t> {
    component: usize,
    dc: Option<&'t Code>,
    ac: Option<&'t Code>,
    /// Blocks of a unit: columns and rows.
    blocks: (usize, usize),
}

/// What a scan says of its coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    /// Everything.
    Sequential,
    /// The upper bits of the first coefficient; so many are left for later.
    DcFirst(u32),
    /// The next bit of the first coefficient.
    DcRefine(u32),
    /// The upper bits of a band of others.
    AcFirst(Band),
    /// The next bit of a band of others.
    AcRefine(Band),
}

/// What is carried from block to block.
#[derive(Default)]
struct State {
    /// The first coefficients of the blocks before, one a component.
    predictions: [i32; COMPONENTS_MAX],
    /// Blocks that have no further coefficients.
    empty_blocks: u32,
}

// === impl Scan ===

impl<'t> Scan<'t> {
    /// Reads the header of a scan.
    pub(super) fn parse(
        segment: &[u8],
        frame: &mut Frame,
        tables: &'t Tables,
    ) -> Result<Scan<'t>, DecodeError> {
        let faulty = DecodeError::Damaged("the header of a scan is too short or too long");
        let (&n, rest) = segment.split_first().ok_or(faulty.clone())?;
        let (specs, tail) = rest.as_chunks::<2>();
        let n = usize::from(n);
        let ([first, end], [last]) = (specs.last().ok_or(faulty.clone())?, tail) else {
            return Err(faulty);
        };
        if specs.len() != n + 1 || !(1..=COMPONENTS_MAX).contains(&n) {
            return Err(faulty);
        }
        let band = Band { first: *first, last: *end, left: u32::from(last & 15) };
        let pass = Pass::parse(frame.progressive, band, (n, last >> 4))?;
        let mut parts = Vec::with_capacity(n);
        for &[id, codes] in &specs[..n] {
            let component = find(frame, id, &parts)?;
            frame.components[component].fix_divisors(|number| tables.quantization(number))?;
            let (dc, ac) = (usize::from(codes >> 4), usize::from(codes & 15));
            let blocks = if n == 1 { (1, 1) } else { frame.components[component].sampling };
            parts.push(Part {
                component,
                dc: pass.needs_dc().then(|| tables.dc(dc)).transpose()?,
                ac: pass.needs_ac().then(|| tables.ac(ac)).transpose()?,
                blocks,
            });
            if let Some(band) = pass.band() {
                frame.components[component].progress.advance(band, frame.store == Store::Nothing);
            }
        }
        if BLOCKS_MAX < parts.iter().map(|part| part.blocks.0 * part.blocks.1).sum() {
            return Err(DecodeError::Damaged("a scan has over `10` blocks in a unit"));
        }
        Ok(Scan { parts, pass, restart_interval: tables.restart_interval })
    }

    /// Whether it holds all that there is of an image.
    pub(super) fn is_whole(&self, frame: &Frame) -> bool {
        self.pass == Pass::Sequential && self.parts.len() == frame.components.len()
    }

    /// Decodes the scan.
    pub(super) fn decode(
        &self,
        frame: &mut Frame,
        bits: &mut Bits<'_>,
        pace: &mut Pace<'_>,
    ) -> Result<(), DecodeError> {
        let (columns, rows) = match &self.parts[..] {
            [part] => frame.components[part.component].own_blocks(),
            _ => frame.units,
        };
        let rows_of_unit = match &self.parts[..] {
            [part] => frame.components[part.component].sampling.1,
            _ => 1,
        };
        let n_blocks: usize = self.parts.iter().map(|part| part.blocks.0 * part.blocks.1).sum();
        let mut state = State::default();
        let mut until_restart = self.restart_interval;
        for row in 0..rows {
            let kept_row = if frame.store == Store::Row { 0 } else { row };
            for column in 0..columns {
                if self.restart_interval != 0 {
                    if until_restart == 0 {
                        bits.restart();
                        state = State::default();
                        until_restart = self.restart_interval;
                    }
                    until_restart -= 1;
                }
                if !bits.is_exhausted() {
                    pace.spend(n_blocks * SIDE * SIDE)?;
                    frame.last_good_row = row / rows_of_unit;
                    self.unit(frame, bits, &mut state, (column, kept_row));
                }
            }
            if frame.store == Store::Row {
                frame.finish_row(row, pace)?;
            }
        }
        Ok(())
    }

    /// Decodes the blocks of a unit.
    #[inline]
    fn unit(
        &self,
        frame: &mut Frame,
        bits: &mut Bits<'_>,
        state: &mut State,
        (column, row): (usize, usize),
    ) {
        for (part, prediction) in self.parts.iter().zip(&mut state.predictions) {
            let component = &mut frame.components[part.component];
            let (wide, high) = part.blocks;
            for y in row * high..(row + 1) * high {
                let start = y * component.stride + column * wide;
                for block in &mut component.blocks[start..][..wide] {
                    match (self.pass, part.dc, part.ac) {
                        (Pass::Sequential, Some(dc), Some(ac)) => {
                            sequential(bits, (dc, ac), prediction, block);
                        }
                        (Pass::DcFirst(left), Some(dc), _) => {
                            dc_first(bits, dc, prediction, left, block);
                        }
                        (Pass::DcRefine(left), ..) => dc_refine(bits, left, block),
                        (Pass::AcFirst(band), _, Some(ac)) => {
                            ac_first(bits, ac, band, &mut state.empty_blocks, block);
                        }
                        (Pass::AcRefine(band), _, Some(ac)) => {
                            ac_refine(bits, ac, band, &mut state.empty_blocks, block);
                        }
                        // Each pass was given the codes that it needs.
                        _ => {}
                    }
                }
            }
        }
    }
}

/// The component called `id`, for the part behind `parts`.
///
/// There are files in which several components have the same name: then they are in order.
fn find(frame: &Frame, id: u8, parts: &[Part<'_>]) -> Result<usize, DecodeError> {
    let mut later = frame.components.iter().enumerate().skip(parts.len());
    let found = later.find(|(_, component)| component.id == id).map(|(i, _)| i);
    found
        .filter(|&i| parts.iter().all(|part| part.component != i))
        .ok_or(DecodeError::Damaged("a scan has a component that is not there, or out of order"))
}

// === impl Pass ===

impl Pass {
    /// What a scan of `n` components says with the given band, of whose coefficients the upper bits
    /// came before down to the bit `before`, if that is not zero.
    fn parse(progressive: bool, band: Band, (n, before): (usize, u8)) -> Result<Pass, DecodeError> {
        if !progressive {
            return Ok(Pass::Sequential);
        }
        let of_dc = band.first == 0;
        let one_kind = if of_dc { band.last == 0 } else { n == 1 };
        let in_order = band.first <= band.last && band.last < 64;
        let next_bit = before == 0 || u32::from(before) == band.left + 1;
        if !one_kind || !in_order || !next_bit || 13 < band.left {
            return Err(DecodeError::Damaged("a progressive scan has a band that cannot be"));
        }
        Ok(match (of_dc, before) {
            (true, 0) => Pass::DcFirst(band.left),
            (true, _) => Pass::DcRefine(band.left),
            (false, 0) => Pass::AcFirst(band),
            (false, _) => Pass::AcRefine(band),
        })
    }

    fn needs_dc(self) -> bool {
        matches!(self, Pass::Sequential | Pass::DcFirst(_))
    }

    fn needs_ac(self) -> bool {
        matches!(self, Pass::Sequential | Pass::AcFirst(_) | Pass::AcRefine(_))
    }

    /// The coefficients that a progressive scan is about.
    fn band(self) -> Option<Band> {
        match self {
            Pass::Sequential => None,
            Pass::DcFirst(left) | Pass::DcRefine(left) => Some(Band { first: 0, last: 0, left }),
            Pass::AcFirst(band) | Pass::AcRefine(band) => Some(band),
        }
    }
}
