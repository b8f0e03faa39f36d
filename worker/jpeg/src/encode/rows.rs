//! A row of units at a time: from pixels to the samples of each component.
//!
//! Beyond the image its last column and its last row go on.

use crate::Image;
use crate::block::SIDE;
use crate::pace::{Pace, Stopped};

/// The samples of a row of units.
pub(super) struct Rows {
    /// Pixels of a unit, in each direction: 8 or 16.
    side: usize,
    /// Columns, up to full units.
    width: usize,
    planes: Vec<Vec<u8>>,
    /// Colour differences of two rows, before every four become one.
    differences: [[Vec<u8>; 2]; 2],
}

// === impl Rows ===

impl Rows {
    /// Room for the rows of `image`, where a unit has up to `sampling` blocks in each direction.
    pub(super) fn new(image: &Image, sampling: usize) -> Rows {
        let side = sampling * SIDE;
        let width = image.width.next_multiple_of(side);
        let plane = |i: usize| {
            let shrink = if i == 0 { 1 } else { sampling };
            vec![0; (width / shrink) * (side / shrink)]
        };
        let planes = (0..image.bands).map(plane).collect();
        let differences = if image.bands == 1 {
            Default::default()
        } else {
            [(); 2].map(|()| [(); 2].map(|()| vec![0; width]))
        };
        Rows { side, width, planes, differences }
    }

    /// Pixels of a unit, in each direction.
    pub(super) fn side(&self) -> usize {
        self.side
    }

    /// The samples of component `i`, and how many there are from row to row.
    pub(super) fn plane(&self, i: usize) -> (&[u8], usize) {
        let shrink = if i == 0 { 1 } else { self.side / SIDE };
        (&self.planes[i], self.width / shrink)
    }

    /// Fills in the `row`-th row of units.
    pub(super) fn load(
        &mut self,
        image: &Image,
        row: usize,
        pace: &mut Pace<'_>,
    ) -> Result<(), Stopped> {
        let first = row * self.side;
        for y in 0..self.side {
            pace.spend(self.width)?;
            let from = (first + y).min(image.height - 1);
            let pixels = &image.samples[from * image.width * image.bands..];
            let pixels = &pixels[..image.width * image.bands];
            let brightness = &mut self.planes[0][y * self.width..][..self.width];
            if image.bands == 1 {
                brightness[..image.width].copy_from_slice(pixels);
                go_on(brightness, image.width);
                continue;
            }
            let differences = self.differences.each_mut().map(|rows| &mut rows[y % 2]);
            convert(pixels, brightness, differences);
            if y % 2 == 1 {
                self.shrink(y / 2, first + y - 1, image.height);
            }
        }
        Ok(())
    }

    /// Makes row `to` of the colour differences from two rows, of which the first is row `from` of
    /// an image that is `height` high.
    fn shrink(&mut self, to: usize, from: usize, height: usize) {
        let width = self.width / 2;
        for (plane, rows) in self.planes[1..].iter_mut().zip(&self.differences) {
            if height <= from && 0 < to {
                // Beyond the image the last row of differences goes on, not the last row of pixels.
                plane.copy_within((to - 1) * width..to * width, to * width);
                continue;
            }
            let row = &mut plane[to * width..][..width];
            let [upper, lower] = rows.each_ref().map(|row| row.as_chunks::<2>().0);
            // Halves are rounded down and up in turn.
            let (pairs, _) = row.as_chunks_mut::<2>();
            for (i, pair) in pairs.iter_mut().enumerate() {
                let sum = |i: usize| {
                    [upper[i], lower[i]].as_flattened().iter().map(|&s| u16::from(s)).sum::<u16>()
                };
                *pair = [((sum(2 * i) + 1) >> 2) as u8, ((sum(2 * i + 1) + 2) >> 2) as u8];
            }
        }
    }
}

/// Fills the rest of a row, behind `width` samples, with the last of them.
fn go_on(row: &mut [u8], width: usize) {
    let (samples, rest) = row.split_at_mut(width);
    if let Some(&last) = samples.last() {
        rest.fill(last);
    }
}

/// ITU-R BT.601, in integers of 16 fractional bits: brightness and two colour differences.
fn convert(pixels: &[u8], brightness: &mut [u8], [blue, red]: [&mut Vec<u8>; 2]) {
    const HALF: i32 = 1 << 15;
    const MIDDLE: i32 = (128 << 16) + HALF - 1;

    let (pixels, _) = pixels.as_chunks::<3>();
    let n = pixels.len();
    let differences = blue[..n].iter_mut().zip(&mut red[..n]);
    for ((pixel, y), (cb, cr)) in pixels.iter().zip(&mut brightness[..n]).zip(differences) {
        let [r, g, b] = pixel.map(i32::from);
        *y = ((19_595 * r + 38_470 * g + 7_471 * b + HALF) >> 16) as u8;
        *cb = ((-11_059 * r - 21_709 * g + 32_768 * b + MIDDLE) >> 16) as u8;
        *cr = ((32_768 * r - 27_439 * g - 5_329 * b + MIDDLE) >> 16) as u8;
    }
    go_on(brightness, n);
    go_on(blue, n);
    go_on(red, n);
}
