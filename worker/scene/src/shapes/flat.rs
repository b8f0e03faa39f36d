//! Planes and triangles.

use super::hit::{Found, Normal};
use crate::vector::{Ray, Vector};

/// `factors . place + offset = 0`.
#[derive(Debug)]
pub(super) struct Plane {
    factors: Vector,
    offset: f64,
    normal: Vector,
    pub(super) number: usize,
}

/// A triangle: its plane, a corner, the edges `u` and `v` from there, and products of those.
#[derive(Debug)]
pub(super) struct Triangle {
    pub(super) plane: Plane,
    corner: Vector,
    u: Vector,
    v: Vector,
    uu: f64,
    uv: f64,
    vv: f64,
    determinant: f64,
}

// === impl Plane ===

impl Plane {
    #[inline]
    pub(super) fn new(factors: Vector, offset: f64, number: usize) -> Plane {
        // Normalized twice: that rounds, and what was rendered before us did so.
        let normal = factors.normalized().normalized();
        Plane { factors, offset, normal, number }
    }

    /// How far away `ray` meets it.
    #[inline]
    pub(super) fn meet(&self, ray: &Ray) -> Option<f64> {
        let denominator = self.factors.dot(ray.direction);
        if denominator == 0.0 {
            return None;
        }
        let t = -(self.factors.dot(ray.origin) + self.offset) / denominator;
        (0.0 <= t).then_some(t)
    }

    #[inline]
    pub(super) fn found(&self, point: Vector) -> Found {
        Found { point, normal: Normal::Ready(self.normal), entering: true }
    }
}

// === impl Triangle ===

impl Triangle {
    #[inline]
    pub(super) fn new([corner, second, third]: [Vector; 3], number: usize) -> Triangle {
        let (u, v) = (second - corner, third - corner);
        let normal = u.cross(v).normalized();
        let mut plane = Plane::new(normal, -corner.dot(normal), number);
        plane.normal = plane.normal.normalized();
        let (uu, uv, vv) = (u.dot(u), u.dot(v), v.dot(v));
        Triangle { plane, corner, u, v, uu, uv, vv, determinant: uv * uv - uu * vv }
    }

    /// How far away `ray`, which meets its plane at `t`, meets the triangle, and where.
    #[inline]
    pub(super) fn meet(&self, ray: &Ray, t: f64) -> Option<(f64, Vector)> {
        let point = ray.at(t);
        let w = point - self.corner;
        let (wu, wv) = (w.dot(self.u), w.dot(self.v));
        let s = (self.uv * wv - self.vv * wu) / self.determinant;
        #[expect(clippy::manual_range_contains, reason = "what is not a number passes")]
        if s < 0.0 || 1.0 < s {
            return None;
        }
        let t = (self.uv * wu - self.uu * wv) / self.determinant;
        if t < 0.0 || 1.0 < s + t {
            return None;
        }
        Some(((point - ray.origin).length(), point))
    }
}
