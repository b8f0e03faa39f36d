//! Points and directions in space.

use std::ops::{Add, Mul, Neg, Sub};

/// A point, or a direction.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Vector {
    /// To the right, in a scene whose camera looks ahead.
    pub x: f64,
    /// Up.
    pub y: f64,
    /// Towards the viewer.
    pub z: f64,
}

/// A half line. Its direction has length one, or is not a number.
#[derive(Debug, Clone, Copy)]
pub struct Ray {
    /// Where it starts.
    pub origin: Vector,
    /// Where it goes.
    pub direction: Vector,
}

// === impl Vector ===

impl Vector {
    /// The vector of these coordinates.
    #[inline]
    pub const fn new(x: f64, y: f64, z: f64) -> Vector {
        Vector { x, y, z }
    }

    /// The scalar product.
    #[inline]
    pub fn dot(self, other: Vector) -> f64 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    /// The vector product.
    #[inline]
    #[must_use]
    pub fn cross(self, other: Vector) -> Vector {
        Vector {
            x: self.y * other.z - self.z * other.y,
            y: self.z * other.x - self.x * other.z,
            z: self.x * other.y - self.y * other.x,
        }
    }

    /// How long it is.
    #[inline]
    pub fn length(self) -> f64 {
        self.dot(self).sqrt()
    }

    /// The same direction, of length one. A vector of no length has none: the result is not a
    /// number, and hits nothing.
    #[inline]
    #[must_use]
    pub fn normalized(self) -> Vector {
        self * (1.0 / self.length())
    }
}

impl Add for Vector {
    type Output = Vector;

    #[inline]
    fn add(self, other: Vector) -> Vector {
        Vector { x: self.x + other.x, y: self.y + other.y, z: self.z + other.z }
    }
}

impl Sub for Vector {
    type Output = Vector;

    #[inline]
    fn sub(self, other: Vector) -> Vector {
        Vector { x: self.x - other.x, y: self.y - other.y, z: self.z - other.z }
    }
}

impl Mul<f64> for Vector {
    type Output = Vector;

    #[inline]
    fn mul(self, factor: f64) -> Vector {
        Vector { x: self.x * factor, y: self.y * factor, z: self.z * factor }
    }
}

impl Neg for Vector {
    type Output = Vector;

    #[inline]
    fn neg(self) -> Vector {
        Vector { x: -self.x, y: -self.y, z: -self.z }
    }
}

// === impl Ray ===

impl Ray {
    /// The ray from `origin` towards `direction`. It starts a little further on, so that it does
    /// not hit the shape that it leaves.
    #[inline]
    pub fn new(origin: Vector, direction: Vector) -> Ray {
        let direction = direction.normalized();
        Ray { origin: origin + direction * 0.001, direction }
    }

    /// The point at `t` along the ray.
    #[inline]
    pub fn at(&self, t: f64) -> Vector {
        self.origin + self.direction * t
    }
}
