//! Shapes, and where rays hit them.
//!
//! Each kind has its own list, so that the loop over it has no branch on the kind; spheres are
//! tested four at a time. Which shape is hit is what a loop over all shapes in the order of the
//! scene would say: the nearest, and of several equally near ones the first.

use std::array;

use super::vector::{Ray, Vector};

/// All shapes of a scene that can be hit.
#[derive(Debug, Default)]
pub(super) struct Shapes {
    spheres: Vec<Spheres>,
    planes: Vec<Plane>,
    triangles: Vec<Triangle>,
    /// By number: the place in the order of the scene. Shapes that are never hit count, too.
    materials: Vec<Material>,
}

/// Which pigment and finish a shape has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Material {
    pub(super) pigment: usize,
    pub(super) finish: usize,
}

/// Where a ray meets a shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) material: Material,
    pub(super) point: Vector,
    /// Of length one; of a sphere, towards where the ray comes from.
    pub(super) normal: Vector,
    /// Whether the ray enters the shape rather than leaves it.
    pub(super) entering: bool,
}

/// Spheres that are tested together.
const LANES: usize = 4;

/// Four spheres. A place without a sphere has a radius that is not a number: it is never hit.
#[derive(Debug)]
struct Spheres {
    x: [f64; LANES],
    y: [f64; LANES],
    z: [f64; LANES],
    radius_squared: [f64; LANES],
    numbers: [usize; LANES],
}

/// `factors . place + offset = 0`.
#[derive(Debug)]
struct Plane {
    factors: Vector,
    offset: f64,
    normal: Vector,
    number: usize,
}

/// A triangle: its plane, a corner, the edges `u` and `v` from there, and products of those.
#[derive(Debug)]
struct Triangle {
    plane: Plane,
    corner: Vector,
    u: Vector,
    v: Vector,
    uu: f64,
    uv: f64,
    vv: f64,
    determinant: f64,
}

/// The nearest shape so far.
struct Nearest {
    /// How far away it is, or how far away it has to be under.
    distance: f64,
    number: usize,
    found: Option<Found>,
}

#[derive(Clone, Copy)]
struct Found {
    point: Vector,
    normal: Normal,
    entering: bool,
}

/// A normal, to be computed only of the shape that is nearest in the end.
#[derive(Clone, Copy)]
enum Normal {
    Ready(Vector),
    ToNormalize(Vector),
}

// === impl Shapes ===

impl Shapes {
    /// Adds a sphere. Its material has to follow.
    pub(super) fn push_sphere(&mut self, center: Vector, radius: f64) {
        let number = self.materials.len();
        let free = |spheres: &mut Spheres| spheres.put(center, radius, number);
        if !self.spheres.last_mut().is_some_and(free) {
            let mut spheres = Spheres::none();
            spheres.put(center, radius, number);
            self.spheres.push(spheres);
        }
    }

    /// Adds the plane `factors . place + offset = 0`. Its material has to follow.
    pub(super) fn push_plane(&mut self, factors: Vector, offset: f64) {
        self.planes.push(Plane::new(factors, offset, self.materials.len()));
    }

    /// Adds a triangle. Its material has to follow.
    pub(super) fn push_triangle(&mut self, corners: [Vector; 3]) {
        self.triangles.push(Triangle::new(corners, self.materials.len()));
    }

    /// Gives the shape that was just added its material, or counts one that is never hit.
    pub(super) fn push_material(&mut self, pigment: usize, finish: usize) {
        self.materials.push(Material { pigment, finish });
    }

    /// How many there are, those that are never hit included.
    pub(super) fn len(&self) -> usize {
        self.materials.len()
    }

    /// The nearest hit of `ray`.
    pub(super) fn nearest(&self, ray: &Ray) -> Option<Hit> {
        let mut nearest = Nearest { distance: f64::INFINITY, number: 0, found: None };
        for spheres in &self.spheres {
            spheres.meet(ray, |distance, number, found| nearest.offer(distance, number, found));
        }
        for plane in &self.planes {
            if let Some(t) = plane.meet(ray) {
                nearest.offer(t, plane.number, || plane.found(ray.at(t)));
            }
        }
        for triangle in &self.triangles {
            if let Some((distance, point)) = triangle.meet(ray) {
                nearest.offer(distance, triangle.plane.number, || triangle.plane.found(point));
            }
        }
        let found = nearest.found?;
        Some(Hit {
            material: self.materials[nearest.number],
            point: found.point,
            normal: found.normal.vector(),
            entering: found.entering,
        })
    }

    /// Whether anything is hit nearer than `distance`.
    pub(super) fn blocks(&self, ray: &Ray, distance: f64) -> bool {
        self.spheres.iter().any(|spheres| spheres.block(ray, distance))
            || self.planes.iter().any(|plane| plane.meet(ray).is_some_and(|t| t < distance))
            || self
                .triangles
                .iter()
                .any(|triangle| triangle.meet(ray).is_some_and(|(hit, _)| hit < distance))
    }
}

// === impl Nearest ===

impl Nearest {
    /// Takes a hit where it is nearer, or as near and earlier in the scene. What is not a number is
    /// neither.
    #[expect(clippy::float_cmp, reason = "only what is exactly as near goes by its number")]
    fn offer(&mut self, distance: f64, number: usize, found: impl FnOnce() -> Found) {
        if distance < self.distance || (distance == self.distance && number < self.number) {
            *self = Nearest { distance, number, found: Some(found()) };
        }
    }
}

impl Normal {
    fn vector(self) -> Vector {
        match self {
            Normal::Ready(normal) => normal,
            Normal::ToNormalize(normal) => normal.normalized(),
        }
    }
}

// === impl Spheres ===

impl Spheres {
    fn none() -> Spheres {
        Spheres {
            x: [0.0; LANES],
            y: [0.0; LANES],
            z: [0.0; LANES],
            radius_squared: [f64::NAN; LANES],
            numbers: [usize::MAX; LANES],
        }
    }

    /// Puts a sphere in the first free place, or returns false.
    fn put(&mut self, center: Vector, radius: f64, number: usize) -> bool {
        let Some(lane) = self.numbers.iter().position(|&number| number == usize::MAX) else {
            return false;
        };
        (self.x[lane], self.y[lane], self.z[lane]) = (center.x, center.y, center.z);
        self.radius_squared[lane] = radius * radius;
        self.numbers[lane] = number;
        true
    }

    /// Offers what of them `ray` meets: the distance, the number, and the rest on demand.
    fn meet(&self, ray: &Ray, mut offer: impl FnMut(f64, usize, &dyn Fn() -> Found)) {
        let (halves, discriminants) = self.solve(ray);
        if !discriminants.iter().any(|&discriminant| 0.0 <= discriminant) {
            return;
        }
        for lane in 0..LANES {
            let Some(root) = root(halves[lane], discriminants[lane]) else { continue };
            let point = ray.at(root.t);
            let center = Vector::new(self.x[lane], self.y[lane], self.z[lane]);
            offer((point - ray.origin).length(), self.numbers[lane], &|| {
                let normal = if root.entering { point - center } else { center - point };
                let normal = Normal::ToNormalize(normal);
                Found { point, normal, entering: root.entering }
            });
        }
    }

    /// Whether `ray` meets one of them nearer than `distance`.
    fn block(&self, ray: &Ray, distance: f64) -> bool {
        let (halves, discriminants) = self.solve(ray);
        if !discriminants.iter().any(|&discriminant| 0.0 <= discriminant) {
            return false;
        }
        (0..LANES).any(|lane| {
            root(halves[lane], discriminants[lane])
                .is_some_and(|root| (ray.at(root.t) - ray.origin).length() < distance)
        })
    }

    /// The `b` and the discriminant of the quadratic equation of each: `t^2 + b t + c = 0`.
    fn solve(&self, ray: &Ray) -> ([f64; LANES], [f64; LANES]) {
        let (origin, direction) = (ray.origin, ray.direction);
        let x: [f64; LANES] = array::from_fn(|lane| origin.x - self.x[lane]);
        let y: [f64; LANES] = array::from_fn(|lane| origin.y - self.y[lane]);
        let z: [f64; LANES] = array::from_fn(|lane| origin.z - self.z[lane]);
        let b: [f64; LANES] = array::from_fn(|lane| {
            2.0 * (x[lane] * direction.x + y[lane] * direction.y + z[lane] * direction.z)
        });
        let discriminants = array::from_fn(|lane| {
            let squares = x[lane] * x[lane] + y[lane] * y[lane] + z[lane] * z[lane];
            b[lane] * b[lane] - 4.0 * (squares - self.radius_squared[lane])
        });
        (b, discriminants)
    }
}

/// Where a ray meets a sphere.
struct Root {
    t: f64,
    entering: bool,
}

/// The root of `t^2 + b t + c = 0` that a ray meets first, or `None` where both lie behind it.
fn root(b: f64, discriminant: f64) -> Option<Root> {
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

// === impl Plane ===

impl Plane {
    fn new(factors: Vector, offset: f64, number: usize) -> Plane {
        // Normalized twice: that rounds, and what was rendered before us did so.
        let normal = factors.normalized().normalized();
        Plane { factors, offset, normal, number }
    }

    /// Where `ray` meets it.
    fn meet(&self, ray: &Ray) -> Option<f64> {
        let denominator = self.factors.dot(ray.direction);
        if denominator == 0.0 {
            return None;
        }
        let t = -(self.factors.dot(ray.origin) + self.offset) / denominator;
        (0.0 <= t).then_some(t)
    }

    fn found(&self, point: Vector) -> Found {
        Found { point, normal: Normal::Ready(self.normal), entering: true }
    }
}

// === impl Triangle ===

impl Triangle {
    fn new([corner, second, third]: [Vector; 3], number: usize) -> Triangle {
        let (u, v) = (second - corner, third - corner);
        let normal = u.cross(v).normalized();
        let mut plane = Plane::new(normal, -corner.dot(normal), number);
        plane.normal = plane.normal.normalized();
        let (uu, uv, vv) = (u.dot(u), u.dot(v), v.dot(v));
        Triangle { plane, corner, u, v, uu, uv, vv, determinant: uv * uv - uu * vv }
    }

    /// How far away `ray` meets it, and where.
    fn meet(&self, ray: &Ray) -> Option<(f64, Vector)> {
        let point = ray.at(self.plane.meet(ray)?);
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
