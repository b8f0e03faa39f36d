//! What the image is made of: components, and their coefficients.

use weighbridge_instrument::checkpoint;

use super::Refusal;
use super::idct;

/// Side of a block.
const SIDE: usize = 8;

/// The coefficients of 8 by 8 samples, in rows.
pub(super) type Block = [i16; SIDE * SIDE];

/// The image.
pub(super) struct Frame {
    pub(super) progressive: bool,
    pub(super) components: Vec<Component>,
    /// Columns and rows of minimum coded units, when components are interleaved.
    pub(super) units: (usize, usize),
}

/// Brightness, or one of two colour differences.
pub(super) struct Component {
    id: u8,
    quantization: usize,
    /// The divisors, as they were at the component's first scan.
    pub(super) divisors: Option<[u16; SIDE * SIDE]>,
    /// Blocks of a unit: columns and rows.
    pub(super) sampling: (usize, usize),
    /// Samples that there are, not counting what fills up the last blocks.
    size: (usize, usize),
    /// Blocks of a row.
    pub(super) stride: usize,
    pub(super) blocks: Vec<Block>,
}

/// The samples of a component.
pub(super) struct Plane {
    pub(super) size: (usize, usize),
    /// Samples from row to row.
    pub(super) stride: usize,
    pub(super) samples: Vec<u8>,
}

/// What applications said about colours.
#[derive(Default)]
pub(super) struct Layout {
    jfif: bool,
    adobe_transform: Option<u8>,
}

// === impl Frame ===

impl Frame {
    /// Reads the header of a frame. It has to have the dimensions `size`.
    pub(super) fn parse(
        segment: &[u8],
        progressive: bool,
        size: (usize, usize),
    ) -> Result<Frame, Refusal> {
        let ([precision, h0, h1, w0, w1, n], specs) =
            segment.split_first_chunk().ok_or(Refusal::Unusual)?;
        let (specs, rest) = specs.as_chunks::<3>();
        let height = usize::from(u16::from_be_bytes([*h0, *h1]));
        let width = usize::from(u16::from_be_bytes([*w0, *w1]));
        let n = usize::from(*n);
        if *precision != 8 || (width, height) != size || specs.len() != n || !rest.is_empty() {
            return Err(Refusal::Unusual);
        }
        let sampling = match specs {
            // Alone, a component has one block a unit, whatever it says.
            [_] => (1, 1),
            [[_, first, _], [_, 0x11, _], [_, 0x11, _]] => match first {
                0x11 => (1, 1),
                0x21 => (2, 1),
                0x22 => (2, 2),
                _ => return Err(Refusal::Unusual),
            },
            _ => return Err(Refusal::Unusual),
        };
        let units = (width.div_ceil(SIDE * sampling.0), height.div_ceil(SIDE * sampling.1));
        let mut components = Vec::with_capacity(n);
        for (i, &[id, _, quantization]) in specs.iter().enumerate() {
            let (own, shrink) = if i == 0 { (sampling, (1, 1)) } else { ((1, 1), sampling) };
            components.push(Component {
                id,
                quantization: usize::from(quantization),
                divisors: None,
                sampling: own,
                size: (width.div_ceil(shrink.0), height.div_ceil(shrink.1)),
                stride: units.0 * own.0,
                blocks: vec![[0; SIDE * SIDE]; units.0 * own.0 * units.1 * own.1],
            });
        }
        Ok(Frame { progressive, components, units })
    }

    /// The component called `id`.
    pub(super) fn position(&self, id: u8) -> Option<usize> {
        self.components.iter().position(|component| component.id == id)
    }

    /// Whether every component was in some scan.
    pub(super) fn is_complete(&self) -> bool {
        self.components.iter().all(|component| component.divisors.is_some())
    }

    /// The samples of every component.
    pub(super) fn planes(self) -> Result<Vec<Plane>, Refusal> {
        self.components.into_iter().map(Component::plane).collect()
    }
}

// === impl Component ===

impl Component {
    /// Remembers the divisors that are current at the first scan.
    pub(super) fn fix_divisors(
        &mut self,
        tables: &[Option<[u16; SIDE * SIDE]>],
    ) -> Result<(), Refusal> {
        if self.divisors.is_none() {
            self.divisors = tables.get(self.quantization).copied().flatten();
        }
        self.divisors.map(drop).ok_or(Refusal::Unusual)
    }

    /// Columns and rows of blocks that hold samples.
    pub(super) fn own_blocks(&self) -> (usize, usize) {
        (self.size.0.div_ceil(SIDE), self.size.1.div_ceil(SIDE))
    }

    fn plane(self) -> Result<Plane, Refusal> {
        let divisors = self.divisors.ok_or(Refusal::Unusual)?;
        let stride = self.stride * SIDE;
        let mut samples = vec![0; self.blocks.len() * SIDE * SIDE];
        let rows = samples.chunks_exact_mut(stride * SIDE);
        for (blocks, rows) in self.blocks.chunks_exact(self.stride).zip(rows) {
            checkpoint()?;
            for (column, block) in blocks.iter().enumerate() {
                let transformed = idct::transform(block, &divisors);
                for (row, from) in rows.chunks_exact_mut(stride).zip(transformed.as_chunks().0) {
                    let to: &mut [u8] = &mut row[column * SIDE..][..SIDE];
                    to.copy_from_slice(from as &[u8; SIDE]);
                }
            }
        }
        Ok(Plane { size: self.size, stride, samples })
    }
}

// === impl Layout ===

impl Layout {
    /// Reads what JFIF and Adobe say.
    pub(super) fn note(&mut self, marker: u8, segment: &[u8]) {
        if marker == 0xE0 && segment.starts_with(b"JFIF\0") {
            self.jfif = true;
        }
        if marker == 0xEE && segment.starts_with(b"Adobe") {
            self.adobe_transform = segment.get(11).copied();
        }
    }

    /// Whether the components are brightness alone, or that and two colour differences.
    pub(super) fn is_ycc(&self, frame: &Frame) -> bool {
        let ids = frame.components.iter().map(|component| component.id);
        match (self.jfif, self.adobe_transform) {
            _ if frame.components.len() == 1 => true,
            (true, _) => true,
            (false, Some(transform)) => transform == 1,
            (false, None) => ids.eq([1, 2, 3]),
        }
    }
}
