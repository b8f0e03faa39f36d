//! Local histogram equalisation by its definition: every pixel looks at its whole window.

use weighbridge_worker::operations::codec::Raster;

/// Equalises in windows of 101 by 101 pixels.
pub(crate) fn enhance(raster: &Raster) -> Raster {
    let Raster { width, height, bands, .. } = *raster;
    let gray: Vec<u8> = raster
        .samples
        .chunks_exact(bands)
        .map(|pixel| match pixel {
            [r, g, b, ..] => ((u32::from(*r) + u32::from(*g) + u32::from(*b)) / 3) as u8,
            _ => pixel[0],
        })
        .collect();
    let mut samples = Vec::with_capacity(gray.len());
    for y in 0..height {
        let (top, bottom) = window(y, height);
        for x in 0..width {
            let (left, right) = window(x, width);
            let own = gray[y * width + x];
            let mut count = 0;
            for row in top..bottom {
                count +=
                    gray[row * width..][left..right].iter().filter(|&&other| other <= own).count();
            }
            samples.push((count * 255 / ((bottom - top) * (right - left))) as u8);
        }
    }
    Raster { width, height, bands: 1, samples }
}

fn window(centre: usize, side: usize) -> (usize, usize) {
    if side < 101 {
        return (0, side);
    }
    let start = centre.saturating_sub(50).min(side - 101);
    (start, start + 101)
}
