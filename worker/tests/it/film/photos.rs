//! What is seen, frame by frame.

use image::ImageFormat;

use super::look::look;
use super::{Form, encoded, film, flat};

const RED: [u8; 3] = [200, 30, 30];
const GREEN: [u8; 3] = [30, 160, 40];
const BLUE: [u8; 3] = [40, 40, 190];

#[track_caller]
fn assert_like(seen: [u8; 3], expected: [u8; 3]) {
    let off = seen.iter().zip(expected).map(|(one, other)| one.abs_diff(other)).max();
    assert!(off <= Some(6), "{seen:?}, expected {expected:?}");
}

fn half(one: [u8; 3], other: [u8; 3]) -> [u8; 3] {
    std::array::from_fn(|band| u8::midpoint(one[band], other[band]))
}

#[test]
fn photos_stand_and_fade_into_each_other() {
    let form = Form::default()
        .photo(&encoded(&flat(RED, 300, 200), ImageFormat::Jpeg))
        .photo(&encoded(&flat(GREEN, 90, 160), ImageFormat::Png))
        .photo(&encoded(&flat(BLUE, 32, 32), ImageFormat::Bmp))
        .size(160, 90)
        .text("seconds", "0.5")
        .text("fade", "0.35")
        .text("fps", 20);
    let (still, faded) = (10, 7);
    let middle = [80, 45];
    let at = |frame: usize, [x, y]: [usize; 2]| [frame, x, y];
    let seen = look(
        &film(&form),
        &[
            at(0, middle),
            at(still - 1, middle),
            at(still + faded / 2, middle),
            at(still + faded, middle),
            at(2 * still + faded + faded / 2, middle),
            at(3 * still + 2 * faded - 1, middle),
            // Beside the second photo, and beside the first one, which is a little narrower.
            at(still + faded + 5, [10, 45]),
            at(still + faded + 5, [50, 2]),
            at(5, [6, 45]),
        ],
    );
    let expected =
        [RED, RED, half(RED, GREEN), GREEN, half(GREEN, BLUE), BLUE, [0; 3], [0; 3], [0; 3]];
    for (seen, expected) in seen.pixels.iter().zip(expected) {
        assert_like(*seen, expected);
    }
    let frames = 3 * still + 2 * faded;
    assert_eq!((seen.codec.as_str(), seen.size, seen.matrix), ("h264", [160, 90], 1));
    assert_eq!((seen.times.len(), seen.said_frames), (frames, frames));
    assert_eq!(seen.keys, [0, still + faded, 2 * (still + faded)], "where photos begin");
    assert!((seen.fps - 20.0).abs() < 1e-9 && (seen.seconds - 2.2).abs() < 1e-3, "{seen:?}");
    for (time, nth) in seen.times.iter().zip(0_u32..) {
        assert!((time - f64::from(nth) / 20.0).abs() < 1e-6, "frame {nth} at {time}");
    }
    assert!(seen.sound.is_none());
}

#[test]
fn a_film_may_be_of_one_photo_and_one_frame() {
    let form = Form::default()
        .photo(&encoded(&flat(RED, 1, 1), ImageFormat::Png))
        .size(16, 16)
        .text("seconds", "0.1")
        .text("fps", 1);
    let seen = look(&film(&form), &[[0, 8, 8]]);
    assert_like(seen.pixels[0], RED);
    assert_eq!(seen.times.len(), 1);
}

#[test]
fn photos_come_in_the_order_that_was_asked_for() {
    let photo = |colour| encoded(&flat(colour, 16, 16), ImageFormat::Png);
    let form = Form::default()
        .file("photos[]", "red.png", &photo(RED))
        .file("photos[]", "green.png", &photo(GREEN))
        .text("order", "green.png")
        .size(16, 16)
        .text("fade", 0)
        .text("seconds", 1)
        .text("fps", 2);
    let seen = look(&film(&form), &[[1, 8, 8], [2, 8, 8]]);
    assert_like(seen.pixels[0], GREEN);
    assert_like(seen.pixels[1], RED);
}

/// A file whose left half is red and whose right half is blue, with EXIF data that says `value`.
fn turned(value: u8) -> Vec<u8> {
    let mut picture = flat(RED, 64, 64);
    for (x, _, pixel) in picture.enumerate_pixels_mut() {
        if 32 <= x {
            pixel.0 = BLUE;
        }
    }
    let file = encoded(&picture, ImageFormat::Jpeg);
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([value, 0, 0, 0, 0, 0, 0]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&file[..2], &[0xff, 0xe1], &length, &exif, &file[2..]].concat()
}

#[test]
fn a_photo_is_turned_as_its_exif_data_says() {
    // Where the red half is: left, right, above, below.
    let (left, right, above, below) = ([8, 32], [56, 32], [32, 8], [32, 56]);
    for (value, red) in [(1, left), (2, right), (3, right), (6, above), (8, below), (5, above)] {
        let form = Form::default().photo(&turned(value)).size(64, 64).text("fps", 1);
        let blue = [64 - red[0], 64 - red[1]];
        let seen = look(&film(&form), &[[0, red[0], red[1]], [0, blue[0], blue[1]]]);
        assert_like(seen.pixels[0], RED);
        assert_like(seen.pixels[1], BLUE);
    }
}

/// The kinds of boxes at the top of a file.
fn boxes(mut file: &[u8]) -> Vec<String> {
    let mut kinds = Vec::new();
    while let Some((length, rest)) = file.split_first_chunk() {
        kinds.push(String::from_utf8_lossy(&rest[..4]).into_owned());
        file = &file[u32::from_be_bytes(*length) as usize..];
    }
    assert_eq!(file, b"");
    kinds
}

#[test]
fn a_film_plays_before_it_is_loaded() {
    let photo = encoded(&flat(RED, 16, 16), ImageFormat::Png);
    let file = film(&Form::default().photo(&photo).size(16, 16));
    assert_eq!(boxes(&file), ["ftyp", "moov", "mdat"]);
}

#[test]
fn the_same_request_gives_the_same_film() {
    let form = super::small(64);
    assert!(film(&form) == film(&form));
}

#[test]
fn a_film_may_be_as_large_as_the_encoder_makes_them() {
    let photo = encoded(&flat(GREEN, 32, 32), ImageFormat::Png);
    for (width, height) in [(3840, 2160), (2160, 3840), (16, 3840)] {
        let form = Form::default().photo(&photo).size(width, height).text("fps", 1);
        let form = form.text("seconds", 1);
        let seen = look(&film(&form), &[[0, width as usize / 2, height as usize / 2]]);
        assert_eq!(seen.size, [width, height]);
        assert_like(seen.pixels[0], GREEN);
    }
}
