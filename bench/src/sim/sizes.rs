//! How much work requests are.

mod trace;

use weighbridge_core::random::Random;

use super::random::{exponential, normal};

pub use trace::{Trace, TraceError};

/// The law of the sizes of one route's requests, in CPU-seconds of the reference core.
#[derive(Debug, Clone, PartialEq)]
pub enum Law {
    /// All are the same.
    Deterministic {
        /// The size.
        mean: f64,
    },
    /// Exponential.
    Exponential {
        /// The mean.
        mean: f64,
    },
    /// Log-normal.
    LogNormal {
        /// The mean.
        mean: f64,
        /// Standard deviation over mean; above zero.
        cv: f64,
    },
    /// Bounded Pareto.
    Pareto {
        /// The exponent of the tail; above zero, not 1.
        alpha: f64,
        /// The least size.
        min: f64,
        /// The largest size.
        max: f64,
    },
    /// Any of those recorded.
    Recorded(Vec<f64>),
}

/// The requests of one route.
#[derive(Debug, Clone, PartialEq)]
pub struct Class {
    /// Name of the route.
    pub route: String,
    /// Part of all requests; the shares need not sum to 1.
    pub share: f64,
    /// Their sizes.
    pub law: Law,
}

/// The sizes of all requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Sizes {
    /// At least one.
    pub classes: Vec<Class>,
    /// Every size is multiplied by this.
    pub scale: f64,
    /// What was recorded, where sizes come from a trace.
    pub trace: Option<Trace>,
}

// === impl Law ===

impl Law {
    /// One size.
    pub fn draw(&self, random: &mut Random) -> f64 {
        match self {
            Law::Deterministic { mean } => *mean,
            Law::Exponential { mean } => mean * exponential(random),
            Law::LogNormal { mean, cv } => {
                let variance = (1.0 + cv * cv).ln();
                mean * (normal(random) * variance.sqrt() - variance / 2.0).exp()
            }
            Law::Pareto { alpha, min, max } => {
                // Inverse of the distribution function 1 − (min / x)^α over what lies below max.
                let tail = (min / max).powf(*alpha);
                min * (1.0 - random.unit() * (1.0 - tail)).powf(-1.0 / alpha)
            }
            Law::Recorded(sizes) => sizes.get(random.below(sizes.len())).copied().unwrap_or(0.0),
        }
    }

    /// The mean size.
    pub fn mean(&self) -> f64 {
        match self {
            Law::Deterministic { mean }
            | Law::Exponential { mean }
            | Law::LogNormal { mean, .. } => *mean,
            Law::Pareto { alpha, min, max } => {
                let tail = (min / max).powf(*alpha);
                let whole = min - max * tail;
                alpha / (alpha - 1.0) * whole / (1.0 - tail)
            }
            Law::Recorded(sizes) => sizes.iter().sum::<f64>() / sizes.len().max(1) as f64,
        }
    }
}

// === impl Sizes ===

impl Sizes {
    /// The sizes of a trace, by route.
    pub fn of_trace(trace: Trace) -> Sizes {
        let mut classes: Vec<Class> = Vec::new();
        for (index, route) in trace.routes.iter().enumerate() {
            let of_route = trace.requests.iter().filter(|one| usize::from(one.route) == index);
            let sizes: Vec<f64> = of_route.map(|one| one.work).collect();
            let (share, law) = (sizes.len() as f64, Law::Recorded(sizes));
            classes.push(Class { route: route.clone(), share, law });
        }
        Sizes { classes, scale: 1.0, trace: Some(trace) }
    }

    /// The same with this mean.
    #[must_use]
    pub fn scaled_to(mut self, mean: f64) -> Sizes {
        self.scale *= mean / self.mean();
        self
    }

    /// The mean size.
    pub fn mean(&self) -> f64 {
        let shares: f64 = self.classes.iter().map(|class| class.share).sum();
        let sum: f64 = self.classes.iter().map(|class| class.share * class.law.mean()).sum();
        self.scale * sum / shares
    }

    /// The route and size of a request.
    pub fn draw(&self, random: &mut Random) -> (usize, f64) {
        let shares: f64 = self.classes.iter().map(|class| class.share).sum();
        let mut left = random.unit() * shares;
        let last = self.classes.len().saturating_sub(1);
        for (index, class) in self.classes.iter().enumerate() {
            left -= class.share;
            if left < 0.0 || index == last {
                return (index, self.draw_of(index, random));
            }
        }
        (0, 0.0)
    }

    /// A size of one route.
    pub fn draw_of(&self, route: usize, random: &mut Random) -> f64 {
        /// Free requests have no slowdown.
        const LEAST: f64 = 1e-9;
        let size = self.classes.get(route).map_or(0.0, |class| class.law.draw(random));
        (self.scale * size).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(law: &Law) {
        let mut random = Random::new(3);
        let n = 400_000;
        let mean = (0..n).map(|_| law.draw(&mut random)).sum::<f64>() / f64::from(n);
        assert!((mean / law.mean() - 1.0).abs() < 0.03, "{law:?}: {mean} is not {}", law.mean());
    }

    #[test]
    fn every_law_has_its_mean() {
        check(&Law::Deterministic { mean: 2.0 });
        check(&Law::Exponential { mean: 2.0 });
        check(&Law::LogNormal { mean: 2.0, cv: 2.0 });
        check(&Law::Pareto { alpha: 1.5, min: 0.1, max: 1000.0 });
        check(&Law::Recorded(vec![1.0, 2.0, 6.0]));
    }
}
