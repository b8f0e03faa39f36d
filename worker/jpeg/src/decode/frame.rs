//! What the image is made of: components, and their coefficients.

use std::mem;

use super::error::{DecodeError, Limits, Unsupported};
use super::smooth::{Progress, Smoothing};
use super::{idct, smooth};
use crate::block::{Block, SIDE, Square, ZIGZAG};
use crate::pace::{Pace, Stopped};
use weighbridge_image_header::jpeg::Header;

/// The image.
pub(super) struct Frame {
    pub(super) progressive: bool,
    /// Columns and rows of pixels.
    pub(super) size: (usize, usize),
    pub(super) components: Vec<Component>,
    /// Columns and rows of minimum coded units, when components are interleaved.
    pub(super) units: (usize, usize),
    /// What is kept of the coefficients.
    pub(super) store: Store,
    /// The last row of units that was decoded from bits that are there.
    pub(super) last_good_row: usize,
}

/// Which coefficients are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    /// There was no scan yet.
    Nothing,
    /// Those of a row of units, as there is one scan only.
    Row,
    /// All, as further scans may add to them.
    All,
}

/// Gray, a colour, brightness or a colour difference.
pub(super) struct Component {
    pub(super) id: u8,
    quantization: usize,
    /// The divisors, as they were at the component's first scan.
    pub(super) divisors: Option<Square<u16>>,
    /// Blocks of a unit: columns and rows.
    pub(super) sampling: (usize, usize),
    /// How many columns and rows of pixels a sample stands for.
    shrink: (usize, usize),
    /// Samples that there are, not counting what fills up the last blocks.
    size: (usize, usize),
    /// Columns and rows of blocks, those included that fill up the last units.
    pub(super) stride: usize,
    rows: usize,
    pub(super) blocks: Vec<Block>,
    pub(super) progress: Progress,
    samples: Vec<u8>,
}

/// The samples of a component.
pub(super) struct Plane {
    pub(super) size: (usize, usize),
    /// How many columns and rows of pixels a sample stands for.
    pub(super) shrink: (usize, usize),
    /// Samples from row to row.
    pub(super) stride: usize,
    pub(super) samples: Vec<u8>,
}

// === impl Frame ===

impl Frame {
    /// Reads the header of a frame.
    pub(super) fn parse(
        segment: &[u8],
        progressive: bool,
        limits: &Limits,
    ) -> Result<Frame, DecodeError> {
        let faulty = DecodeError::Damaged("the header of its frame is too short or too long");
        let (fields, specs) = segment.split_first_chunk().ok_or(faulty.clone())?;
        let header = Header::parse(*fields);
        check(header, limits)?;
        let (specs, rest) = specs.as_chunks::<3>();
        if specs.len() != usize::from(header.components) || !rest.is_empty() {
            return Err(faulty);
        }
        let samplings = specs.iter().map(|[_, sampling, _]| split(*sampling));
        let (wide, high) = (samplings.clone().map(|s| s.0).max(), samplings.map(|s| s.1).max());
        let most = (wide.unwrap_or(1), high.unwrap_or(1));
        let size = (usize::from(header.width), usize::from(header.height));
        let units = (size.0.div_ceil(SIDE * most.0), size.1.div_ceil(SIDE * most.1));
        let mut components = Vec::with_capacity(specs.len());
        for spec in specs {
            components.push(Component::parse(*spec, size, (most, units))?);
        }
        let store = Store::Nothing;
        Ok(Frame { progressive, size, components, units, store, last_good_row: 0 })
    }

    /// Makes room for coefficients and samples; `only_scan` where no further scan will come.
    pub(super) fn allocate(&mut self, only_scan: bool) {
        // A component that is alone comes by rows of blocks, not of units.
        let by_units = 1 < self.components.len() || self.components[0].sampling.1 == 1;
        let row = only_scan && by_units;
        self.store = if row { Store::Row } else { Store::All };
        for component in &mut self.components {
            let rows = if row { component.sampling.1 } else { component.rows };
            component.blocks = vec![[0; SIDE * SIDE]; component.stride * rows];
            component.samples = vec![0; component.stride * component.rows * SIDE * SIDE];
        }
    }

    /// Transforms what is kept of a row of units, and forgets it.
    pub(super) fn finish_row(&mut self, row: usize, pace: &mut Pace<'_>) -> Result<(), Stopped> {
        for component in &mut self.components {
            let divisors = component.divisors.unwrap_or([0; SIDE * SIDE]);
            let first = row * component.sampling.1;
            let blocks = component.blocks.chunks_exact_mut(component.stride);
            let rows = component.samples.chunks_exact_mut(component.stride * SIDE * SIDE);
            for (blocks, samples) in blocks.zip(rows.skip(first)) {
                pace.spend(samples.len())?;
                idct::transform_row(blocks, &divisors, samples);
                blocks.fill([0; SIDE * SIDE]);
            }
        }
        Ok(())
    }

    /// The samples of every component.
    pub(super) fn planes(
        mut self,
        n_scans: usize,
        pace: &mut Pace<'_>,
    ) -> Result<Vec<Plane>, Stopped> {
        if self.store == Store::All {
            let smoothing = smooth::is_useful(&self).then_some(Smoothing {
                last_good_row: self.last_good_row,
                rows: self.units.1,
                later_scans: 1 < n_scans,
            });
            for component in &mut self.components {
                component.transform(self.progressive, smoothing, pace)?;
            }
        }
        Ok(self.components.into_iter().map(Component::plane).collect())
    }
}

/// Whether an image like that is decoded.
fn check(header: Header, limits: &Limits) -> Result<(), DecodeError> {
    let Header { width, height, components, precision } = header;
    if precision != 8 {
        return Err(Unsupported::Precision(precision).into());
    }
    if !matches!(components, 1 | 3 | 4) {
        return Err(Unsupported::Components(components).into());
    }
    if height == 0 {
        return Err(Unsupported::LateHeight.into());
    }
    if width == 0 {
        return Err(DecodeError::Damaged("its image is `0` columns wide"));
    }
    if limits.pixels < u64::from(width) * u64::from(height) {
        return Err(DecodeError::TooManyPixels { width, height, limit: limits.pixels });
    }
    Ok(())
}

/// The two halves of a byte.
fn split(byte: u8) -> (usize, usize) {
    (usize::from(byte >> 4), usize::from(byte & 15))
}

// === impl Component ===

impl Component {
    /// Reads what the frame says of a component. The image has `size`, and `most` are the largest
    /// sampling factors.
    fn parse(
        [id, sampling, quantization]: [u8; 3],
        size: (usize, usize),
        (most, units): ((usize, usize), (usize, usize)),
    ) -> Result<Component, DecodeError> {
        let sampling = split(sampling);
        if !(1..=4).contains(&sampling.0) || !(1..=4).contains(&sampling.1) {
            return Err(DecodeError::Damaged("a sampling factor is not `1` to `4`"));
        }
        if !most.0.is_multiple_of(sampling.0) || !most.1.is_multiple_of(sampling.1) {
            return Err(Unsupported::FractionalSampling.into());
        }
        let shrink = (most.0 / sampling.0, most.1 / sampling.1);
        Ok(Component {
            id,
            quantization: quantization.into(),
            divisors: None,
            sampling,
            shrink,
            size: (size.0.div_ceil(shrink.0), size.1.div_ceil(shrink.1)),
            stride: units.0 * sampling.0,
            rows: units.1 * sampling.1,
            blocks: Vec::new(),
            progress: Progress::default(),
            samples: Vec::new(),
        })
    }

    /// Remembers the divisors that are current at the first scan.
    pub(super) fn fix_divisors<'t>(
        &mut self,
        current: impl FnOnce(usize) -> Result<&'t Square<u16>, DecodeError>,
    ) -> Result<(), DecodeError> {
        if self.divisors.is_none() {
            self.divisors = Some(*current(self.quantization)?);
        }
        Ok(())
    }

    /// Columns and rows of blocks that hold samples.
    pub(super) fn own_blocks(&self) -> (usize, usize) {
        (self.size.0.div_ceil(SIDE), self.size.1.div_ceil(SIDE))
    }

    /// Transforms all blocks. Those of progressive files are in the order of the file.
    fn transform(
        &mut self,
        progressive: bool,
        smoothing: Option<Smoothing>,
        pace: &mut Pace<'_>,
    ) -> Result<(), Stopped> {
        // Of a component that was in no scan every coefficient is zero.
        let divisors = self.divisors.unwrap_or([0; SIDE * SIDE]);
        let mut samples = mem::take(&mut self.samples);
        let mut room = vec![[0; SIDE * SIDE]; self.stride];
        let rows = samples.chunks_exact_mut(self.stride * SIDE * SIDE);
        for (row, samples) in rows.enumerate().take(self.own_blocks().1) {
            pace.spend(samples.len())?;
            let blocks = &self.blocks[row * self.stride..][..self.stride];
            if !progressive {
                idct::transform_row(blocks, &divisors, samples);
                continue;
            }
            for (to, block) in room.iter_mut().zip(blocks) {
                for (&place, &coefficient) in ZIGZAG.iter().zip(block) {
                    to[usize::from(place & 63)] = coefficient;
                }
            }
            if let Some(smoothing) = smoothing {
                smooth::row(self, &divisors, (row, smoothing), &mut room);
            }
            idct::transform_row(&room, &divisors, samples);
        }
        self.samples = samples;
        Ok(())
    }

    fn plane(self) -> Plane {
        let Component { size, shrink, stride, samples, .. } = self;
        Plane { size, shrink, stride: stride * SIDE, samples }
    }
}
