//! Enhance: local histogram equalisation.
//!
//! On `gray = (r + g + b) / 3`: `out = n * 255 / area` in integers, where `n` is how many pixels
//! of the window are at most as bright as the pixel itself. The window is 101 by 101 pixels,
//! centred, then shifted into the image; where a side is shorter, it is that side. The result is
//! gray; alpha is ignored.
//!
//! # How
//!
//! A `Columns` knows the pixels of each column, over the rows of the window. It counts those that
//! are darker than each *segment* of 8 gray levels, and those in each segment up to each level.
//! Both counts are cumulated: a pixel that enters or leaves is one vector to add or to subtract.
//! The counts of darker pixels are summed over the window, and the sum follows the window to the
//! right. Of the other counts each pixel needs only one level. Eight columns share a word, so 101
//! columns are 14 words to add.
//!
//! The cost is linear in the number of pixels, and hardly depends on their values.

use std::array;

use weighbridge_instrument::{Abandoned, checkpoint};

use super::codec::Raster;
use super::{EventForm, Limits, Operation, OperationError, OperationRequest, Reply};

/// Equalises the histogram of an image, locally. See the module.
#[derive(Debug)]
pub struct Enhance;

impl Operation for Enhance {
    fn name(&self) -> &'static str {
        "enhance"
    }

    fn path(&self) -> &'static str {
        "/enhanceimage"
    }

    fn event(&self) -> EventForm {
        EventForm::Image
    }

    fn run(
        &self,
        request: &OperationRequest<'_>,
        limits: &Limits,
    ) -> Result<Reply, OperationError> {
        super::filter(request, limits, enhance)
    }
}

/// The side of a window.
const SIDE: usize = 101;

/// Gray levels of a segment, and columns of a word.
const EIGHT: usize = 8;

/// Segments of the gray scale.
const SEGMENTS: usize = 256 / EIGHT;

/// Columns of the result that are made in one go. Bounds the memory, and keeps it in the cache.
const STRIPE: usize = 1024;

/// For the eight levels of a segment, the counts in eight columns: a byte each.
///
/// A count is that of the pixels of the segment up to the level. It is at most [`SIDE`], so that
/// the sum of two still fits.
type Block = [u64; EIGHT];

/// For each segment, the number of pixels that are darker than the segment.
type Darker<T> = [T; SEGMENTS];

/// `SEGMENT_STEPS[segment]` is what one pixel of the segment adds to `Darker`.
const SEGMENT_STEPS: [Darker<u8>; SEGMENTS] = segment_steps();

/// `LEVEL_STEPS[column][level]` is what one pixel adds to a [`Block`].
const LEVEL_STEPS: [[Block; EIGHT]; EIGHT] = level_steps();

/// The histograms of adjacent columns over the rows of the window.
struct Columns {
    darker: Vec<Darker<u8>>,
    blocks: Vec<Block>,
    /// Blocks of a segment.
    stride: usize,
}

/// Divides by the area of the window: a multiplication and a shift, exact for what is asked.
struct Scale(u64);

/// Equalises `raster`.
pub fn enhance(raster: &Raster) -> Result<Raster, Abandoned> {
    let gray = gray(raster)?;
    let (width, height) = (gray.width, gray.height);
    let mut samples = vec![0; width * height];
    for left in (0..width).step_by(STRIPE) {
        enhance_stripe(&gray, left, STRIPE.min(width - left), &mut samples)?;
    }
    Ok(Raster { width, height, bands: 1, samples })
}

/// The mean of the colours.
fn gray(raster: &Raster) -> Result<Raster, Abandoned> {
    let mut samples = Vec::with_capacity(raster.width * raster.height);
    for row in raster.samples.chunks_exact(raster.width * raster.bands) {
        checkpoint()?;
        match raster.bands {
            1 => samples.extend_from_slice(row),
            2 => samples.extend(row.as_chunks().0.iter().map(|&[gray, _]| gray)),
            3 => samples.extend(row.as_chunks().0.iter().map(|&[r, g, b]| mean(r, g, b))),
            _ => samples.extend(row.as_chunks().0.iter().map(|&[r, g, b, _]| mean(r, g, b))),
        }
    }
    Ok(Raster { bands: 1, samples, ..*raster })
}

fn mean(red: u8, green: u8, blue: u8) -> u8 {
    ((u16::from(red) + u16::from(green) + u16::from(blue)) / 3) as u8
}

/// Equalises the columns `left..left + columns`.
fn enhance_stripe(
    gray: &Raster,
    left: usize,
    columns: usize,
    samples: &mut [u8],
) -> Result<(), Abandoned> {
    let (width, height) = (gray.width, gray.height);
    let (window_width, window_height) = (width.min(SIDE), height.min(SIDE));
    let first = window_start(left, width);
    let last = window_start(left + columns - 1, width) + window_width;
    let row = |y: usize| &gray.samples[y * width..][..width];
    let scale = Scale::new(window_width * window_height);

    let mut histograms = Columns::new(last - first);
    for y in 0..window_height {
        checkpoint()?;
        histograms.add(&row(y)[first..last]);
    }
    let mut top = 0;
    for y in 0..height {
        checkpoint()?;
        if top < window_start(y, height) {
            histograms.replace(&row(top)[first..last], &row(top + window_height)[first..last]);
            top += 1;
        }
        let mut window = Window::new(&histograms, window_width);
        let places = left..left + columns;
        for (x, sample) in places.clone().zip(&mut samples[y * width..][places]) {
            if window.left + first < window_start(x, width) {
                window.go_right();
            }
            *sample = scale.level(window.count_up_to(row(y)[x]));
        }
    }
    Ok(())
}

/// Where the window of a pixel at `centre` starts, in an image of `side` pixels.
fn window_start(centre: usize, side: usize) -> usize {
    centre.saturating_sub(SIDE / 2).min(side.saturating_sub(SIDE))
}

const fn segment_steps() -> [Darker<u8>; SEGMENTS] {
    let mut steps = [[0; SEGMENTS]; SEGMENTS];
    let mut segment = 0;
    while segment < SEGMENTS {
        let mut brighter = segment + 1;
        while brighter < SEGMENTS {
            steps[segment][brighter] = 1;
            brighter += 1;
        }
        segment += 1;
    }
    steps
}

const fn level_steps() -> [[Block; EIGHT]; EIGHT] {
    let mut steps = [[[0; EIGHT]; EIGHT]; EIGHT];
    let mut i = 0;
    while i < EIGHT * EIGHT * EIGHT {
        let (column, level, counted) = (i / EIGHT / EIGHT, i / EIGHT % EIGHT, i % EIGHT);
        if level <= counted {
            steps[column][level][counted] = 1 << (8 * column);
        }
        i += 1;
    }
    steps
}

// === impl Columns ===

impl Columns {
    /// Histograms of no pixels.
    fn new(columns: usize) -> Columns {
        let stride = columns.div_ceil(EIGHT);
        Columns {
            darker: vec![[0; SEGMENTS]; columns],
            blocks: vec![[0; EIGHT]; stride * SEGMENTS],
            stride,
        }
    }

    /// Takes a row in.
    fn add(&mut self, row: &[u8]) {
        for (column, (&level, darker)) in row.iter().zip(&mut self.darker).enumerate() {
            let (segment, level) = split(level);
            let step = &SEGMENT_STEPS[segment];
            *darker = array::from_fn(|i| darker[i] + step[i]);
            let block = &mut self.blocks[segment * self.stride + column / EIGHT];
            let step = &LEVEL_STEPS[column % EIGHT][level];
            *block = array::from_fn(|i| block[i] + step[i]);
        }
    }

    /// Takes the row `new` in, and the row `old` out.
    fn replace(&mut self, old: &[u8], new: &[u8]) {
        let levels = old.iter().zip(new);
        for (column, ((&old, &new), darker)) in levels.zip(&mut self.darker).enumerate() {
            let (old_segment, old_level) = split(old);
            let (new_segment, new_level) = split(new);
            let (less, more) = (&SEGMENT_STEPS[old_segment], &SEGMENT_STEPS[new_segment]);
            *darker = array::from_fn(|i| darker[i] + more[i] - less[i]);
            let steps = &LEVEL_STEPS[column % EIGHT];
            let block = &mut self.blocks[old_segment * self.stride + column / EIGHT];
            *block = array::from_fn(|i| block[i] - steps[old_level][i]);
            let block = &mut self.blocks[new_segment * self.stride + column / EIGHT];
            *block = array::from_fn(|i| block[i] + steps[new_level][i]);
        }
    }
}

/// The segment of a gray level, and the level in it.
fn split(level: u8) -> (usize, usize) {
    (usize::from(level) / EIGHT, usize::from(level) % EIGHT)
}

/// Columns under a window.
struct Window<'a> {
    histograms: &'a Columns,
    left: usize,
    width: usize,
    darker: Darker<u16>,
}

// === impl Window ===

impl<'a> Window<'a> {
    /// The window over the first `width` columns.
    fn new(histograms: &'a Columns, width: usize) -> Window<'a> {
        let mut darker = [0; SEGMENTS];
        for column in &histograms.darker[..width] {
            darker = array::from_fn(|i| darker[i] + u16::from(column[i]));
        }
        Window { histograms, left: 0, width, darker }
    }

    fn go_right(&mut self) {
        let columns = &self.histograms.darker;
        let (out, into) = (&columns[self.left], &columns[self.left + self.width]);
        self.darker = array::from_fn(|i| self.darker[i] + u16::from(into[i]) - u16::from(out[i]));
        self.left += 1;
    }

    /// How many pixels are at most as bright as `level`.
    fn count_up_to(&self, level: u8) -> u64 {
        let (segment, level) = split(level);
        let (left, last) = (self.left, self.left + self.width - 1);
        let blocks = &self.histograms.blocks[segment * self.histograms.stride..];
        let blocks = &blocks[left / EIGHT..=last / EIGHT];

        // The words at the ends have columns beside the window.
        let from_left = u64::MAX << (8 * (left % EIGHT));
        let to_last = u64::MAX >> (8 * (EIGHT - 1 - last % EIGHT));
        let sums = match blocks {
            [] => 0,
            [only] => sum_pairs(only[level] & from_left & to_last),
            [first, middle @ .., end] => {
                let mut sums = sum_pairs((first[level] & from_left) + (end[level] & to_last));
                let (two, rest) = middle.as_chunks();
                for [one, other] in two {
                    sums += sum_pairs(one[level] + other[level]);
                }
                rest.iter().fold(sums, |sums, block| sums + sum_pairs(block[level]))
            }
        };
        u64::from(self.darker[segment]) + sum_quarters(sums)
    }
}

/// Adds the eight bytes of a word in pairs: four sums of 16 bits.
fn sum_pairs(bytes: u64) -> u64 {
    const EVEN: u64 = 0x00FF_00FF_00FF_00FF;

    (bytes & EVEN) + ((bytes >> 8) & EVEN)
}

/// Adds four numbers of 16 bits.
fn sum_quarters(quarters: u64) -> u64 {
    quarters.wrapping_mul(0x0001_0001_0001_0001) >> 48
}

// === impl Scale ===

impl Scale {
    /// A count is under 2^14, and so is the area; the reciprocal is off by less than `area` in
    /// 2^40, which makes under one `area`-th of the quotient.
    const SHIFT: u32 = 40;

    fn new(area: usize) -> Scale {
        Scale((1 << Scale::SHIFT) / area as u64 + 1)
    }

    /// `count * 255 / area`.
    fn level(&self, count: u64) -> u8 {
        ((count * 255 * self.0) >> Scale::SHIFT) as u8
    }
}

#[cfg(test)]
mod tests;
