//! The strips or tiles of a file, and what is JPEG of them.

use tiff::decoder::ChunkType;
use tiff::decoder::ifd::Value;
use tiff::tags::Tag;
use weighbridge_instrument::checkpoint;

use super::kind::{Colours, Kind};
use super::{Reader, error, unsupported};
use crate::operations::OperationError;
use crate::operations::codec::{Raster, Source, jpeg};

/// Adobe's marker without its last byte, which says how colours were transformed.
const ADOBE: &[u8] = b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0";

/// A strip or a tile, as it stands in the file.
pub(super) struct Chunk<'a> {
    pub(super) start: usize,
    pub(super) bytes: &'a [u8],
}

// === impl Chunk ===

impl<'a> Chunk<'a> {
    /// All of them, in order. Together they are no longer than the file.
    pub(super) fn all(
        reader: &mut Reader<'_>,
        file: &'a [u8],
    ) -> Result<Vec<Chunk<'a>>, OperationError> {
        let (starts, lengths) = match reader.get_chunk_type() {
            ChunkType::Strip => (Tag::StripOffsets, Tag::StripByteCounts),
            ChunkType::Tile => (Tag::TileOffsets, Tag::TileByteCounts),
        };
        let starts = reader.get_tag_u64_vec(starts).map_err(error)?;
        let lengths = reader.get_tag_u64_vec(lengths).map_err(error)?;
        let mut left = file.len();
        let mut chunks = Vec::with_capacity(starts.len());
        for (start, length) in starts.into_iter().zip(lengths) {
            let numbers = (usize::try_from(start).ok(), usize::try_from(length).ok());
            let (Some(start), Some(length)) = numbers else { return Err(overlapping()) };
            left = left.checked_sub(length).ok_or_else(overlapping)?;
            let bytes = start.checked_add(length).and_then(|end| file.get(start..end));
            chunks.push(Chunk { start, bytes: bytes.ok_or_else(overlapping)? });
        }
        Ok(chunks)
    }
}

fn overlapping() -> OperationError {
    unsupported("whose strips or tiles overlap or are cut off").into()
}

/// Decodes an image whose chunks are JPEG files without the tables that they share.
pub(super) fn decode(
    reader: &mut Reader<'_>,
    source: &Source<'_>,
    kind: &Kind,
) -> Result<Raster, OperationError> {
    let transform = match kind.colours {
        Colours::Rgb => Some(0),
        Colours::Ycc => Some(1),
        Colours::White | Colours::Black => None,
        Colours::Palette(_) | Colours::Cmyk => {
            return Err(
                unsupported("compressed by JPEG that are neither gray, RGB nor YCbCr").into()
            );
        }
    };
    if kind.is_planar || kind.alpha.is_some() || kind.samples != kind.colours.samples() {
        return Err(unsupported("compressed by JPEG with planes or alpha").into());
    }
    let tables = reader.find_tag(Tag::JPEGTables).map_err(error)?;
    let tables = tables.map(Value::into_u8_vec).transpose().map_err(error)?;
    let adobe = transform.map(|transform| [ADOBE, &[transform]].concat()).unwrap_or_default();
    let chunks = Chunk::all(reader, source.bytes)?;
    let (wide, high) = reader.chunk_dimensions();
    // One strip may have more rows than there are.
    let (wide, high) = (wide as usize, kind.height.min(high as usize));
    let mut raster = Canvas::new(kind, (wide, high));
    for (i, chunk) in chunks.iter().enumerate() {
        checkpoint()?;
        let file = assemble(chunk.bytes, tables.as_deref(), &adobe);
        raster.put(i, &jpeg::decode_file(&file, (wide * high) as u64)?)?;
    }
    Ok(raster.finish(kind.colours == Colours::White))
}

/// A JPEG file of its own: with what it says of colours, and the tables.
fn assemble(chunk: &[u8], tables: Option<&[u8]>, adobe: &[u8]) -> Vec<u8> {
    const START: &[u8] = &[0xFF, 0xD8];
    const END: &[u8] = &[0xFF, 0xD9];

    let tables = tables.unwrap_or_default();
    let tables = tables.strip_prefix(START).unwrap_or(tables);
    let tables = tables.strip_suffix(END).unwrap_or(tables);
    let chunk = chunk.strip_prefix(START).unwrap_or(chunk);
    [START, adobe, tables, chunk].concat()
}

/// An image that chunks are put into.
struct Canvas {
    raster: Raster,
    /// Columns and rows of a chunk.
    chunk: (usize, usize),
}

impl Canvas {
    fn new(kind: &Kind, chunk: (usize, usize)) -> Canvas {
        let (width, height, bands) = (kind.width, kind.height, kind.bands());
        let samples = vec![0; width * height * bands];
        Canvas { raster: Raster { width, height, bands, samples }, chunk }
    }

    /// Puts the `i`-th chunk where it belongs; what reaches over the border is dropped.
    fn put(&mut self, i: usize, chunk: &Raster) -> Result<(), OperationError> {
        let Raster { width, height, bands, .. } = self.raster;
        let across = width.div_ceil(self.chunk.0);
        let (x, y) = (i % across * self.chunk.0, i / across * self.chunk.1);
        let (columns, rows) =
            (self.chunk.0.min(width - x), self.chunk.1.min(height.saturating_sub(y)));
        if chunk.bands != bands || chunk.width < columns || chunk.height < rows {
            return Err(unsupported("whose JPEG strips or tiles have another form").into());
        }
        for row in 0..rows {
            let from = &chunk.samples[row * chunk.width * bands..][..columns * bands];
            let to = ((y + row) * width + x) * bands;
            self.raster.samples[to..][..columns * bands].copy_from_slice(from);
        }
        Ok(())
    }

    /// The image, with black and white exchanged where `inverted`.
    fn finish(mut self, inverted: bool) -> Raster {
        if inverted {
            self.raster.samples.iter_mut().for_each(|sample| *sample = 255 - *sample);
        }
        self.raster
    }
}
