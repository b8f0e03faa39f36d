//! Decodes the common JPEG files exactly as the reference software (libjpeg) does.
//!
//! The standard leaves decoders some freedom, and most use it: their pixels differ by one here and
//! there. Local equalisation makes such differences visible in smooth areas, where what is one
//! level brighter is brighter than half of the window. So what matters here is the exact "islow"
//! inverse DCT, the "fancy" triangular upsampling and the colour conversion of libjpeg.
//!
//! Files of other kinds (arithmetic coding, 12 bits, CMYK, RGB, unusual subsampling) and damaged
//! files are left to the `image` crate: [`decode`] has nothing to say of them.

use weighbridge_instrument::Abandoned;

use self::frame::{Frame, Layout};
use self::scan::{Scan, Tables};
use super::Raster;

mod frame;
mod huffman;
mod bits;
mod scan;
mod idct;
mod upsample;

/// Scans of a file. A scan takes time for every pixel, but nearly no bytes.
const SCANS_MAX: usize = 100;

/// Why a file is not decoded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// It is damaged, or of a kind that is left to others.
    Unusual,
    /// Nobody wants it any more.
    Abandoned,
}

/// The pixels of `file`, which has the dimensions `size`; `None` where it is left to others.
pub(super) fn decode(file: &[u8], size: (usize, usize)) -> Result<Option<Raster>, Abandoned> {
    match try_decode(file, size) {
        Ok(raster) => Ok(Some(raster)),
        Err(Refusal::Unusual) => Ok(None),
        Err(Refusal::Abandoned) => Err(Abandoned),
    }
}

fn try_decode(file: &[u8], size: (usize, usize)) -> Result<Raster, Refusal> {
    let mut rest = file.strip_prefix(&[0xFF, 0xD8]).ok_or(Refusal::Unusual)?;
    let mut tables = Tables::default();
    let mut layout = Layout::default();
    let mut frame: Option<Frame> = None;
    let mut scans = 0;
    loop {
        let (marker, after) = next_marker(rest)?;
        if marker == 0xD9 {
            break;
        }
        let (segment, after) = split_segment(after)?;
        rest = after;
        match marker {
            0xC0..=0xC2 if frame.is_none() => {
                frame = Some(Frame::parse(segment, marker == 0xC2, size)?);
            }
            0xC4 => tables.define_huffman(segment)?,
            0xDB => tables.define_quantization(segment)?,
            0xDD => tables.define_restarts(segment)?,
            0xDA if scans < SCANS_MAX => {
                scans += 1;
                let frame = frame.as_mut().ok_or(Refusal::Unusual)?;
                rest = Scan::parse(segment, frame, &tables)?.decode(after)?;
            }
            0xE0 | 0xEE => layout.note(marker, segment),
            // Comments, and what applications add.
            0xE1..=0xEF | 0xFE => {}
            _ => return Err(Refusal::Unusual),
        }
    }
    let frame = frame.ok_or(Refusal::Unusual)?;
    if !layout.is_ycc(&frame) || !frame.is_complete() {
        return Err(Refusal::Unusual);
    }
    upsample::raster(&frame.planes()?, size)
}

/// The next marker, and what follows it.
fn next_marker(bytes: &[u8]) -> Result<(u8, &[u8]), Refusal> {
    let fill = bytes.iter().take_while(|&&byte| byte == 0xFF).count();
    match bytes.get(fill) {
        Some(&marker) if 0 < fill => Ok((marker, &bytes[fill + 1..])),
        _ => Err(Refusal::Unusual),
    }
}

/// The payload of a segment, and what follows it.
fn split_segment(bytes: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let (length, _) = bytes.split_first_chunk().ok_or(Refusal::Unusual)?;
    let (segment, after) =
        bytes.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(Refusal::Unusual)?;
    Ok((segment.get(2..).ok_or(Refusal::Unusual)?, after))
}

impl From<Abandoned> for Refusal {
    fn from(_: Abandoned) -> Refusal {
        Refusal::Abandoned
    }
}

#[cfg(test)]
mod tests;
