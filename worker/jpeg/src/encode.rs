//! Files out: baseline, YCbCr in 4:2:0 or gray, with the standard's tables.
//!
//! The bytes are those of libjpeg with its default settings, but for the version in the header:
//! that is 1.02.

use thiserror::Error;

use self::header::Quantization;
use self::huffman::{Coder, Writer};
use self::rows::Rows;
use crate::Image;
use crate::block::SIDE;
use crate::pace::{Checkpoint, Pace, Stopped};

mod header;
mod rows;
mod fdct;
mod huffman;

/// How much of an image is kept, from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality(u8);

/// Why an image cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A side is zero, or longer than the format can say.
    #[error("a JPEG file cannot have `{width}x{height}` pixels, only up to 65535 a side")]
    Size {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// It is neither gray nor RGB, or has too many samples or too few.
    #[error("an image of `{bands}` bands has `{samples}` samples")]
    Samples {
        /// [`Image::bands`].
        bands: usize,
        /// How many samples there are.
        samples: usize,
    },
    /// The result is no longer wanted.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

// === impl Quality ===

impl Quality {
    /// The quality of `percent`; what is below 1 or above 100 is taken for that.
    pub fn new(percent: u8) -> Quality {
        Quality(percent.clamp(1, 100))
    }
}

impl Default for Quality {
    /// 75, as libjpeg has it.
    fn default() -> Quality {
        Quality(75)
    }
}

/// The file of `image`.
///
/// # Errors
///
/// See [`EncodeError`]: the image has a size or a form that no file has, or `checkpoint` has said
/// that the file is no longer wanted.
pub fn encode(
    image: &Image,
    quality: Quality,
    checkpoint: &mut Checkpoint<'_>,
) -> Result<Vec<u8>, EncodeError> {
    let Image { width, height, bands, ref samples } = *image;
    let (Ok(columns), Ok(lines)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(EncodeError::Size { width, height });
    };
    if columns == 0 || lines == 0 {
        return Err(EncodeError::Size { width, height });
    }
    if !matches!(bands, 1 | 3) || samples.len() != width * height * bands {
        return Err(EncodeError::Samples { bands, samples: samples.len() });
    }
    let mut pace = Pace::new(checkpoint);
    let divisors = header::divisors(quality.0);
    let mut file = Vec::with_capacity(1024 + samples.len() / 8);
    header::write(&mut file, (columns, lines), bands, &divisors);
    let mut writer = Writer::new(file);
    let quantizations = divisors.each_ref().map(Quantization::new);
    let mut scan = Scan::new(image, &quantizations);
    for row in 0..scan.rows() {
        scan.row(row, &mut writer, &mut pace)?;
    }
    Ok(writer.finish())
}

/// The one scan of a file.
struct Scan<'a> {
    image: &'a Image,
    rows: Rows,
    components: Vec<Component<'a>>,
}

/// A component, and what its coefficients become.
struct Component<'a> {
    /// Blocks of a unit, in each direction.
    sampling: usize,
    /// Columns and rows of blocks that hold samples.
    blocks: (usize, usize),
    quantization: &'a Quantization,
    coder: Coder,
}

// === impl Scan ===

impl<'a> Scan<'a> {
    fn new(image: &'a Image, quantizations: &'a [Quantization; 2]) -> Scan<'a> {
        let most = if image.bands == 1 { 1 } else { 2 };
        let component = |i: usize| {
            let sampling = if i == 0 { most } else { 1 };
            let shrunk = |side: usize| side.div_ceil(most / sampling).div_ceil(SIDE);
            let table = usize::from(i != 0);
            Component {
                sampling,
                blocks: (shrunk(image.width), shrunk(image.height)),
                quantization: &quantizations[table],
                coder: Coder::new(table),
            }
        };
        let components = (0..image.bands).map(component).collect();
        Scan { image, rows: Rows::new(image, most), components }
    }

    /// Rows of units.
    fn rows(&self) -> usize {
        self.image.height.div_ceil(self.rows.side())
    }

    /// Encodes a row of units.
    fn row(&mut self, row: usize, writer: &mut Writer, pace: &mut Pace<'_>) -> Result<(), Stopped> {
        self.rows.load(self.image, row, pace)?;
        for column in 0..self.image.width.div_ceil(self.rows.side()) {
            pace.spend(self.rows.side() * self.rows.side())?;
            for (i, component) in self.components.iter_mut().enumerate() {
                let plane = self.rows.plane(i);
                component.unit(plane, (column, row), writer);
            }
        }
        Ok(())
    }
}

// === impl Component ===

impl Component<'_> {
    /// Encodes the blocks of a unit, whose rows of samples `plane` holds.
    ///
    /// Blocks beyond the image, which fill up a unit, repeat the first coefficient of the block
    /// before them: that takes the fewest bits.
    fn unit(&mut self, plane: (&[u8], usize), (column, row): (usize, usize), writer: &mut Writer) {
        for y in 0..self.sampling {
            for x in 0..self.sampling {
                let block_column = column * self.sampling + x;
                if block_column < self.blocks.0 && row * self.sampling + y < self.blocks.1 {
                    let block = fdct::block(plane, (block_column, y));
                    self.coder.put(&self.quantization.apply(&block), writer);
                } else {
                    self.coder.put_empty(writer);
                }
            }
        }
    }
}
