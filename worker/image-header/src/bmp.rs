//! The header of a Windows bitmap.

use std::io::{BufRead, ErrorKind, Result, Seek};

/// Bytes before the header proper.
const FILE_HEADER_BYTES: u32 = 14;

/// The header of OS/2 1.x, with sizes of 16 bits.
const CORE_BYTES: u32 = 12;

/// The header that has no masks of its own: three stand behind it.
const WITHOUT_MASKS_BYTES: u32 = 40;
const MASKS_BYTES: u64 = 12;

/// The header that has masks of its own, the fourth for alpha.
const WITH_ALPHA_BYTES: u32 = 56;

/// How the pixels are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    None,
    /// Runs of indices of 8 bits.
    Rle8,
    /// Runs of indices of 4 bits.
    Rle4,
    /// As they are, with masks that say where each colour is.
    BitFields,
    /// Something else, by its number.
    Other(u32),
}

/// What a bitmap says before its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BmpHeader {
    /// Columns.
    pub width: u32,
    /// Rows, whether from the bottom or from the top.
    pub height: u32,
    /// Bits of a pixel.
    pub bits: u16,
    /// How the pixels are stored.
    pub compression: Compression,
    /// Where in the file the pixels begin.
    pub pixels_at: u32,
    /// Bytes of the header proper, which says what kind of header it is.
    pub header_bytes: u32,
    /// Which bits of a pixel are alpha; 0 where none are.
    pub alpha_mask: u32,
}

// === impl BmpHeader ===

impl BmpHeader {
    /// Reads the header of a bitmap, from the beginning of the file.
    ///
    /// # Errors
    ///
    /// Fails where `reader` does, and with [`ErrorKind::InvalidData`] where the file is no bitmap
    /// or its header has no known form.
    pub fn read(reader: &mut (impl BufRead + Seek)) -> Result<BmpHeader> {
        let [b, m] = read(reader)?;
        let [_, _, pixels_at, header_bytes] = numbers(reader)?;
        if [b, m] != *b"BM" || header_bytes < CORE_BYTES {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut header = BmpHeader {
            width: 0,
            height: 0,
            bits: 0,
            compression: Compression::None,
            pixels_at,
            header_bytes,
            alpha_mask: 0,
        };
        if header_bytes == CORE_BYTES {
            let [width, height, _, bits] = shorts(reader)?;
            (header.width, header.height, header.bits) = (width.into(), height.into(), bits);
            return Ok(header);
        }
        let [width, height] = numbers(reader)?;
        let [_, bits] = shorts(reader)?;
        let [compression, ..] = numbers::<6>(reader)?;
        header.width = u32::try_from(width.cast_signed()).map_err(|_| ErrorKind::InvalidData)?;
        header.height = height.cast_signed().unsigned_abs();
        (header.bits, header.compression) = (bits, Compression::from_number(compression));
        if WITH_ALPHA_BYTES <= header_bytes && header.compression == Compression::BitFields {
            let [.., alpha_mask] = numbers::<4>(reader)?;
            header.alpha_mask = alpha_mask;
        }
        Ok(header)
    }

    /// Bands of colour once decoded, alpha included.
    pub fn channels(&self) -> u8 {
        if self.alpha_mask == 0 { 3 } else { 4 }
    }

    /// The first byte that can be a pixel's, or a colour's of a palette.
    pub fn end(&self) -> u64 {
        let has_masks_behind =
            self.compression == Compression::BitFields && self.header_bytes == WITHOUT_MASKS_BYTES;
        let masks = if has_masks_behind { MASKS_BYTES } else { 0 };
        u64::from(FILE_HEADER_BYTES) + u64::from(self.header_bytes) + masks
    }
}

// === impl Compression ===

impl Compression {
    fn from_number(number: u32) -> Compression {
        match number {
            0 => Compression::None,
            1 => Compression::Rle8,
            2 => Compression::Rle4,
            3 => Compression::BitFields,
            other => Compression::Other(other),
        }
    }
}

fn read<const N: usize>(reader: &mut impl BufRead) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn numbers<const N: usize>(reader: &mut impl BufRead) -> Result<[u32; N]> {
    let mut numbers = [0; N];
    for number in &mut numbers {
        *number = u32::from_le_bytes(read(reader)?);
    }
    Ok(numbers)
}

fn shorts<const N: usize>(reader: &mut impl BufRead) -> Result<[u16; N]> {
    let mut shorts = [0; N];
    for short in &mut shorts {
        *short = u16::from_le_bytes(read(reader)?);
    }
    Ok(shorts)
}
