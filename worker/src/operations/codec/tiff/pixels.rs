//! From samples to pixels.

use weighbridge_instrument::checkpoint;

use super::kind::{Alpha, Colours, Kind};
use crate::operations::OperationError;
use crate::operations::codec::Raster;

/// The image whose samples are `bytes`: row by row, or plane by plane.
pub(super) fn raster(kind: &Kind, bytes: &[u8]) -> Result<Raster, OperationError> {
    let bands = kind.bands();
    let mut samples = vec![0; kind.width * kind.height * bands];
    let mut row = Row::new(kind);
    for (y, pixels) in samples.chunks_exact_mut(kind.width * bands).enumerate() {
        checkpoint()?;
        row.read(bytes, y);
        for (x, pixel) in pixels.chunks_exact_mut(bands).enumerate() {
            put_pixel(kind, row.pixel(x), row.most, pixel);
        }
    }
    Ok(Raster { width: kind.width, height: kind.height, bands, samples })
}

/// The samples of a row as numbers up to `most`.
struct Row<'a> {
    kind: &'a Kind,
    numbers: Vec<u16>,
    most: u32,
    /// Bytes of a row, or of a row of a plane.
    stride: usize,
}

// === impl Row ===

impl<'a> Row<'a> {
    fn new(kind: &'a Kind) -> Row<'a> {
        let per_row = if kind.is_planar { kind.width } else { kind.width * kind.samples };
        Row {
            kind,
            numbers: vec![0; kind.width * kind.samples],
            // Floating point numbers are rounded to eight bits at once.
            most: if kind.is_float { 255 } else { (1 << kind.bits) - 1 },
            stride: (per_row * kind.bits as usize).div_ceil(8),
        }
    }

    fn read(&mut self, bytes: &[u8], y: usize) {
        let Kind { samples, height, bits, is_float, is_planar, .. } = *self.kind;
        if is_planar {
            for plane in 0..samples {
                let row = &bytes[(plane * height + y) * self.stride..][..self.stride];
                let numbers = self.numbers[plane..].iter_mut().step_by(samples);
                unpack(row, (bits, is_float), numbers);
            }
        } else {
            let row = &bytes[y * self.stride..][..self.stride];
            unpack(row, (bits, is_float), self.numbers.iter_mut());
        }
    }

    fn pixel(&self, x: usize) -> &[u16] {
        &self.numbers[x * self.kind.samples..][..self.kind.samples]
    }
}

/// Puts samples of `bits` bits into `numbers`.
fn unpack<'n>(
    row: &[u8],
    (bits, is_float): (u32, bool),
    numbers: impl Iterator<Item = &'n mut u16>,
) {
    match (bits, is_float) {
        (32, true) => {
            for (number, &bytes) in numbers.zip(row.as_chunks().0) {
                let level = f32::from_ne_bytes(bytes).clamp(0.0, 1.0) * 255.0;
                *number = level.round() as u16;
            }
        }
        (16, _) => {
            for (number, &bytes) in numbers.zip(row.as_chunks().0) {
                *number = u16::from_ne_bytes(bytes);
            }
        }
        (8, _) => numbers.zip(row).for_each(|(number, &byte)| *number = byte.into()),
        _ => {
            for (i, number) in numbers.enumerate() {
                let at = i * bits as usize;
                let shifted = row[at / 8] >> (8 - bits as usize - at % 8);
                *number = (shifted & ((1 << bits) - 1)).into();
            }
        }
    }
}

/// Puts the colour and the alpha of `samples` into `pixel`.
fn put_pixel(kind: &Kind, samples: &[u16], most: u32, pixel: &mut [u8]) {
    let level = |sample: u16| eight(sample.into(), most);
    let n = kind.colours.samples();
    match (&kind.colours, samples) {
        (Colours::White, &[gray, ..]) => pixel[0] = 255 - level(gray),
        (Colours::Black, &[gray, ..]) => pixel[0] = level(gray),
        (Colours::Rgb, &[red, green, blue, ..]) => {
            pixel[..3].copy_from_slice(&[red, green, blue].map(level));
        }
        (Colours::Palette(palette), &[number, ..]) => {
            pixel[..3]
                .copy_from_slice(&palette.get(usize::from(number)).copied().unwrap_or_default());
        }
        (Colours::Cmyk, &[cyan, magenta, yellow, black, ..]) => {
            let left = 255 - u32::from(level(black));
            let inks = [cyan, magenta, yellow].map(level);
            let rgb = inks.map(|ink| (((255 - u32::from(ink)) * left + 127) / 255) as u8);
            pixel[..3].copy_from_slice(&rgb);
        }
        (Colours::Ycc, &[y, cb, cr, ..]) => {
            pixel[..3].copy_from_slice(&weighbridge_jpeg::to_rgb([y, cb, cr].map(level)));
        }
        _ => debug_assert!(false, "there are as many samples as the colour needs"),
    }
    if let (Some(alpha), Some((to, colours))) = (kind.alpha, pixel.split_last_mut()) {
        *to = level(samples[n]);
        if alpha == Alpha::Associated {
            for (colour, &sample) in colours.iter_mut().zip(samples) {
                *colour = divided(sample.into(), samples[n].into());
            }
        }
    }
}

/// A number up to `most` in eight bits.
fn eight(number: u32, most: u32) -> u8 {
    ((number * 255 + most / 2) / most) as u8
}

/// A colour that was multiplied by `alpha`, in eight bits.
fn divided(colour: u32, alpha: u32) -> u8 {
    (colour * 255 + alpha / 2).checked_div(alpha).unwrap_or(0).min(255) as u8
}
