//! Changes the rate of samples to 48,000 a second.
//!
//! Band-limited interpolation (Smith and Gossett, "A flexible sampling-rate conversion method",
//! 1984): a windowed sinc, tabulated, between whose entries is a straight line.

use std::f64::consts::PI;

/// The rate of the result.
pub(super) const RATE: u32 = 48_000;

/// Samples of the slower rate that are looked at to either side.
const REACH: f64 = 16.0;

/// Entries of the table for each sample.
const PHASES: usize = 512;

/// So much of the slower rate's band is kept.
const KEPT: f64 = 0.95;

/// Takes samples of one rate and gives samples of [`RATE`].
pub(super) struct Resampler {
    rate: u64,
    channels: usize,
    /// Samples to either side that one of the result is made of.
    reach: usize,
    /// Half of the filter, from its middle on.
    table: Vec<f32>,
    /// What was taken, from the frame `first` on.
    taken: Vec<f32>,
    first: i64,
    /// The next frame of the result.
    next: u64,
}

impl Resampler {
    /// From `rate`, with so many channels.
    pub(super) fn new(rate: u32, channels: usize) -> Resampler {
        let band = (f64::from(RATE) / f64::from(rate)).min(1.0);
        let reach = (REACH / band).ceil();
        let entry = |nth: usize| filter(nth as f64 / PHASES as f64, band * KEPT, reach) as f32;
        let table = (0..=reach as usize * PHASES + 1).map(entry).collect();
        // Before the first sample it is silent.
        let silence = vec![0.0; reach as usize * channels];
        let (reach, first) = (reach as usize, -(reach as u64).cast_signed());
        Resampler { rate: rate.into(), channels, reach, table, taken: silence, first, next: 0 }
    }

    /// Where samples are to be added.
    pub(super) fn input(&mut self) -> &mut Vec<f32> {
        &mut self.taken
    }

    /// The next frame of the result, or false where it takes more samples.
    pub(super) fn frame(&mut self, out: &mut [f32]) -> bool {
        let (at, rest) = (self.next * self.rate, u64::from(RATE));
        let (middle, phase) = ((at / rest).cast_signed(), (at % rest) as f64 / rest as f64);
        let start = (middle - self.first) as usize + 1 - self.reach;
        let frames = self.taken.len() / self.channels;
        if frames < start + 2 * self.reach {
            self.forget(start);
            return false;
        }
        out.fill(0.0);
        let window = &self.taken[start * self.channels..];
        for (nth, frame) in window.chunks_exact(self.channels).take(2 * self.reach).enumerate() {
            let distance = (nth as f64 + 1.0 - self.reach as f64 - phase).abs() * PHASES as f64;
            let (entry, part) = (distance as usize, distance.fract() as f32);
            let weight = self.table[entry] + (self.table[entry + 1] - self.table[entry]) * part;
            for (out, sample) in out.iter_mut().zip(frame) {
                *out += sample * weight;
            }
        }
        self.next += 1;
        true
    }

    /// Forgets what is before the frame `start` of what was taken.
    fn forget(&mut self, start: usize) {
        let start = start.min(self.taken.len() / self.channels);
        self.taken.drain(..start * self.channels);
        self.first += (start as u64).cast_signed();
    }
}

/// The filter at a distance from its middle, in samples; `band` is the part of the band that stays.
fn filter(distance: f64, band: f64, reach: f64) -> f64 {
    if reach <= distance {
        return 0.0;
    }
    let angle = PI * distance * band;
    let sinc = if angle < 1e-9 { 1.0 } else { angle.sin() / angle };
    let (one, two) = (PI * distance / reach, 2.0 * PI * distance / reach);
    // Blackman's window.
    band * sinc * (0.42 + 0.5 * one.cos() + 0.08 * two.cos())
}

#[cfg(test)]
mod tests;
