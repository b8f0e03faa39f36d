//! Kinds of files: those that are decoded, with their pixels, and those that say what they are.

use weighbridge_image_header::ImageHeader;
use weighbridge_worker::operations::Limits;
use weighbridge_worker::operations::codec::{Raster, decode};

mod bmp;
mod jpeg;
mod tiff;

fn pixels(file: &[u8]) -> Raster {
    let raster = decode(file, &Limits::default()).unwrap_or_else(|error| panic!("{error}"));
    // The balancer sees the size that there is.
    let header = ImageHeader::read(&mut std::io::Cursor::new(file)).unwrap();
    assert_eq!((header.width as usize, header.height as usize), (raster.width, raster.height));
    raster
}

/// Checks that a file has one row of these pixels.
fn check_row<const BANDS: usize>(what: &str, file: &[u8], expected: &[[u8; BANDS]]) {
    let raster = pixels(file);
    let samples = expected.as_flattened();
    assert_eq!((raster.bands, raster.samples.as_slice()), (BANDS, samples), "{what}");
}

fn check_refused(file: &[u8], expected: &str) {
    let error = decode(file, &Limits::default()).expect_err(expected).to_string();
    let kind = error.strip_prefix("cannot decode the image: ").unwrap_or(&error);
    let (kind, supported) = kind.split_once(" are not supported; supported are ").unwrap();
    assert_eq!(kind, expected);
    assert!(!supported.is_empty());
}
