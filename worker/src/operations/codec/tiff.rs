//! TIFF: the `tiff` crate reads the samples, and we tell what they mean.
//!
//! The crate refuses some kinds of the baseline, such as palettes, and ignores other properties,
//! such as the order of bits. So every file is shown to it as a file of plain numbers, and it reads
//! those. The tags say what the numbers mean; they are read here. Our own decoder decodes JPEG
//! within TIFF.

use tiff::decoder::{ChunkType, Decoder, DecodingResult, Limits};
use tiff::{TiffError, TiffUnsupportedError};
use weighbridge_instrument::checkpoint;

use self::kind::{Compression, Kind};
use self::shown::Shown;
use super::watched::Watched;
use super::{CodecError, Format, Raster, Source, failed, library};
use crate::operations::OperationError;

mod shown;
mod kind;
mod pixels;
mod compressed;

/// A file that shows its samples as plain numbers.
type Reader<'a> = Decoder<Watched<Shown<'a>>>;

const SUPPORTED: &str = "gray, palettes, RGB, CMYK and YCbCr, with or without alpha, of 1, 2, 4, 8 \
                         and 16 bits or floating point, uncompressed or compressed by PackBits, \
                         LZW, Deflate, JPEG and CCITT group 4";

pub(super) fn decode(source: &Source<'_>) -> Result<Raster, OperationError> {
    let shown = Shown::new(source.bytes).map_err(|source| {
        let format = Format::Tiff;
        CodecError::Header { format, source }
    })?;
    let photometric = shown.photometric();
    let mut reader = open(shown, source)?;
    source.check_size(reader.dimensions().map_err(error)?)?;
    check_tiles(&mut reader, source)?;
    let kind = Kind::read(&mut reader, photometric)?;
    if kind.compression == Compression::Jpeg {
        return compressed::decode(&mut reader, source, &kind);
    }
    if kind.bits_reversed {
        let chunks = compressed::Chunk::all(&mut reader, source.bytes)?;
        reader = open(Shown::reversed(source.bytes, &chunks)?, source)?;
    }
    let mut numbers = DecodingResult::U8(Vec::new());
    let layout = reader.read_image_to_buffer(&mut numbers).map_err(error)?;
    checkpoint()?;
    let bytes = numbers.as_buffer(0);
    if bytes.as_bytes().len() < layout.complete_len {
        return Err(error(TiffError::LimitsExceeded));
    }
    pixels::raster(&kind, bytes.as_bytes())
}

fn open<'a>(shown: Shown<'a>, source: &Source<'_>) -> Result<Reader<'a>, OperationError> {
    let bytes = usize::try_from(library::allocation_bytes(source.limits)).unwrap_or(usize::MAX);
    let mut limits = Limits::default();
    limits.decoding_buffer_size = bytes;
    limits.intermediate_buffer_size = bytes;
    limits.ifd_value_size = bytes;
    Ok(Decoder::new(Watched::new(shown)).map_err(error)?.with_limits(limits))
}

/// Fails where the tiles have more pixels than the limit, those included that are beyond the image.
fn check_tiles(reader: &mut Reader<'_>, source: &Source<'_>) -> Result<(), OperationError> {
    if reader.get_chunk_type() == ChunkType::Strip {
        return Ok(());
    }
    let (wide, high) = reader.chunk_dimensions();
    let padded = |side: u32, tile: u32| u64::from(side).next_multiple_of(tile.into());
    let (width, height) = (padded(source.header.width, wide), padded(source.header.height, high));
    let limit = source.limits.image_pixels;
    if limit < width.saturating_mul(height) {
        let [width, height] = [width, height].map(|side| u32::try_from(side).unwrap_or(u32::MAX));
        return Err(CodecError::TooManyPixels { width, height, limit }.into());
    }
    Ok(())
}

/// Why the crate has failed.
fn error(error: TiffError) -> OperationError {
    failed(match error {
        TiffError::UnsupportedError(kind) => unsupported(describe(&kind)),
        error => CodecError::Tiff(error),
    })
}

/// A kind of file, going on from "files".
fn unsupported(kind: impl Into<String>) -> CodecError {
    CodecError::Unsupported { format: Format::Tiff, kind: kind.into(), supported: SUPPORTED }
}

fn describe(kind: &TiffUnsupportedError) -> String {
    match kind {
        TiffUnsupportedError::UnsupportedCompressionMethod(method) => {
            format!("compressed by `{}`", method.to_u16())
        }
        TiffUnsupportedError::HorizontalPredictor(_)
        | TiffUnsupportedError::FloatingPointPredictor(_) => {
            "with a predictor that does not go with their samples".to_owned()
        }
        TiffUnsupportedError::InconsistentBitsPerSample(bits) => {
            format!("with samples of different sizes, `{bits:?}` bits,")
        }
        other => format!("of that kind ({other})"),
    }
}
