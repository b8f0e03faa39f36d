//! JPEG: the size of an image, from the header of its frame.

pub mod markers;

use std::io::{BufRead, Error, ErrorKind, Result, Seek, SeekFrom};

use markers::{EOI, SOI, SOS, is_frame, next_marker, stands_alone};

/// What the header of a frame says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Columns.
    pub width: u16,
    /// Rows; zero where they are said behind the pixels only.
    pub height: u16,
    /// Components, which become gray or RGB.
    pub components: u8,
    /// Bits of a sample.
    pub precision: u8,
}

impl Header {
    /// Reads the header of a file and no pixel of it. The markers are found as the decoder
    /// finds them.
    ///
    /// # Errors
    ///
    /// Fails where `reader` does, and with [`ErrorKind::InvalidData`] where there is no frame.
    pub fn read(reader: &mut (impl BufRead + Seek)) -> Result<Header> {
        let mut start = [0; 2];
        reader.read_exact(&mut start)?;
        if start != [0xFF, SOI] {
            return Err(ErrorKind::InvalidData.into());
        }
        while let Some(marker) = next_marker(reader)? {
            if stands_alone(marker) {
                continue;
            }
            let mut length = [0; 2];
            reader.read_exact(&mut length)?;
            if is_frame(marker) {
                let mut fields = [0; 6];
                reader.read_exact(&mut fields)?;
                return Ok(Header::parse(fields));
            }
            if matches!(marker, SOI | EOI | SOS) {
                break;
            }
            let length = u16::from_be_bytes(length).saturating_sub(2);
            reader.seek(SeekFrom::Current(length.into()))?;
        }
        Err(Error::new(ErrorKind::InvalidData, "the file has no frame"))
    }

    /// Reads the first fields of a frame.
    pub fn parse([precision, h0, h1, w0, w1, components]: [u8; 6]) -> Header {
        let (height, width) = (u16::from_be_bytes([h0, h1]), u16::from_be_bytes([w0, w1]));
        Header { width, height, components, precision }
    }
}
