//! Points and directions in space.

use std::ops::{Add, Mul, Neg, Sub};

/// A point, or a direction.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Vector {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) z: f64,
}

/// A half line. Its direction has length one, or is not a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ray {
    pub(super) origin: Vector,
    pub(super) direction: Vector,
}

// === impl Vector ===

impl Vector {
    pub(super) const fn new(x: f64, y: f64, z: f64) -> Vector {
        Vector { x, y, z }
    }

    pub(super) fn dot(self, other: Vector) -> f64 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    pub(super) fn cross(self, other: Vector) -> Vector {
        Vector {
            x: self.y * other.z - self.z * other.y,
            y: self.z * other.x - self.x * other.z,
            z: self.x * other.y - self.y * other.x,
        }
    }

    pub(super) fn length(self) -> f64 {
        self.dot(self).sqrt()
    }

    /// The same direction, of length one. Of no length at all there is none: the result is not a
    /// number, and hits nothing.
    pub(super) fn normalized(self) -> Vector {
        self * (1.0 / self.length())
    }
}

impl Add for Vector {
    type Output = Vector;

    fn add(self, other: Vector) -> Vector {
        Vector { x: self.x + other.x, y: self.y + other.y, z: self.z + other.z }
    }
}

impl Sub for Vector {
    type Output = Vector;

    fn sub(self, other: Vector) -> Vector {
        Vector { x: self.x - other.x, y: self.y - other.y, z: self.z - other.z }
    }
}

impl Mul<f64> for Vector {
    type Output = Vector;

    fn mul(self, factor: f64) -> Vector {
        Vector { x: self.x * factor, y: self.y * factor, z: self.z * factor }
    }
}

impl Neg for Vector {
    type Output = Vector;

    fn neg(self) -> Vector {
        Vector { x: -self.x, y: -self.y, z: -self.z }
    }
}

// === impl Ray ===

impl Ray {
    /// The ray from `origin` towards `direction`. It starts a little further on, so that it does
    /// not hit the shape that it leaves.
    pub(super) fn new(origin: Vector, direction: Vector) -> Ray {
        let direction = direction.normalized();
        Ray { origin: origin + direction * 0.001, direction }
    }

    /// The point at `t` along the ray.
    pub(super) fn at(&self, t: f64) -> Vector {
        self.origin + self.direction * t
    }
}
