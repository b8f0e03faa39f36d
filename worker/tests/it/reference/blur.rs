//! Blur by its definition: 65 products a sample and pass.

use weighbridge_worker::operations::codec::Raster;

const TAPS: [u32; 65] = [
    1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 17, 18, 19,
    19, 20, 20, 20, 20, 20, 20, 20, 19, 19, 18, 17, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 7, 6,
    5, 4, 4, 3, 3, 2, 2, 2, 1, 1, 1, 1,
];

/// Blurs along the rows, then along the columns.
pub(crate) fn blur(raster: &Raster) -> Raster {
    pass(&pass(raster, 1, 0), 0, 1)
}

fn pass(raster: &Raster, dx: usize, dy: usize) -> Raster {
    let Raster { width, height, bands, .. } = *raster;
    let mut samples = Vec::with_capacity(raster.samples.len());
    for y in 0..height {
        for x in 0..width {
            for band in 0..bands {
                let (mut sum, mut weight) = (0, 0);
                for (i, tap) in TAPS.iter().enumerate() {
                    let (x, y) = (x + i * dx, y + i * dy);
                    let (Some(x), Some(y)) = (x.checked_sub(32 * dx), y.checked_sub(32 * dy))
                    else {
                        continue;
                    };
                    if x < width && y < height {
                        sum += tap * u32::from(raster.samples[(y * width + x) * bands + band]);
                        weight += tap;
                    }
                }
                samples.push(((sum + weight / 2) / weight) as u8);
            }
        }
    }
    Raster { width, height, bands, samples }
}
