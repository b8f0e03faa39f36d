//! Shapes, and where rays hit them.
//!
//! Each kind has its own list, so that the loop over it has no branch on the kind; spheres are
//! tested four at a time. Which shape is hit is what a loop over all shapes in the order of the
//! scene would say: the nearest, and of several equally near ones the first.

use crate::vector::{Ray, Vector};

mod flat;
mod hit;
mod spheres;

use flat::{Plane, Triangle};
use hit::Nearest;
pub use hit::{Hit, Material};
use spheres::Spheres;

/// All shapes of a scene that can be hit.
#[derive(Debug, Default)]
pub struct Shapes {
    spheres: Vec<Spheres>,
    planes: Vec<Plane>,
    triangles: Vec<Triangle>,
    /// By number: the place in the order of the scene. Shapes that are never hit count, too.
    materials: Vec<Material>,
}

/// A test of a ray against shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// Against four spheres.
    Spheres,
    /// It met one of the four.
    SpheresMet,
    /// Against a plane.
    Plane,
    /// Against a triangle.
    Triangle,
    /// It met the plane that the triangle lies in.
    TriangleMet,
}

/// What is told of every test.
pub trait Watch {
    /// A ray is tested.
    fn tested(&mut self, test: Test);
}

/// Watches nothing.
impl Watch for () {
    #[inline]
    fn tested(&mut self, _: Test) {}
}

// === impl Shapes ===

impl Shapes {
    /// Adds a sphere. Its material has to follow.
    #[inline]
    pub fn push_sphere(&mut self, center: Vector, radius: f64) {
        let number = self.materials.len();
        let free = |spheres: &mut Spheres| spheres.put(center, radius, number);
        if !self.spheres.last_mut().is_some_and(free) {
            let mut spheres = Spheres::none();
            spheres.put(center, radius, number);
            self.spheres.push(spheres);
        }
    }

    /// Adds the plane `factors . place + offset = 0`. Its material has to follow.
    #[inline]
    pub fn push_plane(&mut self, factors: Vector, offset: f64) {
        self.planes.push(Plane::new(factors, offset, self.materials.len()));
    }

    /// Adds a triangle. Its material has to follow.
    #[inline]
    pub fn push_triangle(&mut self, corners: [Vector; 3]) {
        self.triangles.push(Triangle::new(corners, self.materials.len()));
    }

    /// Gives the shape that was just added its material, or counts one that is never hit.
    #[inline]
    pub fn push_material(&mut self, pigment: usize, finish: usize) {
        self.materials.push(Material { pigment, finish });
    }

    /// How many there are, those that are never hit included.
    #[inline]
    pub fn len(&self) -> usize {
        self.materials.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.materials.is_empty()
    }

    /// How many spheres there are.
    #[inline]
    pub fn n_spheres(&self) -> usize {
        self.spheres.iter().map(Spheres::len).sum()
    }

    /// How many planes there are.
    #[inline]
    pub fn n_planes(&self) -> usize {
        self.planes.len()
    }

    /// How many triangles there are.
    #[inline]
    pub fn n_triangles(&self) -> usize {
        self.triangles.len()
    }

    /// How many can be hit.
    #[inline]
    pub fn n_solids(&self) -> usize {
        self.n_spheres() + self.n_planes() + self.n_triangles()
    }

    /// How many tests a ray takes that nothing stops.
    #[inline]
    pub fn n_tests(&self) -> usize {
        self.spheres.len() + self.planes.len() + self.triangles.len()
    }

    /// Keeps every `stride`-th test of each kind, from the first: a sparse sample of them all.
    #[inline]
    pub fn thin(&mut self, stride: usize) {
        self.spheres = every(stride, std::mem::take(&mut self.spheres));
        self.planes = every(stride, std::mem::take(&mut self.planes));
        self.triangles = every(stride, std::mem::take(&mut self.triangles));
    }

    /// The nearest hit of `ray`.
    #[inline]
    pub fn nearest(&self, ray: &Ray, watch: &mut impl Watch) -> Option<Hit> {
        let mut nearest = Nearest::NONE;
        for spheres in &self.spheres {
            watch.tested(Test::Spheres);
            let Some(met) = spheres.meet(ray) else { continue };
            watch.tested(Test::SpheresMet);
            spheres.each_hit(ray, &met, |distance, number, found| {
                nearest.offer(distance, number, found);
            });
        }
        for plane in &self.planes {
            watch.tested(Test::Plane);
            if let Some(t) = plane.meet(ray) {
                nearest.offer(t, plane.number, || plane.found(ray.at(t)));
            }
        }
        for triangle in &self.triangles {
            watch.tested(Test::Triangle);
            let Some(t) = triangle.plane.meet(ray) else { continue };
            watch.tested(Test::TriangleMet);
            if let Some((distance, point)) = triangle.meet(ray, t) {
                nearest.offer(distance, triangle.plane.number, || triangle.plane.found(point));
            }
        }
        nearest.hit(&self.materials)
    }

    /// Whether anything is hit nearer than `distance`; the first that is ends the search.
    #[inline]
    pub fn blocks(&self, ray: &Ray, distance: f64, watch: &mut impl Watch) -> bool {
        self.spheres.iter().any(|spheres| {
            watch.tested(Test::Spheres);
            spheres.meet(ray).is_some_and(|met| {
                watch.tested(Test::SpheresMet);
                met.block(ray, distance)
            })
        }) || self.planes.iter().any(|plane| {
            watch.tested(Test::Plane);
            plane.meet(ray).is_some_and(|t| t < distance)
        }) || self.triangles.iter().any(|triangle| {
            watch.tested(Test::Triangle);
            triangle.plane.meet(ray).is_some_and(|t| {
                watch.tested(Test::TriangleMet);
                triangle.meet(ray, t).is_some_and(|(hit, _)| hit < distance)
            })
        })
    }
}

/// Every `stride`-th of `all`, from the first.
#[inline]
fn every<T>(stride: usize, all: Vec<T>) -> Vec<T> {
    all.into_iter().step_by(stride.max(1)).collect()
}
