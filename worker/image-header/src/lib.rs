//! Format and size of an image from its first bytes, never decoded.
//!
//! The balancer estimates a request by this size, and the worker checks its limits against it: both
//! read it here, so they cannot disagree. PNG, GIF, TIFF and WebP are left to `imagesize`; JPEG and
//! BMP have kinds that it misreads.

use std::io::{BufRead, ErrorKind, Result, Seek, SeekFrom};

use imagesize::ImageType;

mod bmp;
pub mod jpeg;

pub use bmp::{BmpHeader, Compression};

/// Bytes that tell the format.
const MAGIC_BYTES: usize = 16;

/// A file format that is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// Windows bitmap.
    Bmp,
    /// GIF.
    Gif,
    /// TIFF.
    Tiff,
    /// WebP.
    WebP,
}

/// What an image says before its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageHeader {
    /// The format of the file.
    pub format: Format,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bands of colour, alpha included. Where only the pixels would tell, it is the usual number.
    pub channels: u8,
}

// === impl Format ===

impl Format {
    /// The format of a file that begins with `start`.
    pub fn of(start: &[u8]) -> Option<Format> {
        let mut padded = [0; MAGIC_BYTES];
        let n = start.len().min(MAGIC_BYTES);
        padded[..n].copy_from_slice(&start[..n]);
        match imagesize::image_type(&padded).ok()? {
            ImageType::Jpeg => Some(Format::Jpeg),
            ImageType::Png => Some(Format::Png),
            ImageType::Bmp => Some(Format::Bmp),
            ImageType::Gif => Some(Format::Gif),
            ImageType::Tiff => Some(Format::Tiff),
            ImageType::Webp => Some(Format::WebP),
            _ => None,
        }
    }
}

// === impl ImageHeader ===

impl ImageHeader {
    /// Reads the header of a file, from its beginning.
    ///
    /// # Errors
    ///
    /// Fails where `reader` does, and with [`ErrorKind::InvalidData`] where the format is not
    /// recognised or the header is damaged.
    pub fn read(reader: &mut (impl BufRead + Seek)) -> Result<ImageHeader> {
        let mut start = [0; MAGIC_BYTES];
        reader.read_exact(&mut start)?;
        let format = Format::of(&start).ok_or(ErrorKind::InvalidData)?;
        reader.seek(SeekFrom::Start(0))?;
        match format {
            Format::Jpeg => {
                let header = jpeg::Header::read(reader)?;
                let (width, height) = (header.width.into(), header.height.into());
                Ok(ImageHeader { format, width, height, channels: header.components })
            }
            Format::Bmp => {
                let header = BmpHeader::read(reader)?;
                let (width, height, channels) = (header.width, header.height, header.channels());
                Ok(ImageHeader { format, width, height, channels })
            }
            Format::Png => measure(reader, format, ImageType::Png),
            Format::Gif => measure(reader, format, ImageType::Gif),
            Format::Tiff => measure(reader, format, ImageType::Tiff),
            Format::WebP => {
                // Its reader goes on behind the name of the first chunk's format.
                reader.seek(SeekFrom::Start(12))?;
                measure(reader, format, ImageType::Webp)
            }
        }
    }
}

fn measure(
    reader: &mut (impl BufRead + Seek),
    format: Format,
    kind: ImageType,
) -> Result<ImageHeader> {
    let size = kind.reader_size(reader).map_err(|_| ErrorKind::InvalidData)?;
    let side = |side: usize| u32::try_from(side).map_err(|_| ErrorKind::InvalidData);
    let channels = match format {
        Format::Png => match byte_at(reader, 25)? {
            0 => 1,
            4 => 2,
            6 => 4,
            _ => 3,
        },
        // Its decoders always make an alpha band.
        Format::Gif => 4,
        Format::Jpeg | Format::Bmp | Format::Tiff | Format::WebP => 3,
    };
    Ok(ImageHeader { format, width: side(size.width)?, height: side(size.height)?, channels })
}

fn byte_at(reader: &mut (impl BufRead + Seek), at: u64) -> Result<u8> {
    let mut byte = [0];
    reader.seek(SeekFrom::Start(at))?;
    reader.read_exact(&mut byte)?;
    Ok(byte[0])
}
