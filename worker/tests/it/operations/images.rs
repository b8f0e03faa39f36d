//! Blur and enhance against their definitions.

use image::ImageFormat;
use weighbridge_worker::operations::codec::Raster;
use weighbridge_worker::operations::{Blur, Enhance, Operation, blur, enhance};

use super::{data_url, decode, encode, open_data_url, post};
use crate::data;
use crate::reference;

/// Smaller and larger than kernel and window, and around the sizes of segments and stripes.
const SIZES: [(usize, usize); 17] = [
    (1, 1),
    (2, 1),
    (1, 2),
    (1, 70),
    (70, 1),
    (31, 7),
    (7, 33),
    (64, 65),
    (65, 64),
    (22, 21),
    (100, 40),
    (101, 43),
    (102, 20),
    (20, 103),
    (3, 300),
    (530, 2),
    (1030, 2),
];

fn images(bands: usize) -> impl Iterator<Item = Raster> {
    SIZES.into_iter().flat_map(move |(width, height)| {
        [
            data::noise(7, width, height, bands),
            data::gradient(width, height, bands),
            data::photo(7, width, height, bands),
        ]
    })
}

#[test]
fn blur_is_what_its_definition_says() {
    for bands in 1..=4 {
        for image in images(bands) {
            let (width, height) = (image.width, image.height);
            let blurred = blur::blur(&image).unwrap();
            assert!(blurred == reference::blur::blur(&image), "{width}x{height}, {bands} bands");
        }
    }
}

#[test]
fn enhance_is_what_its_definition_says() {
    for bands in 1..=4 {
        for image in images(bands) {
            let (width, height) = (image.width, image.height);
            let enhanced = enhance::enhance(&image).unwrap();
            let expected = reference::enhance::enhance(&image);
            assert!(enhanced == expected, "{width}x{height}, {bands} bands");
        }
    }
}

#[test]
fn windows_move_both_ways() {
    for image in [data::noise(3, 117, 109, 1), data::photo(3, 117, 109, 3)] {
        let enhanced = enhance::enhance(&image).unwrap();
        assert!(enhanced == reference::enhance::enhance(&image));
    }
}

#[test]
fn extreme_values_do_not_overflow() {
    for level in [0, 255] {
        let image = Raster { width: 140, height: 110, bands: 1, samples: vec![level; 140 * 110] };
        assert!(blur::blur(&image).unwrap() == image);
        assert_eq!(enhance::enhance(&image).unwrap().samples, vec![255; 140 * 110]);
    }
    let stripes = |i: usize| if (i / 140 / 21).is_multiple_of(2) { 255 } else { 0 };
    let samples = (0..140 * 110).map(stripes).collect();
    let image = Raster { width: 140, height: 110, bands: 1, samples };
    assert!(blur::blur(&image).unwrap() == reference::blur::blur(&image));
}

#[test]
fn png_goes_through_without_loss() {
    for bands in 1..=4 {
        let image = data::photo(1, 40, 30, bands);
        let body = data_url("png", &encode(&image, ImageFormat::Png));
        for (operation, expected) in [
            (&Blur as &dyn Operation, reference::blur::blur(&image)),
            (&Enhance, reference::enhance::enhance(&image)),
        ] {
            let reply = post(operation, "", body.as_bytes()).unwrap();
            assert!(decode(&open_data_url(&reply).1) == expected, "{operation:?}, {bands} bands");
        }
    }
}
