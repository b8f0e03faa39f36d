//! JPEG files in and out, pixel for pixel and byte for byte as libjpeg does.
//!
//! The standard leaves decoders and encoders some freedom, and most use it: their pixels differ by
//! one here and there. What works on these pixels may amplify such a difference, so this crate
//! takes none of the freedom. [`decode`] gives the pixels of libjpeg-turbo 3 with its default
//! settings: the "islow" inverse DCT, "fancy" triangular upsampling, its colour conversion, its
//! smoothing of unfinished progressive files, and its ways with damaged files. [`encode`] gives
//! the bytes of libjpeg.
//!
//! # What is decoded
//!
//! Baseline, extended sequential and progressive files of 8 bits a sample, Huffman-coded, of 1, 3
//! or 4 components, in any number of scans and with any sampling factors that divide the largest
//! one. Everything else is refused with an error that says what it is. The result is gray or RGB;
//! four components are inks (CMYK, or YCCK), inverted where Adobe's marker says who wrote them.
//!
//! Where libjpeg warns and goes on, so does this decoder: what is missing is gray, what is between
//! two markers is skipped. Where libjpeg gives up, there is an error. Bytes behind the image are
//! not looked at.
//!
//! # What is encoded
//!
//! Baseline files of gray or of YCbCr in 4:2:0, with the standard's tables for a quality of 1 to
//! 100, in one scan.
//!
//! # Limits and checkpoints
//!
//! [`Limits`] are checked before their cost is paid. Both directions call back every few dozen
//! microseconds, and end early where the answer is [`Stopped`].
//!
//! ```no_run
//! use weighbridge_jpeg::{Image, Limits, Quality, decode, encode};
//!
//! let image = Image { width: 16, height: 9, bands: 3, samples: vec![200; 16 * 9 * 3] };
//! let file = encode(&image, Quality::default(), &mut || Ok(()))?;
//! let decoded = decode(&file, &Limits::default(), &mut || Ok(()))?;
//! assert_eq!(decoded, image);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod block;
mod lanes;
mod pace;
mod standard;
mod decode;
mod encode;

pub use decode::{DecodeError, Limits, Unsupported, decode, to_rgb};
pub use encode::{EncodeError, Quality, encode};
pub use weighbridge_image_header::jpeg::Header;
// This code is counted, and links only beside what counts.
pub use pace::{Checkpoint, Stopped};
use weighbridge_instrument as _;

/// Pixels: rows from the top, bands interleaved, 8 bits each.
///
/// There is one band of gray, or three of red, green and blue; `samples` has
/// `width * height * bands`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Columns, above zero.
    pub width: usize,
    /// Rows, above zero.
    pub height: usize,
    /// Samples of a pixel, 1 or 3.
    pub bands: usize,
    /// The samples.
    pub samples: Vec<u8>,
}
