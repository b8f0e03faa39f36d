//! Sizes, without a look at the pixels.

use std::io::{Cursor, ErrorKind};

use weighbridge_jpeg::Header;

use super::decode;
use super::writer::{Picture, Script, segment};

fn file() -> Vec<u8> {
    let picture = Picture::new(1, (300, 200), &[(2, 2), (1, 1), (1, 1)], 3);
    picture.file(&Script::sequential(&[&[0, 1, 2]], 0))
}

#[test]
fn the_size_stands_in_the_frame() {
    let file = file();
    let expected = Header { width: 300, height: 200, components: 3, precision: 8 };
    assert_eq!(Header::read(&mut Cursor::new(&file)).unwrap(), expected);
}

#[test]
fn what_the_decoder_skips_is_skipped() {
    let expected = Header::read(&mut Cursor::new(&file())).unwrap();
    let comment = segment(0xFE, b"\xFF\xC0\0\x11\x08\0\x01\0\x01\x03");
    for between in
        [&b"\xFF\xFF\xFF"[..], b"garbage \xFF\0", b"\xFF\xD0\xFF\x01", b"\xFF\xFE\0\0", &comment]
    {
        let mut file = file();
        file.splice(2..2, between.to_vec());
        assert_eq!(Header::read(&mut Cursor::new(&file)).unwrap(), expected);
        let image = decode(&file).unwrap();
        assert_eq!((image.width, image.height), (300, 200));
    }
}

#[test]
fn without_a_frame_there_is_no_size() {
    let file = file();
    let frame = file.windows(2).position(|bytes| bytes == [0xFF, 0xC0]).unwrap();
    for n in 0..frame + 10 {
        assert!(Header::read(&mut Cursor::new(&file[..n])).is_err(), "{n} bytes");
    }
    for file in [
        &b"GIF89a"[..],
        b"\xFF\xD8\xFF\xD9\0\0",
        b"\xFF\xD8\xFF\xDA\0\x02",
        b"\xFF\xD8\xFF\xD8\0\x02",
    ] {
        let error = Header::read(&mut Cursor::new(file)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
    }
}
