//! From components to pixels.
//!
//! Colour differences that have half the columns, or half the columns and rows, are interpolated:
//! a sample is three quarters of the nearest and a quarter of the next one, in each direction.

use std::array;

use weighbridge_instrument::checkpoint;

use super::Refusal;
use super::frame::Plane;
use crate::operations::codec::Raster;

/// Fewer columns than this are repeated rather than interpolated.
const INTERPOLATED_COLUMNS_MIN: usize = 3;

/// The image of brightness, or of brightness and two colour differences.
pub(super) fn raster(planes: &[Plane], (width, height): (usize, usize)) -> Result<Raster, Refusal> {
    let bands = planes.len();
    let mut samples = Vec::with_capacity(width * height * bands);
    let mut differences: [Vec<u8>; 2] = array::from_fn(|_| Vec::with_capacity(width + 1));
    for y in 0..height {
        checkpoint()?;
        let brightness = &planes[0].samples[y * planes[0].stride..][..width];
        if bands == 1 {
            samples.extend_from_slice(brightness);
            continue;
        }
        for (row, plane) in differences.iter_mut().zip(&planes[1..]) {
            row.clear();
            put_row(plane, y, (width, height), row);
        }
        let [blue, red] = &differences;
        let pixels = brightness.iter().zip(blue.iter().zip(red));
        samples.extend(pixels.flat_map(|(&y, (&cb, &cr))| to_rgb(y, cb, cr)));
    }
    Ok(Raster { width, height, bands, samples })
}

/// Puts row `y` of an image of the given size; maybe one sample more.
fn put_row(plane: &Plane, y: usize, (width, height): (usize, usize), row: &mut Vec<u8>) {
    let (columns, rows) = plane.size;
    let of = |y: usize| &plane.samples[y * plane.stride..][..columns];
    let interpolated = INTERPOLATED_COLUMNS_MIN <= columns;
    if columns == width && rows == height {
        row.extend_from_slice(of(y));
    } else if rows == height && interpolated {
        put_wide(of(y), row);
    } else if interpolated {
        let nearest = y / 2;
        let next = if y.is_multiple_of(2) {
            nearest.saturating_sub(1)
        } else {
            (nearest + 1).min(rows - 1)
        };
        put_wide_and_high(of(nearest), of(next), row);
    } else {
        let nearest = if rows == height { y } else { y / 2 };
        row.extend(of(nearest).iter().flat_map(|&sample| [sample; 2]));
    }
}

/// Twice the columns of `samples`.
fn put_wide(samples: &[u8], row: &mut Vec<u8>) {
    let (first, last) = (samples[0], samples[samples.len() - 1]);
    let mix =
        |near: u8, far: u8, round: u16| ((3 * u16::from(near) + u16::from(far) + round) >> 2) as u8;
    row.extend([first, mix(first, samples[1], 2)]);
    for window in samples.array_windows() {
        let [before, here, after] = *window;
        row.extend([mix(here, before, 1), mix(here, after, 2)]);
    }
    row.extend([mix(last, samples[samples.len() - 2], 1), last]);
}

/// Twice the columns of what lies between two rows.
fn put_wide_and_high(nearest: &[u8], next: &[u8], row: &mut Vec<u8>) {
    let mix = |near: u16, far: u16, round: u16| ((3 * near + far + round) >> 4) as u8;
    let sum = |(&near, &far): (&u8, &u8)| 3 * u16::from(near) + u16::from(far);
    let mut sums = nearest.iter().zip(next).map(sum);
    let mut here = sums.next().unwrap_or_default();
    let mut before = here;
    for after in sums {
        row.extend([mix(here, before, 8), mix(here, after, 7)]);
        (before, here) = (here, after);
    }
    row.extend([mix(here, before, 8), mix(here, here, 7)]);
}

/// ITU-R BT.601, in integers of 16 fractional bits.
fn to_rgb(brightness: u8, blue: u8, red: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;

    let (blue, red) = (i32::from(blue) - 128, i32::from(red) - 128);
    let change = [
        (91_881 * red + HALF) >> 16,
        (-22_554 * blue - 46_802 * red + HALF) >> 16,
        (116_130 * blue + HALF) >> 16,
    ];
    change.map(|change| (i32::from(brightness) + change).clamp(0, 255) as u8)
}
