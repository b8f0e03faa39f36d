//! From components to pixels.
//!
//! Components that have half the columns, half the rows or half of both are interpolated: a sample
//! is three quarters of the nearest and a quarter of the next one, in each direction. Those that
//! have even fewer are repeated.

use super::colour;
use super::frame::Plane;
use super::layout::Colours;
use crate::Image;
use crate::pace::{Pace, Stopped};

/// Fewer columns than this are repeated rather than interpolated.
const INTERPOLATED_COLUMNS_MIN: usize = 3;

/// How a component gets its columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stretch {
    /// It has them.
    None,
    /// Twice the columns, interpolated.
    Wide,
    /// Twice the rows, interpolated.
    High,
    /// Both.
    WideHigh,
    /// Each sample stands for so many columns and rows.
    Repeat(usize, usize),
}

/// The image that `planes` make.
pub(super) fn image(
    planes: &[Plane],
    (width, height): (usize, usize),
    colours: Colours,
    pace: &mut Pace<'_>,
) -> Result<Image, Stopped> {
    let bands = colours.bands();
    let mut samples = vec![0; width * height * bands];
    let mut stretched = vec![Row::default(); planes.len()];
    for (y, pixels) in samples.chunks_exact_mut(width * bands).enumerate() {
        pace.spend(width * planes.len())?;
        let rows: Vec<&[u8]> = planes
            .iter()
            .zip(&mut stretched)
            .map(|(plane, row)| &plane.row(y, width, row)[..width])
            .collect();
        colour::convert(&rows, colours, pixels);
    }
    Ok(Image { width, height, bands, samples })
}

/// Room for a row.
#[derive(Debug, Clone, Default)]
struct Row {
    samples: Vec<u8>,
    /// Sums of two rows.
    sums: Vec<u16>,
}

// === impl Plane ===

impl Plane {
    /// Row `y` of an image, maybe with some samples more than it has columns.
    fn row<'a>(&'a self, y: usize, width: usize, room: &'a mut Row) -> &'a [u8] {
        let stretch = self.stretch();
        if stretch == Stretch::None {
            return self.own_row(y);
        }
        room.samples.resize(width + self.shrink.0, 0);
        let near = self.own_row(y / self.shrink.1);
        match stretch {
            Stretch::None => {}
            Stretch::Wide => widen(near, &mut room.samples),
            Stretch::High => mix(near, self.next_row(y), y, &mut room.samples),
            Stretch::WideHigh => {
                room.sums.clear();
                let sum = |(&near, &next): (&u8, &u8)| 3 * u16::from(near) + u16::from(next);
                room.sums.extend(near.iter().zip(self.next_row(y)).map(sum));
                widen_sums(&room.sums, &mut room.samples);
            }
            Stretch::Repeat(wide, _) => {
                for (to, &sample) in room.samples.chunks_exact_mut(wide).zip(near) {
                    to.fill(sample);
                }
            }
        }
        &room.samples
    }

    fn stretch(&self) -> Stretch {
        let interpolated = INTERPOLATED_COLUMNS_MIN <= self.size.0;
        match self.shrink {
            (1, 1) => Stretch::None,
            (2, 1) if interpolated => Stretch::Wide,
            (1, 2) => Stretch::High,
            (2, 2) if interpolated => Stretch::WideHigh,
            (wide, high) => Stretch::Repeat(wide, high),
        }
    }

    fn own_row(&self, y: usize) -> &[u8] {
        &self.samples[y * self.stride..][..self.size.0]
    }

    /// The row that is next to `y` after the nearest one, where each stands for two.
    fn next_row(&self, y: usize) -> &[u8] {
        let nearest = y / 2;
        let next = if y.is_multiple_of(2) {
            nearest.saturating_sub(1)
        } else {
            (nearest + 1).min(self.size.1 - 1)
        };
        self.own_row(next)
    }
}

/// Twice the columns of `samples`, of which there are at least two.
fn widen(samples: &[u8], row: &mut [u8]) {
    let mix =
        |near: u8, far: u8, round: u16| ((3 * u16::from(near) + u16::from(far) + round) >> 2) as u8;
    let n = samples.len();
    let (pairs, _) = row.as_chunks_mut::<2>();
    pairs[0] = [samples[0], mix(samples[0], samples[1], 2)];
    for (pair, &[before, here, after]) in pairs[1..].iter_mut().zip(samples.array_windows()) {
        *pair = [mix(here, before, 1), mix(here, after, 2)];
    }
    pairs[n - 1] = [mix(samples[n - 1], samples[n - 2], 1), samples[n - 1]];
}

/// What lies at `y` between two rows.
fn mix(nearest: &[u8], next: &[u8], y: usize, row: &mut [u8]) {
    let round = if y.is_multiple_of(2) { 1 } else { 2 };
    for (to, (&near, &far)) in row.iter_mut().zip(nearest.iter().zip(next)) {
        *to = ((3 * u16::from(near) + u16::from(far) + round) >> 2) as u8;
    }
}

/// Twice the columns of what lies between two rows, of which `sums` has four times the samples.
fn widen_sums(sums: &[u16], row: &mut [u8]) {
    let mix = |near: u16, far: u16, round: u16| ((3 * near + far + round) >> 4) as u8;
    let n = sums.len();
    let (pairs, _) = row.as_chunks_mut::<2>();
    pairs[0] = [mix(sums[0], sums[0], 8), mix(sums[0], sums[1], 7)];
    for (pair, &[before, here, after]) in pairs[1..].iter_mut().zip(sums.array_windows()) {
        *pair = [mix(here, before, 8), mix(here, after, 7)];
    }
    pairs[n - 1] = [mix(sums[n - 1], sums[n - 2], 8), mix(sums[n - 1], sums[n - 1], 7)];
}
