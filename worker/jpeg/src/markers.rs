//! Markers, and how to find the next one.

use std::io::{BufRead, ErrorKind, Result};

pub(crate) const TEM: u8 = 0x01;
/// The frame headers are at this and the following fifteen, but for [`DHT`], [`JPG`] and [`DAC`].
pub(crate) const SOF0: u8 = 0xC0;
pub(crate) const SOF2: u8 = 0xC2;
pub(crate) const SOF3: u8 = 0xC3;
pub(crate) const DHT: u8 = 0xC4;
pub(crate) const JPG: u8 = 0xC8;
pub(crate) const DAC: u8 = 0xCC;
pub(crate) const SOF15: u8 = 0xCF;
/// The restarts are this and the following seven.
pub(crate) const RST0: u8 = 0xD0;
pub(crate) const RST7: u8 = 0xD7;
pub(crate) const SOI: u8 = 0xD8;
pub(crate) const EOI: u8 = 0xD9;
pub(crate) const SOS: u8 = 0xDA;
pub(crate) const DQT: u8 = 0xDB;
pub(crate) const DNL: u8 = 0xDC;
pub(crate) const DRI: u8 = 0xDD;
pub(crate) const DHP: u8 = 0xDE;
pub(crate) const EXP: u8 = 0xDF;
pub(crate) const APP0: u8 = 0xE0;
pub(crate) const APP14: u8 = 0xEE;
pub(crate) const APP15: u8 = 0xEF;
/// The frame header of JPEG-LS.
pub(crate) const SOF55: u8 = 0xF7;
pub(crate) const COM: u8 = 0xFE;

/// Whether `marker` begins a frame.
pub(crate) fn is_frame(marker: u8) -> bool {
    matches!(marker, SOF0..=SOF15 | SOF55) && !matches!(marker, DHT | JPG | DAC)
}

/// Whether nothing belongs to `marker`.
pub(crate) fn stands_alone(marker: u8) -> bool {
    matches!(marker, TEM | RST0..=RST7)
}

/// Reads on to the next marker and behind it. What lies between is skipped; `None` at the end.
pub(crate) fn next_marker(reader: &mut impl BufRead) -> Result<Option<u8>> {
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
