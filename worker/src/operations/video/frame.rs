//! Frames: YCbCr of BT.709 in the range of television, colours at half the columns and rows.

use weighbridge_film::Settings;
use weighbridge_instrument::{Abandoned, checkpoint};

use super::resize::{BANDS, resize};
use crate::operations::codec::Raster;
use crate::operations::exif::Orientation;

/// Samples between two checkpoints.
const SAMPLES: usize = 1 << 16;

/// Black, and no colour.
const BLACK: u8 = 16;
const NO_COLOUR: u8 = 128;

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Columns, even.
    pub(super) width: usize,
    /// Rows, even.
    pub(super) height: usize,
    /// All of Y, then of Cb, then of Cr, from the top.
    samples: Vec<u8>,
}

type Pixel = [u8; BANDS];

impl Frame {
    /// A black frame.
    pub(super) fn black(settings: &Settings) -> Frame {
        let (width, height) = (settings.width as usize, settings.height as usize);
        let mut samples = vec![BLACK; width * height];
        samples.resize(width * height * 3 / 2, NO_COLOUR);
        Frame { width, height, samples }
    }

    /// A photo, turned and fitted, in the middle of a black frame.
    pub(super) fn of(
        raster: &Raster,
        orientation: Orientation,
        settings: &Settings,
    ) -> Result<Frame, Abandoned> {
        let shown = orientation.turned((raster.width as u32, raster.height as u32));
        let (width, height) = settings.fitted(shown);
        let (width, height) = (width as usize, height as usize);
        let stored = orientation.turned((width, height));
        let pixels = resize(raster, stored)?;
        let (pixels, _) = pixels.as_chunks::<BANDS>();
        let mut frame = Frame::black(settings);
        let (left, top) = ((frame.width - width) / 2, (frame.height - height) / 2);
        let pixel = |x: usize, y: usize| -> Pixel {
            let is_inside = left <= x && x < left + width && top <= y && y < top + height;
            if !is_inside {
                return [0; BANDS];
            }
            let (x, y) = orientation.stored((x - left, y - top), stored);
            pixels[y * stored.0 + x]
        };
        frame.fill(pixel)?;
        Ok(frame)
    }

    /// Sets every sample.
    fn fill(&mut self, pixel: impl Fn(usize, usize) -> Pixel) -> Result<(), Abandoned> {
        let (width, height) = (self.width, self.height);
        let (luma, colours) = self.samples.split_at_mut(width * height);
        let (blues, reds) = colours.split_at_mut(width * height / 4);
        let rows = luma.chunks_exact_mut(2 * width);
        let rows = rows.zip(blues.chunks_exact_mut(width / 2));
        for ((y, (luma, blues)), reds) in rows.enumerate().zip(reds.chunks_exact_mut(width / 2)) {
            checkpoint()?;
            for (x, (blue, red)) in blues.iter_mut().zip(reds).enumerate() {
                let mut sum = [0; BANDS];
                for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    let colour = pixel(2 * x + dx, 2 * y + dy).map(i32::from);
                    luma[dy * width + 2 * x + dx] = luma_of(colour);
                    for (sum, sample) in sum.iter_mut().zip(colour) {
                        *sum += sample;
                    }
                }
                (*blue, *red) = colours_of(sum.map(|four| (four + 2) / 4));
            }
        }
        Ok(())
    }

    /// Makes this frame a mixture of two others: `nth / of` of the second, the rest of the first.
    pub(super) fn mix(
        &mut self,
        one: &Frame,
        other: &Frame,
        (nth, of): (u64, u64),
    ) -> Result<(), Abandoned> {
        let part = (256 * nth / of) as u16;
        let samples = self.samples.chunks_mut(SAMPLES);
        let sources = one.samples.chunks(SAMPLES).zip(other.samples.chunks(SAMPLES));
        for (mixed, (one, other)) in samples.zip(sources) {
            checkpoint()?;
            for (mixed, (one, other)) in mixed.iter_mut().zip(one.iter().zip(other)) {
                let sum = u16::from(*one) * (256 - part) + u16::from(*other) * part;
                *mixed = ((u32::from(sum) + 128) >> 8) as u8;
            }
        }
        Ok(())
    }

    /// Y, Cb and Cr.
    pub(super) fn planes(&self) -> (&[u8], &[u8], &[u8]) {
        let (luma, colours) = self.samples.split_at(self.width * self.height);
        let (blues, reds) = colours.split_at(self.width * self.height / 4);
        (luma, blues, reds)
    }
}

/// Y of BT.709, in 1/256.
fn luma_of([red, green, blue]: [i32; BANDS]) -> u8 {
    (((47 * red + 157 * green + 16 * blue + 128) >> 8) + 16) as u8
}

/// Cb and Cr.
fn colours_of([red, green, blue]: [i32; BANDS]) -> (u8, u8) {
    let cb = ((-26 * red - 86 * green + 112 * blue + 128) >> 8) + 128;
    let cr = ((112 * red - 102 * green - 10 * blue + 128) >> 8) + 128;
    (cb as u8, cr as u8)
}

#[cfg(test)]
mod tests;
