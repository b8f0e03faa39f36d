//! A part of a picture in another size.
//!
//! Each sample is a weighted mean of those around its place. Where the result is smaller, the
//! filter is as much wider, so that nothing is skipped; where it is much smaller, whole groups of
//! pixels are averaged first, which costs one addition a sample. Rows are read once and kept no
//! longer than the filter needs them: the memory is that of the result.

use std::ops::Range;

use weighbridge_instrument::{Abandoned, checkpoint};

use super::Picture;

/// Which pixels: columns and rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::operations) struct Area {
    pub(in crate::operations) columns: Range<usize>,
    pub(in crate::operations) rows: Range<usize>,
}

/// The filter, as a function of the distance in pixels of the smaller image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::operations) enum Filter {
    /// Linear interpolation.
    Linear,
    /// Keys' cubic convolution with a = -1/2: "Cubic Convolution Interpolation", 1981.
    Cubic,
}

/// Red, then green, then blue: rows from the top, from 0 to 255.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::operations) struct Planes {
    pub(in crate::operations) width: usize,
    pub(in crate::operations) height: usize,
    pub(in crate::operations) samples: Vec<f32>,
}

/// Pixels between two checkpoints.
const PIXELS: usize = 1 << 14;

/// Groups are so small that the filter still sees as many of them in each of its pixels.
const GROUPS_A_PIXEL: f32 = 3.0;

/// How an axis is sampled.
struct Axis {
    /// Pixels of a group.
    group: usize,
    /// For each sample the first group, and the weight of that and those behind it.
    taps: Vec<(usize, Vec<f32>)>,
}

/// The pixels of `area`, which has some, in the size `(width, height)`, above 0.
pub(in crate::operations) fn resized(
    picture: &Picture,
    area: &Area,
    (width, height): (usize, usize),
    filter: Filter,
) -> Result<Planes, Abandoned> {
    let read = |y: usize, x: usize| picture.rgb(area.columns.start + x, area.rows.start + y);
    scaled(read, (area.columns.len(), area.rows.len()), (width, height), filter)
}

/// What `pixel` of a row and a column gives, in another size.
fn scaled<N: Into<f32>>(
    pixel: impl Fn(usize, usize) -> [N; 3],
    (columns, rows): (usize, usize),
    (width, height): (usize, usize),
    filter: Filter,
) -> Result<Planes, Abandoned> {
    let across = Axis::new(columns, width, filter);
    let down = Axis::new(rows, height, filter);
    let mut planes = Planes { width, height, samples: vec![0.0; 3 * width * height] };
    let mut groups = vec![[0.0; 3]; columns.div_ceil(across.group)];
    let mut line = vec![[0.0; 3]; width];
    let mut first = 0;
    for (group, top) in (0..rows).step_by(down.group).enumerate() {
        let bottom = rows.min(top + down.group);
        groups.fill([0.0; 3]);
        for row in top..bottom {
            add_row(&mut groups, across.group, columns, |x| pixel(row, x))?;
        }
        average(&mut groups, across.group, columns, bottom - top);
        across.sample(&groups, &mut line);
        // Samples whose filter has passed need no further row.
        while first < height && down.taps[first].0 + down.taps[first].1.len() <= group {
            first += 1;
        }
        for (y, (start, weights)) in down.taps.iter().enumerate().skip(first) {
            let Some(at) = group.checked_sub(*start) else { break };
            if let Some(&weight) = weights.get(at) {
                planes.add_line(y, &line, weight);
            }
        }
    }
    Ok(planes)
}

fn add_row<N: Into<f32>>(
    groups: &mut [[f32; 3]],
    group: usize,
    columns: usize,
    pixel: impl Fn(usize) -> [N; 3],
) -> Result<(), Abandoned> {
    let chunk = (PIXELS / group).max(1);
    for (part, groups) in groups.chunks_mut(chunk).enumerate() {
        checkpoint()?;
        for (i, sum) in groups.iter_mut().enumerate() {
            let left = (part * chunk + i) * group;
            for x in left..columns.min(left + group) {
                let [red, green, blue] = pixel(x);
                *sum = [sum[0] + red.into(), sum[1] + green.into(), sum[2] + blue.into()];
            }
        }
    }
    Ok(())
}

/// Sums become means; the last group may be smaller.
fn average(groups: &mut [[f32; 3]], group: usize, columns: usize, rows: usize) {
    let n_groups = groups.len();
    for (i, sum) in groups.iter_mut().enumerate() {
        let pixels = if i + 1 == n_groups { columns - i * group } else { group };
        let part = 1.0 / (pixels * rows) as f32;
        *sum = sum.map(|sum| sum * part);
    }
}

// === impl Planes ===

impl Planes {
    /// The same in another size.
    pub(in crate::operations) fn resized(
        &self,
        size: (usize, usize),
        filter: Filter,
    ) -> Result<Planes, Abandoned> {
        let area = self.width * self.height;
        let pixel = |y: usize, x: usize| {
            [0, 1, 2].map(|band| self.samples[band * area + y * self.width + x])
        };
        scaled(pixel, (self.width, self.height), size, filter)
    }

    fn add_line(&mut self, y: usize, line: &[[f32; 3]], weight: f32) {
        let area = self.width * self.height;
        for band in 0..3 {
            let row = &mut self.samples[band * area + y * self.width..][..self.width];
            for (sample, pixel) in row.iter_mut().zip(line) {
                *sample += weight * pixel[band];
            }
        }
    }
}

// === impl Axis ===

impl Axis {
    fn new(from: usize, to: usize, filter: Filter) -> Axis {
        let scale = from as f32 / to as f32;
        let group = ((scale / GROUPS_A_PIXEL) as usize).max(1);
        let n_groups = from.div_ceil(group);
        // In groups, as everything below.
        let scale = scale / group as f32;
        let wide = scale.max(1.0);
        let taps = (0..to).map(|i| {
            let centre = (i as f32 + 0.5) * scale;
            let reach = filter.reach() * wide;
            let start = ((centre - reach).max(0.0) as usize).min(n_groups - 1);
            let end = ((centre + reach).ceil() as usize).clamp(start + 1, n_groups);
            let weight = |at: usize| filter.weight((at as f32 + 0.5 - centre) / wide);
            let weights: Vec<f32> = (start..end).map(weight).collect();
            let sum: f32 = weights.iter().sum();
            (start, weights.into_iter().map(|weight| weight / sum).collect())
        });
        Axis { group, taps: taps.collect() }
    }

    fn sample(&self, groups: &[[f32; 3]], line: &mut [[f32; 3]]) {
        for (pixel, (start, weights)) in line.iter_mut().zip(&self.taps) {
            let mut sum = [0.0; 3];
            for (group, weight) in groups[*start..].iter().zip(weights) {
                sum = [0, 1, 2].map(|band| sum[band] + weight * group[band]);
            }
            *pixel = sum;
        }
    }
}

// === impl Filter ===

impl Filter {
    /// Where it ends.
    fn reach(self) -> f32 {
        match self {
            Filter::Linear => 1.0,
            Filter::Cubic => 2.0,
        }
    }

    fn weight(self, distance: f32) -> f32 {
        let x = distance.abs();
        match self {
            Filter::Linear => (1.0 - x).max(0.0),
            Filter::Cubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Filter::Cubic if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            Filter::Cubic => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::models::picture::picture;

    fn whole(width: usize, height: usize) -> Area {
        Area { columns: 0..width, rows: 0..height }
    }

    #[test]
    fn one_colour_stays_the_same_in_every_size() {
        let source = picture(50, 37, |_, _| [10, 100, 200]);
        for filter in [Filter::Linear, Filter::Cubic] {
            for size in [(1, 1), (3, 2), (50, 37), (64, 7), (7, 90), (200, 150)] {
                let planes = resized(&source, &whole(50, 37), size, filter).expect("nobody left");
                let area = size.0 * size.1;
                for (i, sample) in planes.samples.iter().enumerate() {
                    let expected = [10.0, 100.0, 200.0][i / area];
                    assert!((sample - expected).abs() < 0.01, "{filter:?} {size:?}: {sample}");
                }
            }
        }
    }

    #[test]
    fn the_same_size_is_the_same_picture() {
        let pixel = |x: usize, y: usize| [(x * 5) as u8, (y * 7) as u8, (x * y % 256) as u8];
        let source = picture(40, 30, pixel);
        for filter in [Filter::Linear, Filter::Cubic] {
            let area = Area { columns: 3..35, rows: 2..28 };
            let planes = resized(&source, &area, (32, 26), filter).expect("nobody left");
            for (i, sample) in planes.samples.iter().enumerate() {
                let (band, at) = (i / (32 * 26), i % (32 * 26));
                let expected = f32::from(pixel(at % 32 + 3, at / 32 + 2)[band]);
                assert!((sample - expected).abs() < 0.01, "{filter:?}: {sample} {expected}");
            }
        }
    }

    #[test]
    fn a_ramp_stays_a_ramp_however_much_smaller_it_becomes() {
        let source = picture(4000, 4, |x, _| [(x / 16) as u8; 3]);
        for width in [1000, 333, 50, 10] {
            let planes =
                resized(&source, &whole(4000, 4), (width, 1), Filter::Cubic).expect("nobody left");
            let step = 4000.0 / width as f32 / 16.0;
            for x in 1..width - 1 {
                let expected = (x as f32 + 0.5) * step - 0.5;
                let sample = planes.samples[x];
                assert!(
                    (sample - expected).abs() < 2.0 + step * 0.1,
                    "{width} {x}: {sample} {expected}"
                );
            }
        }
    }

    #[test]
    fn a_line_of_pixels_keeps_no_more_than_its_result() {
        let source = picture(1, 100_000, |_, y| [(y / 400) as u8; 3]);
        let planes = resized(&source, &whole(1, 100_000), (1, 10), Filter::Linear).expect("nobody");
        assert!(planes.samples.windows(2).take(9).all(|pair| pair[0] < pair[1]));
    }
}
