//! Follows rays as the ray tracer does: geometry only, no colours.

use weighbridge_scene::{DEPTH_MAX, Light, Ray, Scene, Test, Vector, Watch};

/// What following rays came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Rays: primary, shadow, reflected, transmitted.
    pub(crate) rays: u64,
    /// Shadow rays.
    pub(crate) shadows: u64,
    /// Rays, shadow rays aside, that hit something.
    pub(crate) hits: u64,
    /// Shadow rays that reached their light.
    pub(crate) lit: u64,
    /// What all rays were tried on.
    pub(crate) tests: Tests,
}

/// How many tests there were, of each kind.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tests([u64; 5]);

/// Follows rays until its budget is spent.
#[derive(Debug)]
pub(crate) struct Tracer<'a> {
    scene: &'a Scene,
    /// The lights after the first, which is ambient.
    lamps: &'a [Light],
    /// What a ray costs: [`RAY_COST`], and each test that it may take 1.
    ray_cost: u64,
    /// What may still be spent.
    budget: u64,
    pub(crate) tally: Tally,
}

/// What a ray costs before it is tried on anything, in tests.
pub(crate) const RAY_COST: u64 = 4;

impl<'a> Tracer<'a> {
    /// A tracer that spends `budget`.
    pub(crate) fn new(scene: &'a Scene, budget: u64) -> Tracer<'a> {
        let ray_cost = RAY_COST + scene.shapes.n_tests() as u64;
        let lamps = scene.lights.get(1..).unwrap_or_default();
        Tracer { scene, lamps, ray_cost, budget, tally: Tally::default() }
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.budget == 0
    }

    /// Follows a ray and all that come of it, `depth` being 0 for one from the eye. A spent tracer
    /// follows none.
    pub(crate) fn follow(&mut self, ray: &Ray, depth: u32) {
        if !self.spend() {
            return;
        }
        let Some(hit) = self.scene.shapes.nearest(ray, &mut self.tally.tests) else { return };
        self.tally.hits += 1;
        for light in self.lamps {
            self.shadow(hit.point, light.position);
        }
        if DEPTH_MAX <= depth {
            return;
        }
        // A scene of very many finishes has the first of them only.
        let Some(finish) = self.scene.finishes.get(hit.material.finish) else { return };
        if 0.0 < finish.reflection {
            self.follow(&hit.reflected(ray), depth + 1);
        }
        if 0.0 < finish.transmission {
            self.follow(&hit.transmitted(ray, finish.ior), depth + 1);
        }
    }

    fn shadow(&mut self, point: Vector, light: Vector) {
        if !self.spend() {
            return;
        }
        self.tally.shadows += 1;
        let towards = light - point;
        let ray = Ray::new(point, towards);
        let blocked = self.scene.shapes.blocks(&ray, towards.length(), &mut self.tally.tests);
        self.tally.lit += u64::from(!blocked);
    }

    /// Pays for a ray that is tried on everything. Whether there was still enough.
    fn spend(&mut self) -> bool {
        if self.budget < self.ray_cost {
            self.budget = 0;
            return false;
        }
        self.budget -= self.ray_cost;
        self.tally.rays += 1;
        true
    }
}

// === impl Tests ===

impl Tests {
    pub(crate) fn count(self, test: Test) -> u64 {
        self.0[test as usize]
    }
}

impl Watch for Tests {
    #[inline]
    fn tested(&mut self, test: Test) {
        self.0[test as usize] += 1;
    }
}
