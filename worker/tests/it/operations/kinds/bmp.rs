//! Bitmaps.

use super::{check_refused, check_row, pixels};

/// A bitmap of one row, but for what it is changed to.
struct Bitmap {
    header_bytes: u32,
    width: i32,
    height: i32,
    bits: u16,
    compression: u32,
    masks: Vec<u32>,
    palette: Vec<u8>,
    rows: Vec<u8>,
    /// Where the pixels begin, if not where they do.
    offset: Option<u32>,
}

impl Bitmap {
    fn new(width: i32, bits: u16, rows: &[u8]) -> Bitmap {
        Bitmap {
            header_bytes: 40,
            width,
            height: 1,
            bits,
            compression: 0,
            masks: Vec::new(),
            palette: Vec::new(),
            rows: rows.to_vec(),
            offset: None,
        }
    }

    fn file(&self) -> Vec<u8> {
        let mut header = self.header_bytes.to_le_bytes().to_vec();
        if self.header_bytes == 12 {
            header.extend((self.width as u16).to_le_bytes());
            header.extend((self.height as u16).to_le_bytes());
            header.extend([1, 0]);
            header.extend(self.bits.to_le_bytes());
        } else {
            header.extend(self.width.to_le_bytes());
            header.extend(self.height.to_le_bytes());
            header.extend([1, 0]);
            header.extend(self.bits.to_le_bytes());
            header.extend(self.compression.to_le_bytes());
            header.extend([0; 20]);
            header.extend(self.masks.iter().flat_map(|mask| mask.to_le_bytes()));
        }
        header.resize(header.len().max(self.header_bytes as usize), 0);
        let offset = self.offset.unwrap_or(14 + (header.len() + self.palette.len()) as u32);
        let mut file = b"BM\0\0\0\0\0\0\0\0".to_vec();
        file.extend(offset.to_le_bytes());
        [file, header, self.palette.clone(), self.rows.clone()].concat()
    }
}

/// Red, white and blue, as bitmaps have them.
const COLOURS: &[u8] = &[0, 0, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0];

const RED_WHITE_BLUE: [[u8; 3]; 3] = [[255, 0, 0], [255, 255, 255], [0, 0, 255]];

#[test]
fn headers_old_and_new_are_read() {
    let plain = Bitmap::new(3, 24, COLOURS);
    for header_bytes in [12, 40, 52, 56, 108, 124] {
        let file = Bitmap { header_bytes, ..Bitmap::new(3, 24, COLOURS) }.file();
        check_row(&format!("{header_bytes} bytes"), &file, &RED_WHITE_BLUE);
    }
    check_row("from the top", &Bitmap { height: -1, ..plain }.file(), &RED_WHITE_BLUE);
}

#[test]
fn rows_come_from_the_bottom_or_from_the_top() {
    let rows = [10, 20, 30, 0, 40, 50, 60, 0];
    let mut bitmap = Bitmap { height: 2, ..Bitmap::new(1, 24, &rows) };
    assert_eq!(pixels(&bitmap.file()).samples, [60, 50, 40, 30, 20, 10]);
    bitmap.height = -2;
    assert_eq!(pixels(&bitmap.file()).samples, [30, 20, 10, 60, 50, 40]);
}

#[test]
fn palettes_have_three_bytes_a_colour_or_four() {
    let four: Vec<u8> =
        COLOURS[..9].chunks(3).flat_map(|colour| [colour, &[0]].concat()).chain([0; 4]).collect();
    for (bits, row) in [(2, [0b0001_1000, 0, 0, 0]), (4, [0x01, 0x20, 0, 0]), (8, [0, 1, 2, 0])] {
        let mut palette = four.clone();
        palette.resize(4 << bits, 0);
        let file = Bitmap { palette, ..Bitmap::new(3, bits, &row) }.file();
        check_row(&format!("{bits} bits"), &file, &RED_WHITE_BLUE);
    }
    let mut palette = COLOURS.to_vec();
    palette.resize(3 << 4, 0);
    let old = Bitmap { header_bytes: 12, palette, ..Bitmap::new(3, 4, &[0x01, 0x20, 0, 0]) };
    check_row("of the old header", &old.file(), &RED_WHITE_BLUE);
    let palette = [0; 4].into_iter().chain([255; 4]).collect();
    let file = Bitmap { palette, ..Bitmap::new(3, 1, &[0b0100_0000, 0, 0, 0]) }.file();
    check_row("1 bit", &file, &[[0; 3], [255; 3], [0; 3]]);
}

#[test]
fn masks_tell_where_the_colours_are() {
    let row = [0x00, 0xF8, 0xFF, 0xFF, 0x1F, 0x00, 0, 0];
    let masks = vec![0xF800, 0x07E0, 0x001F];
    let file = Bitmap { compression: 3, masks, ..Bitmap::new(3, 16, &row) }.file();
    check_row("5, 6 and 5 bits", &file, &RED_WHITE_BLUE);
    let row = [0x00, 0x7C, 0xFF, 0x7F, 0x1F, 0x00, 0, 0];
    check_row("5 bits each", &Bitmap::new(3, 16, &row).file(), &RED_WHITE_BLUE);
    let masks = vec![0xFF00_0000, 0xFF_0000, 0xFF00, 0xFF];
    let row = [7, 30, 20, 10, 255, 0, 0, 255];
    let bitmap = Bitmap::new(2, 32, &row);
    let file = Bitmap { header_bytes: 108, compression: 3, masks, ..bitmap }.file();
    check_row("with alpha", &file, &[[10, 20, 30, 7], [255, 0, 0, 255]]);
}

#[test]
fn runs_are_read() {
    let mut palette: Vec<u8> =
        COLOURS[..9].chunks(3).flat_map(|colour| [colour, &[0]].concat()).collect();
    palette.resize(1024, 0);
    // Two of the first colour, then three as they are.
    let row = [2, 0, 0, 3, 1, 2, 1, 0, 0, 1];
    let file = Bitmap { compression: 1, palette, ..Bitmap::new(5, 8, &row) }.file();
    let [red, white, blue] = RED_WHITE_BLUE;
    check_row("RLE8", &file, &[red, red, white, blue, white]);
}

#[test]
fn pixels_do_not_begin_within_the_header() {
    for (offset, masks) in [(0, 0), (13, 0), (53, 0), (54, 3)] {
        let bitmap = Bitmap { offset: Some(offset), ..Bitmap::new(1, 32, &[1; 4]) };
        let masks = vec![0xFF; masks];
        let compression = if masks.is_empty() { 0 } else { 3 };
        check_refused(
            &Bitmap { compression, masks, ..bitmap }.file(),
            &format!("BMP files whose pixels begin at byte `{offset}`, within the header,"),
        );
    }
}

#[test]
fn what_is_not_supported_says_what_it_is() {
    let of = |bits, compression| Bitmap { compression, ..Bitmap::new(1, bits, &[0; 16]) }.file();
    check_refused(&of(64, 0), "BMP files of `64` bits a pixel");
    check_refused(&of(4, 1), "BMP files of `4` bits a pixel in RLE8");
    // Bit fields stand behind the header, where these pixels begin.
    let within = "BMP files whose pixels begin at byte `54`, within the header,";
    check_refused(&of(24, 3), within);
    check_refused(&of(0, 4), "BMP files that hold a JPEG file");
    check_refused(&of(0, 5), "BMP files that hold a PNG file");
    check_refused(&of(32, 11), "BMP files of the colours CMYK");
    check_refused(&of(32, 9), "BMP files of the compression `9`");
    let os2 = Bitmap { header_bytes: 64, ..Bitmap::new(1, 24, &[0; 16]) };
    check_refused(&os2.file(), "BMP files with a header of `64` bytes");
}
