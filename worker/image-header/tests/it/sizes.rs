//! Sizes of files whose sizes are easily misread.

use std::io::Cursor;

use weighbridge_image_header::{BmpHeader, Compression, Format, ImageHeader};

fn header(file: &[u8]) -> ImageHeader {
    ImageHeader::read(&mut Cursor::new(file)).unwrap()
}

/// Format, columns, rows and channels, as a line of text.
fn text(file: &[u8]) -> String {
    let ImageHeader { format, width, height, channels } = header(file);
    format!("{format:?} {width}x{height} {channels}")
}

/// A bitmap up to its pixels.
fn bmp(header: &[&[u8]]) -> Vec<u8> {
    let mut file = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0".to_vec();
    for part in header {
        file.extend(*part);
    }
    file.resize(file.len() + 128, 0);
    file
}

fn info(width: i32, height: i32, bits: u16, compression: u32) -> Vec<u8> {
    let mut header = width.to_le_bytes().to_vec();
    header.extend(height.to_le_bytes());
    header.extend([1, 0]);
    header.extend(bits.to_le_bytes());
    header.extend(compression.to_le_bytes());
    header.extend([0; 20]);
    header
}

#[test]
fn bitmaps_have_any_header_and_order_of_rows() {
    let plain = info(300, 200, 24, 0);
    assert_eq!(text(&bmp(&[&[40, 0, 0, 0], &plain])), "Bmp 300x200 3");
    assert_eq!(text(&bmp(&[&[40, 0, 0, 0], &info(300, -200, 24, 0)])), "Bmp 300x200 3");
    assert_eq!(text(&bmp(&[&[124, 0, 0, 0], &plain])), "Bmp 300x200 3");
    assert_eq!(text(&bmp(&[&[12, 0, 0, 0], &[44, 1, 200, 0, 1, 0, 24, 0]])), "Bmp 300x200 3");
    let lowest = info(1, i32::MIN, 24, 0);
    assert_eq!(text(&bmp(&[&[40, 0, 0, 0], &lowest])), "Bmp 1x2147483648 3");
}

#[test]
fn bitmaps_have_alpha_where_a_mask_says_so() {
    let masks = [0x00FF_0000_u32, 0xFF00, 0xFF, 0xFF00_0000].map(u32::to_le_bytes);
    let file = bmp(&[&[56, 0, 0, 0], &info(3, 2, 32, 3), masks.as_flattened()]);
    assert_eq!(text(&file), "Bmp 3x2 4");
    let bitmap = BmpHeader::read(&mut Cursor::new(&file)).unwrap();
    assert_eq!((bitmap.compression, bitmap.bits), (Compression::BitFields, 32));
    assert_eq!((bitmap.pixels_at, bitmap.end()), (54, 70));
    assert_eq!(text(&bmp(&[&[40, 0, 0, 0], &info(3, 2, 32, 0)])), "Bmp 3x2 3");
}

#[test]
fn a_bitmap_is_not_wide_below_zero() {
    for file in [
        bmp(&[&[40, 0, 0, 0], &info(-1, 1, 24, 0)]),
        bmp(&[&[11, 0, 0, 0], &info(1, 1, 24, 0)]),
        b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01".to_vec(),
    ] {
        assert!(ImageHeader::read(&mut Cursor::new(file)).is_err());
    }
}

#[test]
fn jpeg_may_have_filling_between_its_markers() {
    let frame = b"\xFF\xC0\0\x11\x08\0\xC8\x01\x2C\x03\x01\x22\0\x02\x11\x01\x03\x11\x01";
    for between in
        [&b""[..], b"\xFF\xFF\xFF", b"\xFF\xE1\0\x06\xFF\xC0\0\0", b"\xFF\xE1\0\x02\0\xFF\0garbage"]
    {
        assert_eq!(text(&[b"\xFF\xD8", between, frame].concat()), "Jpeg 300x200 3");
    }
}

#[test]
fn others_are_measured_too() {
    let png = |colour| {
        [b"\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\x01\x2C\0\0\0\xC8\x08", &[colour][..], b"\0\0\0"]
            .concat()
    };
    for (colour, channels) in [(0, 1), (2, 3), (3, 3), (4, 2), (6, 4)] {
        assert_eq!(text(&png(colour)), format!("Png 300x200 {channels}"));
    }
    assert_eq!(text(b"GIF89a\x2C\x01\xC8\0\0\0\0 and more"), "Gif 300x200 4");
    let entry =
        |tag, value: u16| [&[tag, 1, 3, 0, 1, 0, 0, 0][..], &value.to_le_bytes(), &[0; 2]].concat();
    let tiff = [b"II*\0\x08\0\0\0\x02\0", &entry(0, 300)[..], &entry(1, 200)].concat();
    assert_eq!(text(&tiff), "Tiff 300x200 3");
    let webp = b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9D\x01\x2A\x2C\x01\xC8\0";
    assert_eq!(text(webp), "WebP 300x200 3");
}

#[test]
fn the_first_bytes_tell_the_format() {
    assert_eq!(Format::of(b"BM"), Some(Format::Bmp));
    assert_eq!(Format::of(b"GIF87a"), Some(Format::Gif));
    assert_eq!(Format::of(b""), None);
    assert_eq!(Format::of(b"<svg>"), None);
    assert!(ImageHeader::read(&mut Cursor::new(b"hello, world, hello, world")).is_err());
}
