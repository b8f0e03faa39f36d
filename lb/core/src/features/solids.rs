//! What rays can hit, laid out for hitting: each kind by itself, spheres four at a time, as the ray
//! tracer has them.

use super::trace::{Ray, Vector, cross, dot, scale, sub, unit};

/// The shapes of a scene that can be hit, each with the index of its finish.
#[derive(Debug, Clone, Default)]
pub(super) struct Solids {
    spheres: Vec<Spheres>,
    n_spheres: usize,
    planes: Vec<Plane>,
    triangles: Vec<Triangle>,
}

/// Tests of rays against shapes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tests {
    /// Of four spheres each...
    pub(super) spheres: u64,
    /// ...and how many of those met one.
    pub(super) spheres_met: u64,
    /// Of planes.
    pub(super) planes: u64,
    /// Of triangles...
    pub(super) triangles: u64,
    /// ...and how many of those met the plane that the triangle lies in.
    pub(super) triangles_met: u64,
}

/// Where a ray hits what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) distance: f64,
    pub(super) normal: Vector,
    /// Index of the finish.
    pub(super) finish: usize,
}

/// Spheres that are tested together.
const LANES: usize = 4;

/// Four spheres. A place without a sphere has a radius that is not a number: it is never hit.
#[derive(Debug, Clone)]
struct Spheres {
    centers: [[f64; LANES]; 3],
    radius_squared: [f64; LANES],
    finishes: [usize; LANES],
}

/// Points where `normal . p + offset = 0`.
#[derive(Debug, Clone)]
struct Plane {
    normal: Vector,
    offset: f64,
    finish: usize,
}

/// A corner, the edges from it, and the plane that they lie in.
#[derive(Debug, Clone)]
struct Triangle {
    plane: Plane,
    corner: Vector,
    edges: [Vector; 2],
    /// Products of the edges: `uu`, `uv`, `vv`, and 1 over their determinant.
    products: [f64; 3],
    inverse: f64,
}

/// The nearest shape so far.
#[derive(Clone, Copy)]
enum Found<'a> {
    Sphere(&'a Spheres, usize),
    Plane(&'a Plane),
}

// === impl Solids ===

impl Solids {
    pub(super) fn push_sphere(&mut self, center: Vector, radius: f64, finish: usize) {
        let lane = self.n_spheres % LANES;
        if lane == 0 {
            self.spheres.push(Spheres::NONE);
        }
        if let Some(spheres) = self.spheres.last_mut() {
            for (axis, side) in spheres.centers.iter_mut().zip(center) {
                axis[lane] = side;
            }
            spheres.radius_squared[lane] = radius * radius;
            spheres.finishes[lane] = finish;
        }
        self.n_spheres += 1;
    }

    pub(super) fn push_plane(&mut self, normal: Vector, offset: f64, finish: usize) {
        self.planes.push(Plane { normal, offset, finish });
    }

    pub(super) fn push_triangle(&mut self, [corner, second, third]: [Vector; 3], finish: usize) {
        let [u, v] = [sub(second, corner), sub(third, corner)];
        let normal = unit(cross(u, v));
        let plane = Plane { normal, offset: -dot(normal, corner), finish };
        let products @ [uu, uv, vv] = [dot(u, u), dot(u, v), dot(v, v)];
        let inverse = 1.0 / (uv * uv - uu * vv);
        self.triangles.push(Triangle { plane, corner, edges: [u, v], products, inverse });
    }

    pub(super) fn n_spheres(&self) -> usize {
        self.n_spheres
    }

    pub(super) fn n_planes(&self) -> usize {
        self.planes.len()
    }

    pub(super) fn n_triangles(&self) -> usize {
        self.triangles.len()
    }

    pub(super) fn len(&self) -> usize {
        self.n_spheres + self.planes.len() + self.triangles.len()
    }

    /// How many tests a ray takes that nothing stops.
    pub(super) fn n_tests(&self) -> usize {
        self.spheres.len() + self.planes.len() + self.triangles.len()
    }

    /// The nearest hit of `ray`, trying every `stride`-th of each kind.
    pub(super) fn nearest(&self, ray: &Ray, stride: usize, tests: &mut Tests) -> Option<Hit> {
        let mut distance = f64::INFINITY;
        let mut found = None;
        for spheres in self.spheres.iter().step_by(stride) {
            tests.spheres += 1;
            let Some(roots) = spheres.meet(ray, tests) else { continue };
            for (lane, root) in roots.into_iter().enumerate() {
                if root < distance {
                    (distance, found) = (root, Some(Found::Sphere(spheres, lane)));
                }
            }
        }
        for plane in self.planes.iter().step_by(stride) {
            tests.planes += 1;
            let root = plane.meet(ray);
            if root < distance {
                (distance, found) = (root, Some(Found::Plane(plane)));
            }
        }
        for triangle in self.triangles.iter().step_by(stride) {
            tests.triangles += 1;
            let root = triangle.meet(ray, tests);
            if root < distance {
                (distance, found) = (root, Some(Found::Plane(&triangle.plane)));
            }
        }
        found.map(|found| found.hit(ray, distance))
    }

    /// Whether anything is hit nearer than `distance`; the first that is ends the search.
    pub(super) fn blocks(
        &self,
        ray: &Ray,
        distance: f64,
        stride: usize,
        tests: &mut Tests,
    ) -> bool {
        self.spheres.iter().step_by(stride).any(|spheres| {
            tests.spheres += 1;
            spheres.meet(ray, tests).is_some_and(|roots| roots.iter().any(|root| *root < distance))
        }) || self.planes.iter().step_by(stride).any(|plane| {
            tests.planes += 1;
            plane.meet(ray) < distance
        }) || self.triangles.iter().step_by(stride).any(|triangle| {
            tests.triangles += 1;
            triangle.meet(ray, tests) < distance
        })
    }
}

// === impl Spheres ===

impl Spheres {
    const NONE: Spheres = Spheres {
        centers: [[0.0; LANES]; 3],
        radius_squared: [f64::NAN; LANES],
        finishes: [0; LANES],
    };

    /// How far along `ray` each is hit, infinity where it is not; `None` where none is met.
    fn meet(&self, ray: &Ray, tests: &mut Tests) -> Option<[f64; LANES]> {
        let [x, y, z]: [[f64; LANES]; 3] = std::array::from_fn(|axis| {
            std::array::from_fn(|lane| ray.origin[axis] - self.centers[axis][lane])
        });
        let [along_x, along_y, along_z] = ray.direction;
        let halves: [f64; LANES] =
            std::array::from_fn(|lane| x[lane] * along_x + y[lane] * along_y + z[lane] * along_z);
        let discriminants: [f64; LANES] = std::array::from_fn(|lane| {
            let squares = x[lane] * x[lane] + y[lane] * y[lane] + z[lane] * z[lane];
            halves[lane] * halves[lane] - (squares - self.radius_squared[lane])
        });
        if !discriminants.iter().any(|discriminant| 0.0 <= *discriminant) {
            return None;
        }
        tests.spheres_met += 1;
        Some(std::array::from_fn(|lane| {
            let root = discriminants[lane].sqrt();
            let (near, far) = (-halves[lane] - root, root - halves[lane]);
            let first = if 0.0 < near { near } else { far };
            if 0.0 < first { first } else { f64::INFINITY }
        }))
    }
}

// === impl Plane ===

impl Plane {
    /// How far along `ray` it is hit; infinity where it is not.
    fn meet(&self, ray: &Ray) -> f64 {
        let distance =
            -(dot(self.normal, ray.origin) + self.offset) / dot(self.normal, ray.direction);
        if 0.0 <= distance { distance } else { f64::INFINITY }
    }
}

// === impl Triangle ===

impl Triangle {
    /// How far along `ray` it is hit; infinity where it is not.
    fn meet(&self, ray: &Ray, tests: &mut Tests) -> f64 {
        let distance = self.plane.meet(ray);
        if distance == f64::INFINITY {
            return distance;
        }
        tests.triangles_met += 1;
        let from_corner = sub(ray.at(distance), self.corner);
        let [wu, wv] = self.edges.map(|edge| dot(from_corner, edge));
        let [uu, uv, vv] = self.products;
        let s = (uv * wv - vv * wu) * self.inverse;
        let t = (uv * wu - uu * wv) * self.inverse;
        let is_inside = 0.0 <= s && 0.0 <= t && s + t <= 1.0;
        if is_inside { distance } else { f64::INFINITY }
    }
}

// === impl Found ===

impl Found<'_> {
    fn hit(self, ray: &Ray, distance: f64) -> Hit {
        match self {
            Found::Sphere(spheres, lane) => {
                let center = spheres.centers.map(|axis| axis[lane]);
                let outwards = sub(ray.at(distance), center);
                let normal = scale(outwards, spheres.radius_squared[lane].sqrt().recip());
                Hit { distance, normal, finish: spheres.finishes[lane] }
            }
            Found::Plane(plane) => {
                Hit { distance, normal: unit(plane.normal), finish: plane.finish }
            }
        }
    }
}
