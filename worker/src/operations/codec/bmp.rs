//! Kinds of bitmaps that the `image` crate misreads or refuses without saying much.

use std::io::Cursor;

use weighbridge_image_header::{BmpHeader, Compression};

use super::{CodecError, Format};
use crate::operations::OperationError;

const SUPPORTED: &str = "those of 1, 2, 4, 8, 16, 24 and 32 bits a pixel without compression, \
                         RLE4, RLE8 and bit fields, with headers of 12, 40, 52, 56, 108 and 124 \
                         bytes";

/// The sizes of headers that are read.
const HEADER_BYTES: [u32; 6] = [12, 40, 52, 56, 108, 124];

/// Fails where a file would not be decoded right.
pub(super) fn check(bytes: &[u8]) -> Result<(), OperationError> {
    let header = BmpHeader::read(&mut Cursor::new(bytes))
        .map_err(|source| CodecError::Header { format: Format::Bmp, source })?;
    match unsupported(&header) {
        None => Ok(()),
        Some(kind) => {
            let format = Format::Bmp;
            Err(CodecError::Unsupported { format, kind, supported: SUPPORTED }.into())
        }
    }
}

/// What kind of file it is, where that is not read.
fn unsupported(header: &BmpHeader) -> Option<String> {
    let BmpHeader { bits, compression, pixels_at, header_bytes, .. } = *header;
    if !HEADER_BYTES.contains(&header_bytes) {
        return Some(format!("with a header of `{header_bytes}` bytes"));
    }
    // Its first pixels would be its header.
    if u64::from(pixels_at) < header.end() {
        return Some(format!("whose pixels begin at byte `{pixels_at}`, within the header,"));
    }
    match (compression, bits) {
        (Compression::None, 1 | 2 | 4 | 8 | 16 | 24 | 32)
        | (Compression::Rle8, 8)
        | (Compression::Rle4, 4)
        | (Compression::BitFields, 16 | 32) => None,
        (Compression::None, _) => Some(format!("of `{bits}` bits a pixel")),
        (Compression::Rle8, _) => Some(format!("of `{bits}` bits a pixel in RLE8")),
        (Compression::Rle4, _) => Some(format!("of `{bits}` bits a pixel in RLE4")),
        (Compression::BitFields, _) => Some(format!("of `{bits}` bits a pixel in bit fields")),
        (Compression::Other(4), _) => Some("that hold a JPEG file".to_owned()),
        (Compression::Other(5), _) => Some("that hold a PNG file".to_owned()),
        (Compression::Other(11..=13), _) => Some("of the colours CMYK".to_owned()),
        (Compression::Other(number), _) => Some(format!("of the compression `{number}`")),
    }
}
