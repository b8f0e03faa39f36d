//! Spheres, four at a time.

use std::array;

use super::hit::{Found, Normal};
use crate::vector::{Ray, Vector};

/// Spheres that are tested together.
const LANES: usize = 4;

/// Four spheres. A place without a sphere has a radius that is not a number: it is never hit.
#[derive(Debug)]
pub(super) struct Spheres {
    x: [f64; LANES],
    y: [f64; LANES],
    z: [f64; LANES],
    radius_squared: [f64; LANES],
    numbers: [usize; LANES],
}

/// `t^2 + b t + c = 0` of each, where at least one has a root: the `b` and the discriminants.
pub(super) struct Met {
    b: [f64; LANES],
    discriminants: [f64; LANES],
}

/// Where a ray meets a sphere.
struct Root {
    t: f64,
    entering: bool,
}

// === impl Spheres ===

impl Spheres {
    #[inline]
    pub(super) fn none() -> Spheres {
        Spheres {
            x: [0.0; LANES],
            y: [0.0; LANES],
            z: [0.0; LANES],
            radius_squared: [f64::NAN; LANES],
            numbers: [usize::MAX; LANES],
        }
    }

    /// Puts a sphere in the first free place, or returns false.
    #[inline]
    pub(super) fn put(&mut self, center: Vector, radius: f64, number: usize) -> bool {
        let Some(lane) = self.numbers.iter().position(|&number| number == usize::MAX) else {
            return false;
        };
        (self.x[lane], self.y[lane], self.z[lane]) = (center.x, center.y, center.z);
        self.radius_squared[lane] = radius * radius;
        self.numbers[lane] = number;
        true
    }

    /// How many there are.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.numbers.iter().filter(|&&number| number != usize::MAX).count()
    }

    /// What `ray` meets of the lines through them; `None` where it is none.
    #[inline]
    pub(super) fn meet(&self, ray: &Ray) -> Option<Met> {
        let (origin, direction) = (ray.origin, ray.direction);
        let x: [f64; LANES] = array::from_fn(|lane| origin.x - self.x[lane]);
        let y: [f64; LANES] = array::from_fn(|lane| origin.y - self.y[lane]);
        let z: [f64; LANES] = array::from_fn(|lane| origin.z - self.z[lane]);
        let b: [f64; LANES] = array::from_fn(|lane| {
            2.0 * (x[lane] * direction.x + y[lane] * direction.y + z[lane] * direction.z)
        });
        let discriminants: [f64; LANES] = array::from_fn(|lane| {
            let squares = x[lane] * x[lane] + y[lane] * y[lane] + z[lane] * z[lane];
            b[lane] * b[lane] - 4.0 * (squares - self.radius_squared[lane])
        });
        let is_met = discriminants.iter().any(|&discriminant| 0.0 <= discriminant);
        is_met.then_some(Met { b, discriminants })
    }

    /// Offers each that `ray` hits: the distance, the number, and the rest on demand.
    #[inline]
    pub(super) fn each_hit(
        &self,
        ray: &Ray,
        met: &Met,
        mut offer: impl FnMut(f64, usize, &dyn Fn() -> Found),
    ) {
        for lane in 0..LANES {
            let Some(root) = met.root(lane) else { continue };
            let point = ray.at(root.t);
            let center = Vector::new(self.x[lane], self.y[lane], self.z[lane]);
            offer((point - ray.origin).length(), self.numbers[lane], &|| {
                let normal = if root.entering { point - center } else { center - point };
                let normal = Normal::ToNormalize(normal);
                Found { point, normal, entering: root.entering }
            });
        }
    }
}

// === impl Met ===

impl Met {
    /// Whether `ray` hits one of the spheres nearer than `distance`.
    #[inline]
    pub(super) fn block(&self, ray: &Ray, distance: f64) -> bool {
        (0..LANES).any(|lane| {
            self.root(lane).is_some_and(|root| (ray.at(root.t) - ray.origin).length() < distance)
        })
    }

    /// The root that a ray meets first, or `None` where both lie behind it.
    #[inline]
    fn root(&self, lane: usize) -> Option<Root> {
        let (b, discriminant) = (self.b[lane], self.discriminants[lane]);
        if discriminant < 0.0 {
            return None;
        }
        let half_width = discriminant.sqrt();
        #[expect(clippy::manual_midpoint, reason = "rounds as what was rendered before us")]
        let (near, far) = ((-b - half_width) / 2.0, (-b + half_width) / 2.0);
        if near < 0.0 && far < 0.0 {
            None
        } else if near < 0.0 && 0.0 < far {
            Some(Root { t: far, entering: false })
        } else {
            Some(Root { t: near, entering: true })
        }
    }
}
