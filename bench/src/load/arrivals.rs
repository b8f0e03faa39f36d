//! When requests arrive: a Poisson process whose rate follows a profile.
//!
//! Arrivals do not wait for answers (an open loop), and all are drawn before the run.

use std::time::Duration;

use clap::ValueEnum;
use fastrand::Rng;

use super::pool::Deck;

/// How the rate of arrivals runs over the time of a run. Its mean is the rate that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// The same all the time.
    Steady,
    /// From nothing to twice the rate, in a straight line.
    Ramp,
    /// Half the rate, and three times the rate for the first fifth of each fifth of the run.
    Burst,
}

/// One request of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Arrival {
    /// When it is meant to be sent, from the start of the run.
    pub(crate) at: Duration,
    /// Which request of the pool.
    pub(crate) entry: usize,
    /// A number that no other request of any run of the process has.
    pub(crate) number: u64,
}

/// How many arrivals there are, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) profile: Profile,
    /// Mean arrivals per second; above 0.
    pub(crate) rate: f64,
    pub(crate) length: Duration,
    /// Further arrivals are left out.
    pub(crate) requests_max: u64,
}

// === impl Profile ===

impl Profile {
    /// The highest value of [`Profile::factor`].
    const FACTOR_MAX: f64 = 3.0;

    /// What the rate is multiplied with when `part` of the run is over, 0 to 1.
    fn factor(self, part: f64) -> f64 {
        match self {
            Profile::Steady => 1.0,
            Profile::Ramp => 2.0 * part,
            Profile::Burst if (part * 5.0).fract() < 0.2 => 3.0,
            Profile::Burst => 0.5,
        }
    }
}

// === impl Plan ===

impl Plan {
    /// The arrivals, in order. Drawn by thinning (Lewis and Shedler): at the highest rate, each
    /// kept with the probability that the rate then has of it. They are numbered from `first` on.
    pub(crate) fn draw(&self, random: &mut Rng, deck: &mut Deck, first: u64) -> Vec<Arrival> {
        let rate_max = self.rate * Profile::FACTOR_MAX;
        let (length, mut at) = (self.length.as_secs_f64(), 0.0);
        let mut arrivals = Vec::new();
        while (arrivals.len() as u64) < self.requests_max {
            at -= (1.0 - random.f64()).ln() / rate_max;
            if length <= at {
                break;
            }
            if random.f64() * Profile::FACTOR_MAX < self.profile.factor(at / length) {
                let number = first + arrivals.len() as u64;
                let at = Duration::from_secs_f64(at);
                arrivals.push(Arrival { at, entry: deck.draw(random), number });
            }
        }
        arrivals
    }
}
