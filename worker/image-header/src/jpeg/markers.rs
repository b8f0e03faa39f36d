//! Markers, and how to find the next one.

use std::io::{BufRead, ErrorKind, Result};

/// For temporary use in arithmetic coding.
pub const TEM: u8 = 0x01;
/// The frame headers are at this and the following fifteen, but for [`DHT`], [`JPG`] and [`DAC`].
pub const SOF0: u8 = 0xC0;
/// The frame header of progressive files.
pub const SOF2: u8 = 0xC2;
/// The frame header of lossless files.
pub const SOF3: u8 = 0xC3;
/// Huffman tables.
pub const DHT: u8 = 0xC4;
/// Reserved.
pub const JPG: u8 = 0xC8;
/// Arithmetic coding conditions.
pub const DAC: u8 = 0xCC;
/// The last of the frame headers.
pub const SOF15: u8 = 0xCF;
/// The restarts are this and the following seven.
pub const RST0: u8 = 0xD0;
/// The last of the restarts.
pub const RST7: u8 = 0xD7;
/// The start of an image.
pub const SOI: u8 = 0xD8;
/// The end of an image.
pub const EOI: u8 = 0xD9;
/// The start of a scan.
pub const SOS: u8 = 0xDA;
/// Quantization tables.
pub const DQT: u8 = 0xDB;
/// The number of lines.
pub const DNL: u8 = 0xDC;
/// The restart interval.
pub const DRI: u8 = 0xDD;
/// A hierarchical progression.
pub const DHP: u8 = 0xDE;
/// Reference components that are expanded.
pub const EXP: u8 = 0xDF;
/// The first of the application segments: JFIF.
pub const APP0: u8 = 0xE0;
/// Adobe's application segment.
pub const APP14: u8 = 0xEE;
/// The last of the application segments.
pub const APP15: u8 = 0xEF;
/// The frame header of JPEG-LS.
pub const SOF55: u8 = 0xF7;
/// A comment.
pub const COM: u8 = 0xFE;

/// Whether `marker` begins a frame.
pub fn is_frame(marker: u8) -> bool {
    matches!(marker, SOF0..=SOF15 | SOF55) && !matches!(marker, DHT | JPG | DAC)
}

/// Whether nothing belongs to `marker`.
pub fn stands_alone(marker: u8) -> bool {
    matches!(marker, TEM | RST0..=RST7)
}

/// Reads on to the next marker and behind it. What lies between is skipped; `None` at the end.
pub fn next_marker(reader: &mut impl BufRead) -> Result<Option<u8>> {
    let mut after_ff = false;
    loop {
        let bytes = match reader.fill_buf() {
            Ok([]) => return Ok(None),
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if !after_ff {
            let skipped = bytes.iter().position(|&byte| byte == 0xFF);
            after_ff = skipped.is_some();
            let read = skipped.map_or(bytes.len(), |skipped| skipped + 1);
            reader.consume(read);
            continue;
        }
        let code = bytes[0];
        reader.consume(1);
        match code {
            // Filling.
            0xFF => {}
            // A byte of data.
            0 => after_ff = false,
            _ => return Ok(Some(code)),
        }
    }
}
