use image::imageops::{self, FilterType};
use image::{ImageBuffer, Rgb};

use super::*;

fn check(raster: &Raster, size: (usize, usize), expected: &[[u8; 3]]) {
    let pixels = resize(raster, size).unwrap();
    assert_eq!(pixels.as_chunks::<3>().0, expected);
}

#[test]
fn bands_become_three_on_black() {
    let raster =
        |bands, samples: &[u8]| Raster { width: 1, height: 1, bands, samples: samples.to_vec() };
    check(&raster(1, &[9]), (1, 1), &[[9; 3]]);
    check(&raster(2, &[200, 51]), (1, 1), &[[40; 3]]);
    check(&raster(3, &[1, 2, 3]), (2, 1), &[[1, 2, 3]; 2]);
    check(&raster(4, &[255, 100, 0, 0]), (1, 2), &[[0; 3]; 2]);
}

/// As the `image` crate does it, but for rounding.
#[test]
fn it_is_a_triangle_filter() {
    let (width, height) = (37, 53);
    let sample = |i: usize| (i * i * 31 / 7 + i) as u8;
    let samples: Vec<u8> = (0..width * height * 3).map(sample).collect();
    let source: ImageBuffer<Rgb<u8>, Vec<u8>> =
        ImageBuffer::from_raw(width as u32, height as u32, samples.clone()).unwrap();
    let raster = Raster { width, height, bands: 3, samples };
    for (width, height) in [(37, 53), (10, 20), (1, 1), (100, 5), (5, 100), (80, 120)] {
        let ours = resize(&raster, (width, height)).unwrap();
        let filter = FilterType::Triangle;
        let theirs = imageops::resize(&source, width as u32, height as u32, filter).into_raw();
        assert_eq!(ours.len(), theirs.len());
        let off = ours.iter().zip(&theirs).map(|(one, other)| one.abs_diff(*other)).max();
        assert!(off <= Some(2), "{width}x{height}: {off:?}");
    }
}
