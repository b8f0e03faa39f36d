//! When requests come.

use weighbridge_core::random::Random;

use super::random::exponential;

/// The process by which requests come. All have the rate that the load asks for, on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arrivals {
    /// Independently of each other.
    Poisson,
    /// In bursts: a Markov-modulated Poisson process of two states.
    Bursty {
        /// Rate in a burst over the rate between them; above 1.
        factor: f64,
        /// Part of the time that is burst, within 0..1.
        share: f64,
        /// Mean length of a burst, in seconds.
        length: f64,
    },
    /// By the time of day: a Poisson process whose rate is a sine.
    Diurnal {
        /// How far the rate goes up and down, as a part of its mean, within 0..=1.
        amplitude: f64,
        /// Length of a day, in seconds.
        period: f64,
    },
    /// As recorded, stretched to the rate. Sizes come in the recorded order, too.
    Trace,
}

/// Draws the instants of arrivals, one after the other.
#[derive(Debug)]
pub struct Clock<'a> {
    arrivals: Arrivals,
    /// Mean arrivals per second.
    rate: f64,
    now: f64,
    random: Random,
    burst: Burst,
    /// Recorded gaps with a mean of 1, and which comes next.
    gaps: (&'a [f64], usize),
}

#[derive(Debug, Default)]
struct Burst {
    on: bool,
    /// When the state changes.
    until: f64,
}

// === impl Clock ===

impl<'a> Clock<'a> {
    /// Arrivals at `rate` per second on average. `gaps` are recorded ones, with a mean of 1; used
    /// by [`Arrivals::Trace`] alone.
    pub fn new(arrivals: Arrivals, rate: f64, gaps: &'a [f64], seed: u64) -> Clock<'a> {
        let burst = Burst::default();
        Clock { arrivals, rate, now: 0.0, random: Random::new(seed), burst, gaps: (gaps, 0) }
    }

    /// The next arrival, in seconds since the start.
    pub fn tick(&mut self) -> f64 {
        self.now = match self.arrivals {
            Arrivals::Poisson => self.now + exponential(&mut self.random) / self.rate,
            Arrivals::Bursty { factor, share, length } => self.bursty(factor, share, length),
            Arrivals::Diurnal { amplitude, period } => self.diurnal(amplitude, period),
            Arrivals::Trace => self.now + self.gap() / self.rate,
        };
        self.now
    }

    fn bursty(&mut self, factor: f64, share: f64, length: f64) -> f64 {
        let calm_rate = self.rate / (1.0 + share * (factor - 1.0));
        let calm_length = length * (1.0 - share) / share;
        let mut now = self.now;
        loop {
            let rate = if self.burst.on { calm_rate * factor } else { calm_rate };
            let next = now + exponential(&mut self.random) / rate;
            if next <= self.burst.until {
                return next;
            }
            // The exponential gap has no memory: it may be drawn anew where the state changes.
            now = self.burst.until;
            self.burst.on = 0.0 < now && !self.burst.on;
            let mean = if self.burst.on { length } else { calm_length };
            self.burst.until = now + exponential(&mut self.random) * mean;
        }
    }

    /// By thinning (Lewis & Shedler 1979). The day begins at its mean, rising.
    fn diurnal(&mut self, amplitude: f64, period: f64) -> f64 {
        let most = 1.0 + amplitude;
        let mut now = self.now;
        loop {
            now += exponential(&mut self.random) / (self.rate * most);
            let part = 1.0 + amplitude * (std::f64::consts::TAU * now / period).sin();
            if self.random.unit() * most < part {
                return now;
            }
        }
    }

    fn gap(&mut self) -> f64 {
        let (gaps, next) = self.gaps;
        self.gaps.1 = (next + 1) % gaps.len().max(1);
        gaps.get(next).copied().unwrap_or(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arrivals: Arrivals) {
        let mut clock = Clock::new(arrivals, 4.0, &[0.5, 1.5], 1);
        let mut last = 0.0;
        for _ in 0..200_000 {
            let next = clock.tick();
            assert!(last <= next, "time does not run backwards");
            last = next;
        }
        let rate = 200_000.0 / last;
        assert!((rate / 4.0 - 1.0).abs() < 0.03, "{arrivals:?} has the rate {rate}");
    }

    #[test]
    fn every_process_has_the_rate_that_is_asked_for() {
        check(Arrivals::Poisson);
        check(Arrivals::Bursty { factor: 5.0, share: 0.2, length: 3.0 });
        check(Arrivals::Diurnal { amplitude: 0.8, period: 100.0 });
        check(Arrivals::Trace);
    }
}
