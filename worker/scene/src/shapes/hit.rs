//! Where a ray hits a shape, and where it goes from there.

use crate::vector::{Ray, Vector};

/// Which pigment and finish a shape has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Material {
    /// Index of the pigment.
    pub pigment: usize,
    /// Index of the finish.
    pub finish: usize,
}

/// Where a ray hits a shape.
#[derive(Debug, Clone, Copy)]
pub struct Hit {
    /// What the shape is made of.
    pub material: Material,
    /// The place.
    pub point: Vector,
    /// Of length one; of a sphere, towards where the ray comes from.
    pub normal: Vector,
    /// Whether the ray enters the shape rather than leaves it.
    pub entering: bool,
}

/// The nearest shape so far.
pub(super) struct Nearest {
    distance: f64,
    number: usize,
    found: Option<Found>,
}

/// What is known of a hit before it is known whether it is the nearest.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) point: Vector,
    pub(super) normal: Normal,
    pub(super) entering: bool,
}

/// A normal, to be computed only of the shape that is nearest in the end.
#[derive(Clone, Copy)]
pub(super) enum Normal {
    Ready(Vector),
    ToNormalize(Vector),
}

// === impl Hit ===

impl Hit {
    /// The ray that `ray` becomes as in a mirror.
    #[inline]
    pub fn reflected(&self, ray: &Ray) -> Ray {
        let direction = ray.direction - self.normal * (2.0 * ray.direction.dot(self.normal));
        Ray::new(self.point, direction)
    }

    /// The ray that goes on behind the surface, with `ior` as index of refraction. Where it is
    /// totally reflected there is none: its direction is not a number, and it hits nothing.
    #[inline]
    pub fn transmitted(&self, ray: &Ray, ior: f32) -> Ray {
        let back = -ray.direction;
        let cosine = back.dot(self.normal);
        let ior = f64::from(ior);
        let ratio = if self.entering { 1.0 / ior } else { ior };
        let cosine_behind = (1.0 - ratio * ratio * (1.0 - cosine * cosine)).sqrt();
        Ray::new(self.point, self.normal * (ratio * cosine - cosine_behind) - back * ratio)
    }
}

// === impl Nearest ===

impl Nearest {
    pub(super) const NONE: Nearest = Nearest { distance: f64::INFINITY, number: 0, found: None };

    /// Takes a hit where it is nearer, or as near and earlier in the scene. What is not a number is
    /// neither.
    #[inline]
    #[expect(clippy::float_cmp, reason = "only what is exactly as near goes by its number")]
    pub(super) fn offer(&mut self, distance: f64, number: usize, found: impl FnOnce() -> Found) {
        if distance < self.distance || (distance == self.distance && number < self.number) {
            *self = Nearest { distance, number, found: Some(found()) };
        }
    }

    #[inline]
    pub(super) fn hit(self, materials: &[Material]) -> Option<Hit> {
        let found = self.found?;
        Some(Hit {
            material: materials[self.number],
            point: found.point,
            normal: found.normal.vector(),
            entering: found.entering,
        })
    }
}

impl Normal {
    #[inline]
    fn vector(self) -> Vector {
        match self {
            Normal::Ready(normal) => normal,
            Normal::ToNormalize(normal) => normal.normalized(),
        }
    }
}
