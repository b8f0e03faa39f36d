//! Where rays go in a scene: geometry only, no colours.

use super::scene::{Finish, Scene, Solid};

/// A point or direction.
pub(super) type Vector = [f64; 3];

/// What a ray can hit, prepared for hitting.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    Sphere {
        center: Vector,
        radius_squared: f64,
    },
    /// Points where `normal . p + offset = 0`.
    Plane {
        normal: Vector,
        offset: f64,
    },
    /// One corner and the edges from it.
    Triangle {
        corner: Vector,
        edges: [Vector; 2],
    },
}

/// A half line. Its direction has length 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ray {
    origin: Vector,
    direction: Vector,
}

/// What following rays came to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Rays: primary, shadow, reflected, transmitted.
    pub(super) rays: u64,
    /// Shadow rays.
    pub(super) shadows: u64,
    /// Rays, shadow rays aside, that hit something.
    pub(super) hits: u64,
    /// Shadow rays that reached their light.
    pub(super) lit: u64,
}

/// Follows rays until its budget is spent.
#[derive(Debug)]
pub(super) struct Tracer<'a> {
    scene: &'a Scene,
    /// Every how many solids one is tried, from the first: 1 in all but huge scenes.
    stride: usize,
    /// Rays that may still be followed.
    rays_left: u64,
    pub(super) tally: Tally,
}

/// How often a ray may be sent on: as often as the ray tracer does it.
const DEPTH_MAX: u32 = 6;

/// Every ray starts so far from where it is sent.
const PUSH: f64 = 0.001;

impl<'a> Tracer<'a> {
    /// A tracer that tries at most `solids_max` solids for each of at most `rays_max` rays.
    pub(super) fn new(scene: &'a Scene, solids_max: usize, rays_max: u64) -> Tracer<'a> {
        let stride = scene.solids.len().div_ceil(solids_max).max(1);
        Tracer { scene, stride, rays_left: rays_max, tally: Tally::default() }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.rays_left == 0
    }

    /// Follows a ray and all that come of it, `depth` being 0 for one from the eye.
    pub(super) fn follow(&mut self, ray: Ray, depth: u32) {
        let Some((distance, solid)) = self.nearest(ray) else { return };
        self.tally.hits += 1;
        let point = ray.at(distance);
        for light in &self.scene.lamps {
            self.shadow(point, *light);
        }
        if depth == DEPTH_MAX {
            return;
        }
        let Finish { reflects, transmits, ior } = solid.finish;
        let normal = solid.shape.normal(point);
        if reflects {
            self.follow(Ray::new(point, reflected(ray.direction, normal)), depth + 1);
        }
        if transmits {
            self.follow(Ray::new(point, refracted(ray.direction, normal, ior)), depth + 1);
        }
    }

    fn shadow(&mut self, point: Vector, light: Vector) {
        self.tally.shadows += 1;
        let to_light = sub(light, point);
        let distance = dot(to_light, to_light).sqrt();
        let ray = Ray::new(point, scale(to_light, 1.0 / distance));
        let blocked = self.nearest(ray).is_some_and(|(hit, _)| hit < distance);
        self.tally.lit += u64::from(!blocked);
    }

    /// The nearest hit. A spent tracer hits nothing.
    fn nearest(&mut self, ray: Ray) -> Option<(f64, Solid)> {
        self.rays_left = self.rays_left.checked_sub(1)?;
        self.tally.rays += 1;
        let mut nearest = None;
        let mut distance = f64::INFINITY;
        for solid in self.scene.solids.iter().step_by(self.stride) {
            if let Some(hit) = solid.shape.hit(ray)
                && hit < distance
            {
                distance = hit;
                nearest = Some(solid);
            }
        }
        nearest.map(|solid| (distance, *solid))
    }
}

// === impl Ray ===

impl Ray {
    /// From `from`, pushed a little, along `direction` of length 1.
    pub(super) fn new(from: Vector, direction: Vector) -> Ray {
        Ray { origin: add(from, scale(direction, PUSH)), direction }
    }

    fn at(self, distance: f64) -> Vector {
        add(self.origin, scale(self.direction, distance))
    }
}

// === impl Shape ===

impl Shape {
    pub(super) fn sphere(center: Vector, radius: f64) -> Shape {
        Shape::Sphere { center, radius_squared: radius * radius }
    }

    pub(super) fn plane(normal: Vector, offset: f64) -> Shape {
        Shape::Plane { normal, offset }
    }

    pub(super) fn triangle(first: Vector, second: Vector, third: Vector) -> Shape {
        Shape::Triangle { corner: first, edges: [sub(second, first), sub(third, first)] }
    }

    /// How far along the ray it is hit. `None` for a ray that is not a number, too.
    fn hit(&self, ray: Ray) -> Option<f64> {
        match *self {
            Shape::Sphere { center, radius_squared } => {
                let from_center = sub(ray.origin, center);
                let half = dot(from_center, ray.direction);
                let apart = dot(from_center, from_center) - radius_squared;
                let discriminant = half * half - apart;
                if discriminant < 0.0 || discriminant.is_nan() {
                    return None;
                }
                let root = discriminant.sqrt();
                let near = -half - root;
                let distance = if 0.0 < near { near } else { root - half };
                (0.0 < distance).then_some(distance)
            }
            Shape::Plane { normal, offset } => {
                let distance = -(dot(normal, ray.origin) + offset) / dot(normal, ray.direction);
                (0.0 < distance && distance.is_finite()).then_some(distance)
            }
            Shape::Triangle { corner, edges } => hit_triangle(corner, edges, ray),
        }
    }

    fn normal(&self, point: Vector) -> Vector {
        match *self {
            Shape::Sphere { center, .. } => unit(sub(point, center)),
            Shape::Plane { normal, .. } => unit(normal),
            Shape::Triangle { edges: [one, other], .. } => unit(cross(one, other)),
        }
    }
}

/// Möller and Trumbore.
fn hit_triangle(corner: Vector, [one, other]: [Vector; 2], ray: Ray) -> Option<f64> {
    let across = cross(ray.direction, other);
    let inverse = 1.0 / dot(one, across);
    let from_corner = sub(ray.origin, corner);
    let u = dot(from_corner, across) * inverse;
    let along = cross(from_corner, one);
    let v = dot(ray.direction, along) * inverse;
    let distance = dot(other, along) * inverse;
    let inside = 0.0 <= u && 0.0 <= v && u + v <= 1.0 && 0.0 < distance && distance.is_finite();
    inside.then_some(distance)
}

fn reflected(direction: Vector, normal: Vector) -> Vector {
    sub(direction, scale(normal, 2.0 * dot(direction, normal)))
}

/// Not a number in total internal reflection: such a ray hits nothing.
fn refracted(direction: Vector, normal: Vector, ior: f64) -> Vector {
    let cosine = dot(direction, normal);
    let (normal, cosine, ratio) = if cosine < 0.0 {
        (normal, -cosine, 1.0 / ior)
    } else {
        (scale(normal, -1.0), cosine, ior)
    };
    let bent = (1.0 - ratio * ratio * (1.0 - cosine * cosine)).sqrt();
    add(scale(direction, ratio), scale(normal, ratio * cosine - bent))
}

// === vectors ===

pub(super) fn add(one: Vector, other: Vector) -> Vector {
    [one[0] + other[0], one[1] + other[1], one[2] + other[2]]
}

pub(super) fn sub(one: Vector, other: Vector) -> Vector {
    [one[0] - other[0], one[1] - other[1], one[2] - other[2]]
}

pub(super) fn scale(one: Vector, by: f64) -> Vector {
    one.map(|side| side * by)
}

pub(super) fn dot(one: Vector, other: Vector) -> f64 {
    one[0] * other[0] + one[1] * other[1] + one[2] * other[2]
}

pub(super) fn cross(one: Vector, other: Vector) -> Vector {
    [
        one[1] * other[2] - one[2] * other[1],
        one[2] * other[0] - one[0] * other[2],
        one[0] * other[1] - one[1] * other[0],
    ]
}

pub(super) fn unit(one: Vector) -> Vector {
    scale(one, 1.0 / dot(one, one).sqrt())
}
