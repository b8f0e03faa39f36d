//! From pixels to rays.

use crate::vector::{Ray, Vector};
use crate::view::View;

/// Where a scene is seen from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Viewpoint {
    /// Where every ray of the picture starts.
    pub eye: Vector,
    /// What is in the middle of the picture.
    pub center: Vector,
    /// What is up in the picture.
    pub up: Vector,
    /// The angle between the picture's lower and upper edge.
    pub fovy_degrees: f64,
}

/// A viewpoint with a window in front of it, at distance one.
#[derive(Debug)]
pub struct Camera {
    eye: Vector,
    right: Vector,
    above: Vector,
    behind: Vector,
    width: f64,
    height: f64,
    columns: f64,
    rows: f64,
}

// === impl Camera ===

impl Camera {
    /// The camera that sees the picture of `view` from `viewpoint`.
    #[inline]
    pub fn new(viewpoint: &Viewpoint, view: &View) -> Camera {
        let (columns, rows) = (f64::from(view.scols), f64::from(view.srows));
        let fovy = viewpoint.fovy_degrees.to_radians();
        let fovx = fovy * columns / rows;
        let behind = (-(viewpoint.center - viewpoint.eye)).normalized();
        let right = viewpoint.up.cross(behind).normalized();
        Camera {
            eye: viewpoint.eye,
            right,
            above: behind.cross(right),
            behind,
            width: (fovx / 2.0).sin() * 2.0,
            height: (fovy / 2.0).sin() * 2.0,
            columns,
            rows,
        }
    }

    /// The ray through a place of the picture, in pixels from its lower left corner.
    #[inline]
    pub fn ray(&self, column: f64, row: f64) -> Ray {
        let x = column / self.columns * self.width - self.width / 2.0;
        let y = row / self.rows * self.height - self.height / 2.0;
        // Through world coordinates and back: that rounds, and neighbours of an edge can tell.
        let seen = self.right * x + self.above * y - self.behind + self.eye;
        Ray::new(self.eye, seen - self.eye)
    }
}
