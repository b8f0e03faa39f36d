//! Images in and out of their file formats, by the `image` crate.

use std::io::Cursor;

use image::codecs::bmp::BmpEncoder;
use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::codecs::tiff::TiffEncoder;
use image::{
    ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageError,
    ImageFormat, ImageReader,
};
use thiserror::Error;
use weighbridge_instrument::checkpoint;

use super::OperationError;
use super::limits::Limits;

mod jpeg;
mod watched;

use watched::Watched;

/// The quality of the JPEG files that we write. Files of the systems before us have the same
/// quantisation tables.
const JPEG_QUALITY: u8 = 75;

/// A file format that we read and write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// Windows bitmap.
    Bmp,
    /// GIF; of an animation, the first frame.
    Gif,
    /// TIFF.
    Tiff,
}

/// Pixels: rows from the top, bands interleaved, 8 bits each.
///
/// The bands are gray, gray and alpha, RGB, or RGBA; `samples` has `width * height * bands`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raster {
    /// Columns, above zero.
    pub width: usize,
    /// Rows, above zero.
    pub height: usize,
    /// Samples of a pixel, 1 to 4.
    pub bands: usize,
    /// The samples.
    pub samples: Vec<u8>,
}

/// An encoded image whose header was read and is within the limits.
pub(super) struct Source<'a> {
    format: Format,
    bytes: &'a [u8],
    decoder: Box<dyn ImageDecoder + 'a>,
}

/// Why an image cannot be decoded or encoded. Every one is the client's fault.
#[derive(Debug, Error)]
pub enum CodecError {
    /// The first bytes are of no format that we read.
    #[error("the image is not a JPEG, PNG, BMP, GIF or TIFF file")]
    UnknownFormat,
    /// The file is damaged, or uses something that we do not read.
    #[error("cannot decode the image")]
    Decode(#[source] ImageError),
    /// There is no pixel in it.
    #[error("the image is empty: `{width}x{height}` pixels")]
    Empty {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// It has more pixels than the limit allows.
    #[error("the image has `{width}x{height}` pixels, the limit is `{limit}` in all")]
    TooManyPixels {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// [`Limits::image_pixels`].
        limit: u64,
    },
    /// The output format has no place for it, as when a side is over 65,535 pixels.
    #[error("cannot write the image as `{}`", .format.media_type())]
    Encode {
        /// What it should have become.
        format: Format,
        /// Why it cannot.
        source: ImageError,
    },
}

// === impl Format ===

impl Format {
    /// The format that a media subtype or file extension names, whatever its case.
    pub fn from_name(name: &str) -> Option<Format> {
        let format = match name.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" | "pjpeg" | "jfif" => Format::Jpeg,
            "png" | "x-png" => Format::Png,
            "bmp" | "x-bmp" | "x-ms-bmp" => Format::Bmp,
            "gif" => Format::Gif,
            "tif" | "tiff" => Format::Tiff,
            _ => return None,
        };
        Some(format)
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Jpeg => "image/jpeg",
            Format::Png => "image/png",
            Format::Bmp => "image/bmp",
            Format::Gif => "image/gif",
            Format::Tiff => "image/tiff",
        }
    }

    /// The format of a file, by its first bytes.
    fn of(reader: &ImageReader<Watched<Cursor<&[u8]>>>) -> Option<Format> {
        match reader.format()? {
            ImageFormat::Jpeg => Some(Format::Jpeg),
            ImageFormat::Png => Some(Format::Png),
            ImageFormat::Bmp => Some(Format::Bmp),
            ImageFormat::Gif => Some(Format::Gif),
            ImageFormat::Tiff => Some(Format::Tiff),
            _ => None,
        }
    }
}

// === impl Source ===

impl<'a> Source<'a> {
    /// Reads the header of `bytes`, and no more.
    pub(super) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Source<'a>, CodecError> {
        let mut reader = ImageReader::new(Watched::new(Cursor::new(bytes)))
            .with_guessed_format()
            .map_err(|error| CodecError::Decode(ImageError::IoError(error)))?;
        let format = Format::of(&reader).ok_or(CodecError::UnknownFormat)?;
        reader.limits(decoder_limits(limits));
        let decoder = reader.into_decoder().map_err(CodecError::Decode)?;
        let (width, height) = decoder.dimensions();
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 {
            return Err(CodecError::Empty { width, height });
        }
        if limits.image_pixels < pixels {
            let limit = limits.image_pixels;
            return Err(CodecError::TooManyPixels { width, height, limit });
        }
        Ok(Source { format, bytes, decoder: Box::new(decoder) })
    }

    /// The format of the file.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Decodes the pixels. Sixteen bits a sample become eight, palettes become colours.
    pub(super) fn decode(self) -> Result<Raster, OperationError> {
        if self.format == Format::Jpeg {
            let (width, height) = self.decoder.dimensions();
            if let Some(raster) = jpeg::decode(self.bytes, (width as usize, height as usize))? {
                return Ok(raster);
            }
        }
        let image = DynamicImage::from_decoder(self.decoder)
            .map_err(|error| failed(CodecError::Decode(error)))?;
        let raster = Raster::from_image(image);
        match self.format {
            // The decoder of GIF always makes an alpha band.
            Format::Gif => Ok(raster.without_opaque_alpha()),
            Format::Jpeg | Format::Png | Format::Bmp | Format::Tiff => Ok(raster),
        }
    }
}

/// Decodes an image whose format is known by its content, within `limits`.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, OperationError> {
    Source::open(bytes, limits).map_err(failed)?.decode()
}

/// What a decoder may allocate: the pixels at sixteen bytes each, and some room for small ones.
fn decoder_limits(limits: &Limits) -> image::Limits {
    const ROOM_BYTES: u64 = 16 << 20;

    let mut checked = image::Limits::default();
    checked.max_alloc = Some(limits.image_pixels.saturating_mul(16).saturating_add(ROOM_BYTES));
    checked
}

// === impl Raster ===

impl Raster {
    fn from_image(image: DynamicImage) -> Raster {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let (bands, samples) = match image.color() {
            ColorType::L8 | ColorType::L16 => (1, image.into_luma8().into_raw()),
            ColorType::La8 | ColorType::La16 => (2, image.into_luma_alpha8().into_raw()),
            ColorType::Rgba8 | ColorType::Rgba16 | ColorType::Rgba32F => {
                (4, image.into_rgba8().into_raw())
            }
            _ => (3, image.into_rgb8().into_raw()),
        };
        Raster { width, height, bands, samples }
    }

    /// The same without its alpha band, where that hides nothing.
    fn without_opaque_alpha(self) -> Raster {
        let opaque = |pixel: &[u8]| pixel.last() == Some(&u8::MAX);
        if self.bands == 4 && self.samples.chunks_exact(4).all(opaque) {
            self.keep_bands(3)
        } else {
            self
        }
    }

    /// The first `kept` bands of every pixel.
    fn keep_bands(self, kept: usize) -> Raster {
        debug_assert!(kept <= self.bands, "bands are only dropped");
        let mut samples = Vec::with_capacity(self.width * self.height * kept);
        for pixel in self.samples.chunks_exact(self.bands) {
            samples.extend_from_slice(&pixel[..kept]);
        }
        Raster { bands: kept, samples, ..self }
    }

    /// Gray and alpha as RGBA.
    fn into_rgba(self) -> Raster {
        debug_assert_eq!(self.bands, 2, "the bands are gray and alpha");
        let spread = |pixel: &[u8]| [pixel[0], pixel[0], pixel[0], pixel[1]];
        let samples = self.samples.chunks_exact(2).flat_map(spread).collect();
        Raster { bands: 4, samples, ..self }
    }

    /// The same in bands that `format` has. JPEG has no alpha; only PNG has gray with alpha.
    fn for_format(self, format: Format) -> Raster {
        match (format, self.bands) {
            (Format::Jpeg, 2 | 4) => {
                let kept = self.bands - 1;
                self.keep_bands(kept)
            }
            (Format::Bmp | Format::Gif | Format::Tiff, 2) => self.into_rgba(),
            (Format::Gif, 1) => {
                let samples = self.samples.iter().flat_map(|&gray| [gray; 3]).collect();
                Raster { bands: 3, samples, ..self }
            }
            _ => self,
        }
    }

    fn color(&self) -> ExtendedColorType {
        match self.bands {
            1 => ExtendedColorType::L8,
            2 => ExtendedColorType::La8,
            3 => ExtendedColorType::Rgb8,
            _ => ExtendedColorType::Rgba8,
        }
    }
}

/// Encodes `raster` as `format`. Alpha is dropped where the format has none.
pub(super) fn encode(raster: Raster, format: Format) -> Result<Vec<u8>, OperationError> {
    let raster = raster.for_format(format);
    let mut file = Watched::new(Cursor::new(Vec::new()));
    write(&raster, format, &mut file)
        .map_err(|source| failed(CodecError::Encode { format, source }))?;
    Ok(file.into_inner().into_inner())
}

/// Why a codec has failed: `error`, unless it was stopped because the client is gone.
pub(super) fn failed(error: CodecError) -> OperationError {
    match checkpoint() {
        Ok(()) => error.into(),
        Err(abandoned) => abandoned.into(),
    }
}

fn write(
    raster: &Raster,
    format: Format,
    file: &mut Watched<Cursor<Vec<u8>>>,
) -> Result<(), ImageError> {
    let (samples, color) = (raster.samples.as_slice(), raster.color());
    // A decoder gave these as 32-bit numbers.
    let (width, height) = (raster.width as u32, raster.height as u32);
    match format {
        Format::Jpeg => JpegEncoder::new_with_quality(file, JPEG_QUALITY)
            .write_image(samples, width, height, color),
        Format::Png => PngEncoder::new(file).write_image(samples, width, height, color),
        Format::Bmp => BmpEncoder::new(file).write_image(samples, width, height, color),
        Format::Gif => GifEncoder::new(file).encode(samples, width, height, color),
        Format::Tiff => TiffEncoder::new(file).write_image(samples, width, height, color),
    }
}

// === impl CodecError ===

impl CodecError {
    pub(super) fn status(&self) -> u16 {
        match self {
            CodecError::UnknownFormat | CodecError::Decode(_) | CodecError::Empty { .. } => 400,
            CodecError::TooManyPixels { .. } => 413,
            CodecError::Encode { .. } => 422,
        }
    }
}
