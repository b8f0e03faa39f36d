//! Makes pictures smaller or larger: a triangle filter, as wide as what becomes one pixel, first
//! along the rows and then along the columns.
//!
//! The source is read row by row, and a few narrowed rows are kept: little memory, whatever the
//! size of the photo. What is transparent is put on black.

use std::collections::VecDeque;

use weighbridge_instrument::{Abandoned, checkpoint};

use crate::operations::codec::Raster;

/// The bands of the result: red, green, blue.
pub(super) const BANDS: usize = 3;

/// What becomes one pixel or row: the first of the source, and how much of each from there on.
struct Window {
    start: usize,
    weights: Vec<f32>,
}

/// Pixels of `raster` in `width` by `height`, in [`BANDS`] bands.
pub(super) fn resize(
    raster: &Raster,
    (width, height): (usize, usize),
) -> Result<Vec<u8>, Abandoned> {
    let across = windows(raster.width, width);
    let mut pixels = Vec::with_capacity(width * height * BANDS);
    // Narrowed rows from `first` on.
    let (mut first, mut rows) = (0, VecDeque::<Vec<f32>>::new());
    let mut colours = Vec::new();
    let mut sums = vec![0.0; width * BANDS];
    for Window { start, weights } in windows(raster.height, height) {
        checkpoint()?;
        while first + rows.len() < start + weights.len() {
            checkpoint()?;
            colourless(raster, first + rows.len(), &mut colours);
            rows.push_back(narrow(&colours, &across));
        }
        while first < start {
            rows.pop_front();
            first += 1;
        }
        sums.fill(0.0);
        for (row, weight) in rows.iter().zip(&weights) {
            for (sum, sample) in sums.iter_mut().zip(row) {
                *sum += sample * weight;
            }
        }
        pixels.extend(sums.iter().map(|sum| (sum + 0.5) as u8));
    }
    Ok(pixels)
}

/// A row in three bands, on black.
fn colourless(raster: &Raster, row: usize, colours: &mut Vec<[f32; BANDS]>) {
    let samples = raster.width * raster.bands;
    let row = &raster.samples[row * samples..][..samples];
    let on_black = |sample: u8, alpha: u8| f32::from(sample) * (f32::from(alpha) / 255.0);
    colours.clear();
    colours.extend(row.chunks_exact(raster.bands).map(|pixel| match *pixel {
        [gray] => [f32::from(gray); BANDS],
        [gray, alpha] => [on_black(gray, alpha); BANDS],
        [red, green, blue] => [red, green, blue].map(f32::from),
        [red, green, blue, alpha] => [red, green, blue].map(|sample| on_black(sample, alpha)),
        _ => [0.0; BANDS],
    }));
}

fn narrow(colours: &[[f32; BANDS]], windows: &[Window]) -> Vec<f32> {
    let mut narrowed = Vec::with_capacity(windows.len() * BANDS);
    for Window { start, weights } in windows {
        let mut sum = [0.0; BANDS];
        for (colour, weight) in colours[*start..].iter().zip(weights) {
            for (sum, sample) in sum.iter_mut().zip(colour) {
                *sum += sample * weight;
            }
        }
        narrowed.extend(sum);
    }
    narrowed
}

/// The window of each of `to` places in `from`; they move on, and have no gaps between them.
fn windows(from: usize, to: usize) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let window = |place: usize| {
        let centre = (place as f64 + 0.5) * scale;
        let start = (centre - reach).floor().max(0.0) as usize;
        let end = ((centre + reach).ceil() as usize).clamp(start + 1, from);
        let weight = |at: usize| (reach - (at as f64 + 0.5 - centre).abs()).max(0.0);
        let sum: f64 = (start..end).map(weight).sum();
        Window { start, weights: (start..end).map(|at| (weight(at) / sum) as f32).collect() }
    };
    (0..to).map(window).collect()
}

#[cfg(test)]
mod tests;
