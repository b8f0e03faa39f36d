//! What the `image` crate decodes and encodes.

use std::io::Cursor;

use image::codecs::bmp::BmpEncoder;
use image::codecs::gif::GifEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::tiff::TiffEncoder;
use image::{DynamicImage, ImageDecoder, ImageEncoder, ImageError, ImageFormat, ImageReader};

use super::watched::Watched;
use super::{CodecError, Format, Raster, Source, failed};
use crate::operations::{Limits, OperationError};

/// Decodes a file whose format is known to be `format`.
pub(super) fn decode(source: &Source<'_>, format: ImageFormat) -> Result<Raster, OperationError> {
    let mut reader = ImageReader::with_format(Watched::new(Cursor::new(source.bytes)), format);
    reader.limits(decoder_limits(source.limits));
    let error = |error| failed(CodecError::Library(error));
    let decoder = reader.into_decoder().map_err(error)?;
    source.check_size(decoder.dimensions())?;
    Ok(Raster::from_image(DynamicImage::from_decoder(decoder).map_err(error)?))
}

/// What a decoder may allocate: the pixels at sixteen bytes each, and some room for small ones.
fn decoder_limits(limits: &Limits) -> image::Limits {
    let mut checked = image::Limits::default();
    checked.max_alloc = Some(allocation_bytes(limits));
    checked
}

/// What the decoding of one image may allocate.
pub(super) fn allocation_bytes(limits: &Limits) -> u64 {
    const ROOM_BYTES: u64 = 16 << 20;

    limits.image_pixels.saturating_mul(16).saturating_add(ROOM_BYTES)
}

/// A file that is written.
type File = Watched<Cursor<Vec<u8>>>;

/// Writes an image in one format, which has a place for the image's bands.
type Write = fn(&Raster, &mut File) -> Result<(), ImageError>;

/// Encodes an image as `format`, which is what `write` writes.
pub(super) fn encode(
    raster: &Raster,
    format: Format,
    write: Write,
) -> Result<Vec<u8>, OperationError> {
    let mut file = Watched::new(Cursor::new(Vec::new()));
    write(raster, &mut file).map_err(|source| failed(CodecError::Encode { format, source }))?;
    Ok(file.into_inner().into_inner())
}

pub(super) fn png(raster: &Raster, file: &mut File) -> Result<(), ImageError> {
    let (width, height) = size(raster);
    PngEncoder::new(file).write_image(&raster.samples, width, height, raster.color())
}

pub(super) fn bmp(raster: &Raster, file: &mut File) -> Result<(), ImageError> {
    let (width, height) = size(raster);
    BmpEncoder::new(file).write_image(&raster.samples, width, height, raster.color())
}

pub(super) fn gif(raster: &Raster, file: &mut File) -> Result<(), ImageError> {
    let (width, height) = size(raster);
    GifEncoder::new(file).encode(&raster.samples, width, height, raster.color())
}

pub(super) fn tiff(raster: &Raster, file: &mut File) -> Result<(), ImageError> {
    let (width, height) = size(raster);
    TiffEncoder::new(file).write_image(&raster.samples, width, height, raster.color())
}

/// Columns and rows: a decoder gave them as 32-bit numbers.
fn size(raster: &Raster) -> (u32, u32) {
    (raster.width as u32, raster.height as u32)
}
