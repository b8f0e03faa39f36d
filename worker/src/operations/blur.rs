//! Blur: a Gaussian of radius 32 and sigma 13, as integer taps.
//!
//! `out = (sum(tap * sample) + W / 2) / W` in integers, first along the rows, then along the
//! columns, each rounded to 8 bits; W is the sum of the taps inside the image. Every band is
//! blurred, alpha too.
//!
//! # How
//!
//! Neighbouring taps differ by at most one, so the sum at a position is the sum at the position
//! before plus a *slope*: twenty samples on the rising side of the kernel and twenty on the
//! falling side. Most of those lie in three runs, whose part of the slope is itself kept from
//! position to position. That leaves 22 additions of 16 bits for 65 multiplications. `LANES`
//! independent sequences advance together, which is what vectorises: as many columns for the
//! vertical pass, and for the horizontal one as many rows as fit, transposed.
//!
//! The cost is linear in the number of samples, and does not depend on their values.

use weighbridge_instrument::{Abandoned, checkpoint};

use super::codec::Raster;
use super::{EventForm, Limits, Operation, OperationError, OperationRequest, Reply};

/// Blurs an image. See the module.
#[derive(Debug)]
pub struct Blur;

impl Operation for Blur {
    fn name(&self) -> &'static str {
        "blur"
    }

    fn path(&self) -> &'static str {
        "/blurimage"
    }

    fn event(&self) -> EventForm {
        EventForm::Image
    }

    fn run(
        &self,
        request: &OperationRequest<'_>,
        limits: &Limits,
    ) -> Result<Reply, OperationError> {
        super::filter(request, limits, blur)
    }
}

/// How far the kernel reaches to either side.
const RADIUS: usize = 32;

/// The kernel.
pub const TAPS: [u8; 2 * RADIUS + 1] = [
    1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 17, 18, 19,
    19, 20, 20, 20, 20, 20, 20, 20, 19, 19, 18, 17, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 7, 6,
    5, 4, 4, 3, 3, 2, 2, 2, 1, 1, 1, 1,
];

/// Where the kernel rises by one, alone.
const STEPS: [usize; 5] = [0, 4, 7, 9, 29];

/// Where it rises by one at each of several positions: the first and the last.
const RUNS: [(usize, usize); 3] = [(11, 13), (15, 24), (26, 27)];

/// `CUMULATED_TAPS[n]` is the sum of the first `n` taps.
const CUMULATED_TAPS: [u16; TAPS.len() + 1] = cumulated_taps();

/// How many sequences advance together.
const LANES: usize = 64;

/// One position of all sequences.
type Samples = [i16; LANES];

/// The positions that a slope is made of: those under the kernel, and one before.
const WINDOW: usize = TAPS.len() + 1;

/// How many positions are smoothed between two checkpoints.
const SEGMENT: usize = 256;

/// The sums under the kernel at one position, and what leads to the next.
struct Sums {
    /// The part of the slope that the [`RUNS`] make: at most 15 samples less 15 others.
    run_slopes: Samples,
    sums: [i32; LANES],
}

/// Blurs every band of `raster`.
pub fn blur(raster: &Raster) -> Result<Raster, Abandoned> {
    let rows_blurred = match raster.bands {
        1 => along_rows::<1>(raster)?,
        2 => along_rows::<2>(raster)?,
        3 => along_rows::<3>(raster)?,
        _ => along_rows::<4>(raster)?,
    };
    along_columns(&rows_blurred)
}

/// The horizontal pass: a lane is one band of one row.
fn along_rows<const BANDS: usize>(raster: &Raster) -> Result<Raster, Abandoned> {
    debug_assert_eq!(raster.bands, BANDS, "the pass is that of the raster");

    let row_samples = raster.width * BANDS;
    let mut samples = vec![0; raster.samples.len()];
    let rows_at_once = LANES / BANDS * row_samples;
    let groups = raster.samples.chunks(rows_at_once).zip(samples.chunks_mut(rows_at_once));
    for (from, to) in groups {
        let load = |start: usize, positions: &mut [Samples]| {
            for (row, lane) in from.chunks_exact(row_samples).zip((0..).step_by(BANDS)) {
                let (pixels, _) = row[start * BANDS..].as_chunks::<BANDS>();
                for (position, pixel) in positions.iter_mut().zip(pixels) {
                    let lanes = &mut position[lane..lane + BANDS];
                    for (lane, &sample) in lanes.iter_mut().zip(pixel) {
                        *lane = i16::from(sample);
                    }
                }
            }
        };
        let store = |start: usize, positions: &[[u8; LANES]]| {
            for (row, lane) in to.chunks_exact_mut(row_samples).zip((0..).step_by(BANDS)) {
                let (pixels, _) = row[start * BANDS..].as_chunks_mut::<BANDS>();
                for (position, pixel) in positions.iter().zip(pixels) {
                    pixel.copy_from_slice(&position[lane..lane + BANDS]);
                }
            }
        };
        smooth(raster.width, load, store)?;
    }
    Ok(Raster { samples, ..*raster })
}

/// The vertical pass: a lane is one band of one column.
fn along_columns(raster: &Raster) -> Result<Raster, Abandoned> {
    let row_samples = raster.width * raster.bands;
    let mut samples = vec![0; raster.samples.len()];
    for left in (0..row_samples).step_by(LANES) {
        let lanes = LANES.min(row_samples - left);
        let load = |start: usize, positions: &mut [Samples]| {
            let rows = raster.samples[start * row_samples..].chunks_exact(row_samples);
            for (position, row) in positions.iter_mut().zip(rows) {
                for (lane, &sample) in position.iter_mut().zip(&row[left..left + lanes]) {
                    *lane = i16::from(sample);
                }
            }
        };
        let store = |start: usize, positions: &[[u8; LANES]]| {
            let rows = samples[start * row_samples..].chunks_exact_mut(row_samples);
            for (position, row) in positions.iter().zip(rows) {
                row[left..left + lanes].copy_from_slice(&position[..lanes]);
            }
        };
        smooth(raster.height, load, store)?;
    }
    Ok(Raster { samples, ..*raster })
}

/// Smooths [`LANES`] sequences of `n` positions each.
///
/// `load(start, positions)` fills in the positions from `start` on, and `store(start, positions)`
/// takes them smoothed. Lanes that `load` leaves alone stay zero.
fn smooth(
    n: usize,
    mut load: impl FnMut(usize, &mut [Samples]),
    mut store: impl FnMut(usize, &[[u8; LANES]]),
) -> Result<(), Abandoned> {
    let mut loaded = vec![[0; LANES]; WINDOW - 1 + SEGMENT];
    let mut smoothed = vec![[0; LANES]; SEGMENT];
    let mut sums = Sums { run_slopes: [0; LANES], sums: [0; LANES] };
    // Outside of the sequence everything is zero: before it, so are the sums.
    let end = n + RADIUS;
    for start in (0..end).step_by(SEGMENT) {
        checkpoint()?;
        let segment = SEGMENT.min(end - start);
        loaded.copy_within(SEGMENT.., 0);
        let inside = segment.min(n.saturating_sub(start));
        if 0 < inside {
            load(start, &mut loaded[WINDOW - 1..][..inside]);
        }
        loaded[WINDOW - 1 + inside..].fill([0; LANES]);

        let windows = loaded.array_windows().zip(&mut smoothed).zip(start..);
        for ((window, smoothed), newest) in windows.take(segment) {
            sums.advance(window);
            if let Some(centre) = newest.checked_sub(RADIUS) {
                sums.divide(weight(centre, n), smoothed);
            }
        }
        let early = RADIUS.saturating_sub(start).min(segment);
        store((start + early).saturating_sub(RADIUS), &smoothed[early..segment]);
    }
    Ok(())
}

/// The sum of the taps that lie inside a sequence of `n`, for the kernel at `centre`.
fn weight(centre: usize, n: usize) -> u16 {
    let first = RADIUS.saturating_sub(centre);
    let end = TAPS.len().min(n - centre + RADIUS);
    CUMULATED_TAPS[end] - CUMULATED_TAPS[first]
}

const fn cumulated_taps() -> [u16; TAPS.len() + 1] {
    let mut cumulated = [0; TAPS.len() + 1];
    let mut i = 0;
    while i < TAPS.len() {
        cumulated[i + 1] = cumulated[i] + TAPS[i] as u16;
        i += 1;
    }
    cumulated
}

// === impl Sums ===

impl Sums {
    /// Goes on by one position. The last of `window` is the newest under the kernel, and the first
    /// has just left it.
    fn advance(&mut self, window: &[Samples; WINDOW]) {
        const LAST: usize = WINDOW - 1;

        #[expect(clippy::needless_range_loop, reason = "the window is indexed by lane, too")]
        for lane in 0..LANES {
            let at = |position: usize| window[position][lane];
            let mut slope = self.run_slopes[lane];
            for (first, last) in RUNS {
                slope += at(LAST - first) - at(LAST - last - 1);
                slope -= at(last) - at(first - 1);
            }
            self.run_slopes[lane] = slope;
            for step in STEPS {
                slope += at(LAST - step) - at(step);
            }
            self.sums[lane] += i32::from(slope);
        }
    }

    /// `(sum + weight / 2) / weight` for every lane.
    ///
    /// A quotient `q` of integers under 2^18 by one under 2^10 is at least half of `1 / weight`
    /// away from any integer once the half is added, which is far more than the rounding of
    /// `f32`; adding 2^23 then leaves the integer in the lowest bits.
    fn divide(&self, weight: u16, quotients: &mut [u8; LANES]) {
        const TO_INTEGER: f32 = (1 << 23) as f32;

        let reciprocal = 1.0 / f32::from(weight);
        let half = f32::from(weight / 2) + 0.5;
        for (quotient, &sum) in quotients.iter_mut().zip(&self.sums) {
            let floored = (sum as f32 + half) * reciprocal - 0.5;
            *quotient = (floored + TO_INTEGER).to_bits() as u8;
        }
    }
}

#[cfg(test)]
mod tests;
