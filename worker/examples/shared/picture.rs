//! The picture that the examples work on.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

/// A picture with edges, gradients and noise, as PNG.
pub(crate) fn picture(width: u32, height: u32) -> Vec<u8> {
    let mut noise = 1_u32;
    let picture = RgbImage::from_fn(width, height, |x, y| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let edge = if (x / 40 + y / 30) % 2 == 0 { 90 } else { 0 };
        let grain = noise >> 28;
        Rgb([(x / 3 + edge + grain) as u8, (y / 2 + edge) as u8, ((x + y) / 6 + grain) as u8])
    });
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).expect("pixels are a PNG");
    png.into_inner()
}
