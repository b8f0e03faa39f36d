//! Quantities. The unit is in the type: work is not a time until it is divided by a speed.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant, in nanoseconds since an origin that the caller chose.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(u64);

/// An amount of work, in CPU-seconds of the reference core; finite and not negative.
///
/// One `Work` is what a request costs, whatever host runs it. It becomes a time only when divided
/// by a [`Speed`].
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Work(f64);

/// How many reference cores one core of a host is worth; finite and above zero.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Speed(f64);

/// A signed span, in seconds: the unit of every weight. Finite.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Seconds(pub f64);

// === impl Time ===

impl Time {
    /// The origin.
    pub const ZERO: Time = Time(0);

    /// `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Time {
        Time(nanos)
    }

    /// `secs` seconds after the origin; the origin where `secs` is negative or not a number.
    pub fn from_secs_f64(secs: f64) -> Time {
        Time((secs * 1e9) as u64)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Seconds since the origin.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The span from `earlier` to here; zero where `earlier` is later.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

// === impl Work ===

impl Work {
    /// No work.
    pub const ZERO: Work = Work(0.0);

    /// `cpu_secs` of work, or `None` where it is negative or not finite.
    pub fn from_cpu_secs(cpu_secs: f64) -> Option<Work> {
        (cpu_secs.is_finite() && 0.0 <= cpu_secs).then_some(Work(cpu_secs))
    }

    /// `cpu_secs` of work, with zero for what is negative or not a number and `f64::MAX` for
    /// infinity.
    pub fn saturating(cpu_secs: f64) -> Work {
        Work(cpu_secs.clamp(0.0, f64::MAX).max(0.0))
    }

    /// CPU-seconds of the reference core.
    pub fn as_cpu_secs(self) -> f64 {
        self.0
    }

    /// What is left after `done`; not below zero.
    #[must_use]
    pub fn saturating_sub(self, done: Work) -> Work {
        Work((self.0 - done.0).max(0.0))
    }

    /// The larger of the two.
    #[must_use]
    pub fn max(self, other: Work) -> Work {
        Work(self.0.max(other.0))
    }

    /// The smaller of the two.
    #[must_use]
    pub fn min(self, other: Work) -> Work {
        Work(self.0.min(other.0))
    }
}

impl Add for Work {
    type Output = Work;

    fn add(self, other: Work) -> Work {
        Work::saturating(self.0 + other.0)
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Work) {
        *self = *self + other;
    }
}

impl Mul<f64> for Work {
    type Output = Work;

    fn mul(self, factor: f64) -> Work {
        Work::saturating(self.0 * factor)
    }
}

impl Div<Speed> for Work {
    type Output = Seconds;

    fn div(self, speed: Speed) -> Seconds {
        Seconds(self.0 / speed.0)
    }
}

// === impl Speed ===

impl Speed {
    /// One reference core.
    pub const ONE: Speed = Speed(1.0);

    /// `cores` reference cores, or `None` where it is not above zero or not finite.
    pub fn from_reference_cores(cores: f64) -> Option<Speed> {
        (cores.is_finite() && 0.0 < cores).then_some(Speed(cores))
    }

    /// Reference cores.
    pub fn as_reference_cores(self) -> f64 {
        self.0
    }
}

impl Mul<Seconds> for Speed {
    type Output = Work;

    fn mul(self, span: Seconds) -> Work {
        Work::saturating(self.0 * span.0)
    }
}

// === impl Seconds ===

impl Seconds {
    /// No time.
    pub const ZERO: Seconds = Seconds(0.0);

    /// The span as a [`Duration`]; zero where it is negative or not a number.
    pub fn to_duration(self) -> Duration {
        Duration::try_from_secs_f64(self.0.max(0.0)).unwrap_or(Duration::MAX)
    }
}

impl From<Duration> for Seconds {
    fn from(span: Duration) -> Seconds {
        Seconds(span.as_secs_f64())
    }
}

impl Add for Seconds {
    type Output = Seconds;

    fn add(self, other: Seconds) -> Seconds {
        Seconds(self.0 + other.0)
    }
}

impl Sub for Seconds {
    type Output = Seconds;

    fn sub(self, other: Seconds) -> Seconds {
        Seconds(self.0 - other.0)
    }
}

impl Neg for Seconds {
    type Output = Seconds;

    fn neg(self) -> Seconds {
        Seconds(-self.0)
    }
}

impl Mul<f64> for Seconds {
    type Output = Seconds;

    fn mul(self, factor: f64) -> Seconds {
        Seconds(self.0 * factor)
    }
}
