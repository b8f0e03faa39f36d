//! Windows bitmaps: 24 bits a pixel, uncompressed, rows from the bottom.

/// Bytes in front of the pixels.
const HEADER_BYTES: usize = 54;

/// Encodes `pixels`: rows from the top, red, green, blue.
pub(super) fn encode(width: usize, height: usize, pixels: &[[u8; 3]]) -> Vec<u8> {
    debug_assert_eq!(pixels.len(), width * height, "there are all pixels");

    let row_bytes = (width * 3).next_multiple_of(4);
    let mut file = Vec::with_capacity(HEADER_BYTES + row_bytes * height);
    put_header(&mut file, width, height, row_bytes * height);
    for row in pixels.chunks_exact(width).rev() {
        file.extend(row.iter().flat_map(|&[red, green, blue]| [blue, green, red]));
        file.resize((file.len() - HEADER_BYTES).next_multiple_of(row_bytes) + HEADER_BYTES, 0);
    }
    file
}

fn put_header(file: &mut Vec<u8>, width: usize, height: usize, pixel_bytes: usize) {
    let mut put = |value: usize, bytes: usize| {
        file.extend_from_slice(&(value as u64).to_le_bytes()[..bytes]);
    };
    put(usize::from(u16::from_le_bytes(*b"BM")), 2);
    put(HEADER_BYTES + pixel_bytes, 4);
    put(0, 4); // reserved
    put(HEADER_BYTES, 4);
    put(40, 4); // bytes of what follows
    put(width, 4);
    put(height, 4);
    put(1, 2); // planes
    put(24, 2); // bits a pixel
    put(0, 4); // not compressed
    put(pixel_bytes, 4);
    put(0, 8); // no resolution
    put(0, 8); // no palette
}
