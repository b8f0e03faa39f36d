//! From components to colours.

use std::array;

use super::layout::Colours;

/// Puts the colours of a row into `pixels`. Every row of a component is as long as the image is
/// wide.
pub(super) fn convert(rows: &[&[u8]], colours: Colours, pixels: &mut [u8]) {
    match (colours, rows) {
        (Colours::Gray, [gray]) => pixels.copy_from_slice(gray),
        (Colours::Rgb, [red, green, blue]) => {
            each(pixels, [*red, *green, *blue], |rgb| rgb);
        }
        (Colours::Ycc, [y, cb, cr]) => each(pixels, [*y, *cb, *cr], to_rgb),
        (Colours::Cmyk { inverted }, [c, m, y, k]) => {
            each(pixels, [*c, *m, *y, *k], |[c, m, y, k]| without_ink([c, m, y], k, inverted));
        }
        (Colours::Ycck { inverted }, [y, cb, cr, k]) => {
            each(pixels, [*y, *cb, *cr, *k], |[y, cb, cr, k]| {
                let inks = to_rgb([y, cb, cr]).map(|left| 255 - left);
                without_ink(inks, k, inverted)
            });
        }
        _ => debug_assert!(false, "colours belong to a number of components"),
    }
}

/// Pixels that are worked on at once.
const AT_ONCE: usize = 16;

#[inline]
fn each<const N: usize>(pixels: &mut [u8], rows: [&[u8]; N], colour: impl Fn([u8; N]) -> [u8; 3]) {
    let (pixels, _) = pixels.as_chunks_mut::<3>();
    let n = pixels.len();
    let mut bands = [[0; AT_ONCE]; 3];
    let mut start = 0;
    while start < n {
        let count = AT_ONCE.min(n - start);
        let mut parts = [[0; AT_ONCE]; N];
        for (part, row) in parts.iter_mut().zip(rows) {
            match row[start..].first_chunk() {
                Some(full) => *part = *full,
                None => part[..count].copy_from_slice(&row[start..][..count]),
            }
        }
        for i in 0..AT_ONCE {
            let [red, green, blue] = colour(array::from_fn(|n| parts[n][i]));
            bands[0][i] = red;
            bands[1][i] = green;
            bands[2][i] = blue;
        }
        for (i, pixel) in pixels[start..][..count].iter_mut().enumerate() {
            *pixel = [bands[0][i], bands[1][i], bands[2][i]];
        }
        start += count;
    }
}

/// The red, green and blue of a brightness and two colour differences, as JFIF has them: ITU-R
/// BT.601 with full range, in integers of 16 fractional bits.
#[inline]
pub fn to_rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let times = |number: i16, factor: i16| i32::from(number) * i32::from(factor);
    let round = |number: i32| ((number + (1 << 15)) >> 16) as i16;

    let (y, blue, red) = (i16::from(y), i16::from(cb) - 128, i16::from(cr) - 128);
    // 1.402, -0.344 and -0.714, 1.772, but for what is whole: the factors have 15 bits.
    let rgb = [
        y + red + round(times(red, 26_345)),
        y - red + round(times(red, 18_734) - times(blue, 22_554)),
        y + 2 * blue + round(times(blue, -14_942)),
    ];
    rgb.map(|number| number.clamp(0, 255) as u8)
}

/// What white paper looks like under `inks` and black.
fn without_ink(inks: [u8; 3], black: u8, inverted: bool) -> [u8; 3] {
    let left = |ink: u8| u32::from(if inverted { ink } else { 255 - ink });
    inks.map(|ink| ((left(ink) * left(black) + 127) / 255) as u8)
}
