//! Images in and out of their file formats.
//!
//! Our own crate `weighbridge-jpeg` reads and writes JPEG. The `image` crate reads PNG, BMP and
//! GIF, and writes all formats but JPEG. The `tiff` crate reads TIFF. Format and size are read
//! first, by the code that the balancer reads them with.

use std::io::{self, Cursor};

use image::ImageError;
use thiserror::Error;
use weighbridge_image_header::{self as header, ImageHeader};
use weighbridge_instrument::checkpoint;

use super::OperationError;
use super::limits::Limits;

mod raster;
mod watched;
mod jpeg;
mod bmp;
mod tiff;
mod library;

pub use raster::Raster;

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
    /// TIFF; of several pages, the first.
    Tiff,
}

/// An encoded image whose header was read and is within the limits.
pub(super) struct Source<'a> {
    format: Format,
    header: ImageHeader,
    bytes: &'a [u8],
    limits: &'a Limits,
}

/// Why an image cannot be decoded or encoded. Every one is the client's fault.
#[derive(Debug, Error)]
pub enum CodecError {
    /// The first bytes are of no format that we read.
    #[error("the image is not a JPEG, PNG, BMP, GIF or TIFF file")]
    UnknownFormat,
    /// Its header ends early, or contradicts itself.
    #[error("cannot decode the image: the header of the {format} file is damaged")]
    Header {
        /// The format of the file.
        format: Format,
        /// What was wrong.
        source: io::Error,
    },
    /// The file is in order, as far as we can tell, but of a kind that we do not read.
    #[error(
        "cannot decode the image: {format} files {kind} are not supported; supported are \
         {supported}"
    )]
    Unsupported {
        /// The format of the file.
        format: Format,
        /// What it is, going on from "files".
        kind: String,
        /// What we read instead.
        supported: &'static str,
    },
    /// The JPEG file is damaged, or of a kind that we do not read.
    #[error("cannot decode the image: {0}")]
    Jpeg(weighbridge_jpeg::DecodeError),
    /// The TIFF file is damaged, or of a kind that the `tiff` crate does not read.
    #[error("cannot decode the image: {0}")]
    Tiff(::tiff::TiffError),
    /// The file is damaged, or of a kind that the `image` crate does not read.
    #[error("cannot decode the image: {0}")]
    Library(ImageError),
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
    /// A JPEG file has no place for it.
    #[error("cannot write the image as `image/jpeg`")]
    EncodeJpeg(#[source] weighbridge_jpeg::EncodeError),
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
    fn of(bytes: &[u8]) -> Option<Format> {
        match header::Format::of(bytes)? {
            header::Format::Jpeg => Some(Format::Jpeg),
            header::Format::Png => Some(Format::Png),
            header::Format::Bmp => Some(Format::Bmp),
            header::Format::Gif => Some(Format::Gif),
            header::Format::Tiff => Some(Format::Tiff),
            header::Format::WebP => None,
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::Bmp => "BMP",
            Format::Gif => "GIF",
            Format::Tiff => "TIFF",
        })
    }
}

// === impl Source ===

impl<'a> Source<'a> {
    /// Reads the header of `bytes`, and no more.
    pub(super) fn open(bytes: &'a [u8], limits: &'a Limits) -> Result<Source<'a>, CodecError> {
        let format = Format::of(bytes).ok_or(CodecError::UnknownFormat)?;
        let header = ImageHeader::read(&mut Cursor::new(bytes))
            .map_err(|source| CodecError::Header { format, source })?;
        let ImageHeader { width, height, .. } = header;
        let pixels = u64::from(width) * u64::from(height);
        if limits.image_pixels < pixels {
            let limit = limits.image_pixels;
            return Err(CodecError::TooManyPixels { width, height, limit });
        }
        // The decoder of JPEG knows better what that means.
        if pixels == 0 && format != Format::Jpeg {
            return Err(CodecError::Empty { width, height });
        }
        Ok(Source { format, header, bytes, limits })
    }

    /// How many pixels it has, by its header.
    pub(super) fn pixels(&self) -> u64 {
        u64::from(self.header.width) * u64::from(self.header.height)
    }

    /// The format of the file.
    pub(super) fn format(&self) -> Format {
        self.format
    }

    /// Decodes the pixels. Sixteen bits a sample become eight, palettes become colours.
    pub(super) fn decode(self) -> Result<Raster, OperationError> {
        match self.format {
            Format::Jpeg => jpeg::decode(&self),
            Format::Tiff => tiff::decode(&self),
            Format::Bmp => {
                bmp::check(self.bytes)?;
                library::decode(&self, image::ImageFormat::Bmp)
            }
            Format::Png => library::decode(&self, image::ImageFormat::Png),
            // The decoder of GIF always makes an alpha band.
            Format::Gif => library::decode(&self, image::ImageFormat::Gif)?.without_opaque_alpha(),
        }
    }

    /// Fails where a decoder has found another size than the header has: limits were checked
    /// against that.
    fn check_size(&self, (width, height): (u32, u32)) -> Result<(), CodecError> {
        if (width, height) == (self.header.width, self.header.height) {
            return Ok(());
        }
        let found = format!("the size is `{width}x{height}` in a second place");
        let source = io::Error::new(io::ErrorKind::InvalidData, found);
        Err(CodecError::Header { format: self.format, source })
    }
}

/// Decodes an image whose format is known by its content, within `limits`.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, OperationError> {
    Source::open(bytes, limits).map_err(failed)?.decode()
}

/// Encodes `raster` as `format`. Alpha is dropped where the format has none.
pub(super) fn encode(raster: Raster, format: Format) -> Result<Vec<u8>, OperationError> {
    let raster = raster.for_format(format)?;
    match format {
        Format::Jpeg => jpeg::encode(raster),
        Format::Png => library::encode(&raster, format, library::png),
        Format::Bmp => library::encode(&raster, format, library::bmp),
        Format::Gif => library::encode(&raster, format, library::gif),
        Format::Tiff => library::encode(&raster, format, library::tiff),
    }
}

/// Why a codec has failed: `error`, unless it was stopped because the client is gone.
pub(super) fn failed(error: CodecError) -> OperationError {
    match checkpoint() {
        Ok(()) => error.into(),
        Err(abandoned) => abandoned.into(),
    }
}

// === impl CodecError ===

impl CodecError {
    pub(super) fn status(&self) -> u16 {
        match self {
            CodecError::UnknownFormat
            | CodecError::Header { .. }
            | CodecError::Unsupported { .. }
            | CodecError::Jpeg(_)
            | CodecError::Tiff(_)
            | CodecError::Library(_)
            | CodecError::Empty { .. } => 400,
            CodecError::TooManyPixels { .. } => 413,
            CodecError::Encode { .. } | CodecError::EncodeJpeg(_) => 422,
        }
    }
}
