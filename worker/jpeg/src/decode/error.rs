//! Why a file cannot be decoded.

use thiserror::Error;

use crate::pace::Stopped;
use weighbridge_image_header::jpeg::markers::{DAC, DHP, EXP, SOF3, SOF55};

/// Why a file cannot be decoded. All but [`DecodeError::Stopped`] are about the file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The first bytes are not those of a JPEG file.
    #[error("the file does not begin as a JPEG file does")]
    NotJpeg,
    /// It may be in order, but is of a kind that is not decoded.
    #[error(
        "JPEG files {0} are not supported; supported are baseline, extended sequential and \
         progressive ones, Huffman-coded, with 8 bits a sample and 1, 3 or 4 components"
    )]
    Unsupported(Unsupported),
    /// It contradicts itself or the standard.
    #[error("the JPEG file is damaged: {0}")]
    Damaged(&'static str),
    /// It has more pixels than the limit allows.
    #[error("the image has `{width}x{height}` pixels, the limit is `{limit}` in all")]
    TooManyPixels {
        /// Columns.
        width: u16,
        /// Rows.
        height: u16,
        /// [`Limits::pixels`].
        limit: u64,
    },
    /// It has more scans than the limit allows.
    #[error("the JPEG file has more than `{0}` scans")]
    TooManyScans(usize),
    /// The result is no longer wanted.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// A kind of file that is not decoded. Its text goes on from "files".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unsupported {
    /// Arithmetic coding in place of Huffman codes.
    #[error("with arithmetic coding")]
    Arithmetic,
    /// Lossless: prediction in place of the cosine transform.
    #[error("without loss (the lossless process)")]
    Lossless,
    /// JPEG-LS, which is another format within the same markers.
    #[error("of the JPEG-LS format")]
    JpegLs,
    /// A pyramid of images, each the difference to the one before.
    #[error("in a hierarchy of sizes")]
    Hierarchical,
    /// Any number of bits but 8.
    #[error("with `{0}` bits a sample")]
    Precision(u8),
    /// A number of components whose colours are not known.
    #[error("with `{0}` components")]
    Components(u8),
    /// Sampling factors of which one does not divide the largest.
    #[error("with sampling factors that do not divide the largest one")]
    FractionalSampling,
    /// The number of rows stands behind the pixels.
    #[error("that tell their height behind the pixels")]
    LateHeight,
}

/// What one file may cost at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Pixels, read from the header before any is decoded.
    pub pixels: u64,
    /// Scans. One takes time for every pixel, but nearly no bytes.
    pub scans: usize,
}

impl Default for Limits {
    /// 64 Mi pixels in 100 scans.
    fn default() -> Limits {
        Limits { pixels: 64 << 20, scans: 100 }
    }
}

impl Unsupported {
    /// The kind of file that `marker` is for; `None` where it is for none.
    pub(super) fn by_marker(marker: u8) -> Option<Unsupported> {
        match marker {
            SOF3 => Some(Unsupported::Lossless),
            0xC5..=0xC7 | 0xCD..=0xCF | DHP | EXP => Some(Unsupported::Hierarchical),
            0xC9..=0xCB | DAC => Some(Unsupported::Arithmetic),
            SOF55 => Some(Unsupported::JpegLs),
            _ => None,
        }
    }
}

impl From<Unsupported> for DecodeError {
    fn from(kind: Unsupported) -> DecodeError {
        DecodeError::Unsupported(kind)
    }
}
