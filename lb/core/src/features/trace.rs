//! Where rays go in a scene: geometry only, no colours.

use super::scene::{Finish, Scene};
use super::solids::Tests;

/// A point or direction.
pub(super) type Vector = [f64; 3];

/// A half line. Its direction has length 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ray {
    pub(super) origin: Vector,
    pub(super) direction: Vector,
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
    /// What all rays were tried on.
    pub(super) tests: Tests,
}

/// Follows rays until its budget is spent.
#[derive(Debug)]
pub(super) struct Tracer<'a> {
    scene: &'a Scene,
    /// Every how many solids of a kind one is tried, from the first: 1 in all but huge scenes.
    stride: usize,
    /// What may still be spent: a ray costs [`RAY_COST`], and each test 1.
    budget: u64,
    pub(super) tally: Tally,
}

/// What a ray costs before it is tried on anything, in tests.
pub(super) const RAY_COST: u64 = 4;

/// How often a ray may be sent on: as often as the ray tracer does it.
const DEPTH_MAX: u32 = 6;

/// Every ray starts so far from where it is sent.
const PUSH: f64 = 0.001;

impl<'a> Tracer<'a> {
    /// A tracer that spends `budget`, and tries each ray on about `tests_max` solids at the most.
    pub(super) fn new(scene: &'a Scene, tests_max: usize, budget: u64) -> Tracer<'a> {
        let stride = scene.solids.n_tests().div_ceil(tests_max).max(1);
        Tracer { scene, stride, budget, tally: Tally::default() }
    }

    pub(super) fn is_spent(&self) -> bool {
        self.budget == 0
    }

    /// Every how many solids one was tried.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// Follows a ray and all that come of it, `depth` being 0 for one from the eye. A spent tracer
    /// follows none.
    pub(super) fn follow(&mut self, ray: &Ray, depth: u32) {
        if !self.spend() {
            return;
        }
        let Some(hit) = self.scene.solids.nearest(ray, self.stride, &mut self.tally.tests) else {
            return;
        };
        self.tally.hits += 1;
        let point = ray.at(hit.distance);
        for light in &self.scene.lamps {
            self.shadow(point, *light);
        }
        if depth == DEPTH_MAX {
            return;
        }
        let finish = self.scene.finishes.get(hit.finish).copied().unwrap_or_default();
        let Finish { reflects, transmits, ior } = finish;
        if reflects {
            self.follow(&Ray::new(point, reflected(ray.direction, hit.normal)), depth + 1);
        }
        if transmits {
            self.follow(&Ray::new(point, refracted(ray.direction, hit.normal, ior)), depth + 1);
        }
    }

    fn shadow(&mut self, point: Vector, light: Vector) {
        if !self.spend() {
            return;
        }
        self.tally.shadows += 1;
        let to_light = sub(light, point);
        let distance = dot(to_light, to_light).sqrt();
        let ray = Ray::new(point, scale(to_light, 1.0 / distance));
        let blocked = self.scene.solids.blocks(&ray, distance, self.stride, &mut self.tally.tests);
        self.tally.lit += u64::from(!blocked);
    }

    /// Pays for a ray that is tried on everything. Whether there was still enough.
    fn spend(&mut self) -> bool {
        let cost = RAY_COST + self.scene.solids.n_tests().div_ceil(self.stride) as u64;
        if self.budget < cost {
            self.budget = 0;
            return false;
        }
        self.budget -= cost;
        self.tally.rays += 1;
        true
    }
}

// === impl Ray ===

impl Ray {
    /// From `from`, pushed a little, along `direction` of length 1.
    pub(super) fn new(from: Vector, direction: Vector) -> Ray {
        Ray { origin: add(from, scale(direction, PUSH)), direction }
    }

    pub(super) fn at(self, distance: f64) -> Vector {
        add(self.origin, scale(self.direction, distance))
    }
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
