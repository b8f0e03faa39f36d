//! Files in.

use self::bits::Bits;
use self::error::Unsupported as Kind;
use self::frame::Frame;
use self::layout::Layout;
use self::scan::Scan;
use self::tables::Tables;
use crate::Image;
use crate::pace::{Checkpoint, Pace};
use weighbridge_image_header::jpeg::markers::{
    APP0, APP15, COM, DHT, DNL, DQT, DRI, EOI, SOF0, SOF2, SOI, SOS, next_marker, stands_alone,
};

mod error;
mod layout;
mod bits;
mod huffman;
mod tables;
mod frame;
mod scan;
mod passes;
mod smooth;
mod idct;
mod upsample;
mod colour;

pub use colour::to_rgb;
pub use error::{DecodeError, Limits, Unsupported};

/// The pixels of `file`.
///
/// # Errors
///
/// See [`DecodeError`]: the file is damaged so that libjpeg would give up, of a kind that is not
/// decoded, or over a limit; or `checkpoint` has said that the pixels are no longer wanted.
pub fn decode(
    file: &[u8],
    limits: &Limits,
    checkpoint: &mut Checkpoint<'_>,
) -> Result<Image, DecodeError> {
    let mut decoder = Decoder {
        limits,
        pace: Pace::new(checkpoint),
        tables: Tables::default(),
        layout: Layout::default(),
        frame: None,
        scans: 0,
    };
    decoder.read(file)?;
    decoder.finish()
}

struct Decoder<'a> {
    limits: &'a Limits,
    pace: Pace<'a>,
    tables: Tables,
    layout: Layout,
    frame: Option<Frame>,
    scans: usize,
}

// === impl Decoder ===

impl Decoder<'_> {
    /// Reads up to the end of the image or of the file.
    fn read(&mut self, file: &[u8]) -> Result<(), DecodeError> {
        let mut rest = file.strip_prefix(&[0xFF, SOI]).ok_or(DecodeError::NotJpeg)?;
        // Slices are read without errors.
        while let Some(marker) = next_marker(&mut rest).ok().flatten() {
            if stands_alone(marker) {
                continue;
            }
            match marker {
                EOI => break,
                SOI => return Err(DecodeError::Damaged("it begins a second time")),
                _ => {}
            }
            // What was cut off is the end, as if it were marked.
            let Some((segment, after)) = split_segment(marker, rest)? else { break };
            rest = after;
            if marker != SOS {
                self.segment(marker, segment)?;
                continue;
            }
            let Some(after) = self.scan(segment, after)? else { break };
            rest = after;
        }
        Ok(())
    }

    fn segment(&mut self, marker: u8, segment: &[u8]) -> Result<(), DecodeError> {
        match marker {
            SOF0..=SOF2 => {
                if self.frame.is_some() {
                    return Err(DecodeError::Damaged("it has several frames"));
                }
                let progressive = marker == SOF2;
                self.frame = Some(Frame::parse(segment, progressive, self.limits)?);
                Ok(())
            }
            DHT => self.tables.define_huffman(segment),
            DQT => self.tables.define_quantization(segment),
            DRI => self.tables.define_restarts(segment),
            APP0..=APP15 => {
                self.layout.note(marker, segment);
                Ok(())
            }
            DNL | COM => Ok(()),
            _ => Err(Kind::by_marker(marker)
                .map_or(DecodeError::Damaged("it has an unknown marker"), DecodeError::from)),
        }
    }

    /// Decodes a scan, and returns what follows it; `None` where the image is complete.
    fn scan<'f>(
        &mut self,
        segment: &[u8],
        bytes: &'f [u8],
    ) -> Result<Option<&'f [u8]>, DecodeError> {
        let frame = self.frame.as_mut().ok_or(DecodeError::Damaged("a scan has no frame"))?;
        if self.limits.scans <= self.scans {
            return Err(DecodeError::TooManyScans(self.limits.scans));
        }
        self.scans += 1;
        if self.scans == 1 && !frame.progressive {
            self.tables.fill_in();
        }
        let scan = Scan::parse(segment, frame, &self.tables)?;
        let is_only_scan = self.scans == 1 && scan.is_whole(frame);
        if self.scans == 1 {
            frame.allocate(is_only_scan);
        }
        let mut bits = Bits::new(bytes);
        scan.decode(frame, &mut bits, &mut self.pace)?;
        Ok((!is_only_scan).then(|| bits.rest()))
    }

    /// From coefficients to pixels.
    fn finish(mut self) -> Result<Image, DecodeError> {
        let frame = self.frame.ok_or(DecodeError::Damaged("it ends before its image begins"))?;
        if self.scans == 0 {
            return Err(DecodeError::Damaged("it ends before its image begins"));
        }
        let colours = self.layout.colours(&frame)?;
        let (size, planes) = (frame.size, frame.planes(self.scans, &mut self.pace)?);
        upsample::image(&planes, size, colours, &mut self.pace).map_err(DecodeError::from)
    }
}

/// The payload of a segment, and what follows it.
type Segment<'a> = (&'a [u8], &'a [u8]);

/// The segment of `marker`; `None` where it was cut off.
fn split_segment(marker: u8, bytes: &[u8]) -> Result<Option<Segment<'_>>, DecodeError> {
    let Some((length, after)) = bytes.split_first_chunk() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes(*length));
    let payload = match length.checked_sub(2) {
        Some(payload) => payload,
        // Read over by libjpeg where the payload does not matter.
        None if matches!(marker, APP0..=APP15 | COM | DNL) => 0,
        None => return Err(DecodeError::Damaged("a segment is shorter than its length")),
    };
    Ok(after.split_at_checked(payload))
}
