//! How many rays an output pixel takes, from a sparse sample of the window that is asked for.
//!
//! The sample points are the first of the R2 sequence (Roberts, "The unreasonable effectiveness of
//! quasirandom sequences"): evenly spread however many there are, and the same for every request.

use weighbridge_scene::{Camera, Outline, Ray, Test, View, Viewpoint};

use crate::trace::{RAY_COST, Tally, Tracer};

/// What is counted per output pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RayCount {
    /// Rays: primary, shadow, reflected, transmitted.
    Rays,
    /// Shadow rays alone.
    Shadows,
    /// Rays times shapes that each is tried on.
    Intersections,
    /// Rays, shadow rays aside, that hit something and so are shaded.
    Hits,
    /// Shadow rays that reached their light.
    Lit,
    /// Tests of a ray against four spheres; a shadow ray is tried up to the first that blocks it.
    SphereTests,
    /// Those that met one of the four.
    SpheresMet,
    /// Tests of a ray against a plane.
    PlaneTests,
    /// Tests of a ray against a triangle.
    TriangleTests,
    /// Those that met the plane that the triangle lies in.
    TrianglesMet,
}

/// The counts of a sample.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RayCounts {
    tally: Tally,
    /// What makes them those of an output pixel...
    per_pixel: f64,
    /// ...and, of tests, those of all shapes.
    per_test: f64,
    solids: f64,
}

/// The most tests that one ray takes.
const TESTS_PER_RAY_MAX: usize = 256;
/// The sample may cost this part of the request's own tests of a ray against a shape...
const SHARE: f64 = 1.0 / 500.0;
/// ...and this many at the least and the most.
const BUDGET_MIN: f64 = 6_000.0;
const BUDGET_MAX: f64 = 16_000.0;
/// Points at the most: past these a sample is no better for it.
const POINTS_MAX: u32 = 600;

impl RayCounts {
    /// How much of its budget the sample spent on tests.
    #[cfg(test)]
    pub(crate) fn n_tests(&self) -> u64 {
        [Test::Spheres, Test::Plane, Test::Triangle]
            .map(|test| self.tally.tests.count(test))
            .iter()
            .sum()
    }

    /// The count for each output pixel.
    pub(crate) fn count(&self, count: RayCount) -> f64 {
        let Tally { rays, shadows, hits, lit, tests } = self.tally;
        let rays_of = |count: u64| count as f64 * self.per_pixel;
        let tests_of = |test: Test| tests.count(test) as f64 * self.per_pixel * self.per_test;
        match count {
            RayCount::Rays => rays_of(rays),
            RayCount::Shadows => rays_of(shadows),
            RayCount::Intersections => rays_of(rays) * self.solids,
            RayCount::Hits => rays_of(hits),
            RayCount::Lit => rays_of(lit),
            RayCount::SphereTests => tests_of(Test::Spheres),
            RayCount::SpheresMet => tests_of(Test::SpheresMet),
            RayCount::PlaneTests => tests_of(Test::Plane),
            RayCount::TriangleTests => tests_of(Test::Triangle),
            RayCount::TrianglesMet => tests_of(Test::TriangleMet),
        }
    }
}

/// Samples the window that `view` asks for.
pub(crate) fn rays(outline: Outline, view: &View) -> RayCounts {
    let shapes_per_kept = outline.shapes_per_kept();
    let mut scene = outline.scene;
    let solids = scene.shapes.n_solids() as f64 * shapes_per_kept;
    let n_tests = scene.shapes.n_tests();
    let stride = n_tests.div_ceil(TESTS_PER_RAY_MAX).max(1);
    if 1 < stride {
        scene.shapes.thin(stride);
    }
    let window = Window::new(&scene.viewpoint, view);
    let ray_cost = RAY_COST as f64 + n_tests.min(TESTS_PER_RAY_MAX) as f64;
    let budget = (window.rays_primary() * ray_cost * SHARE).clamp(BUDGET_MIN, BUDGET_MAX);
    let mut tracer = Tracer::new(&scene, budget as u64);
    let (tally, n_points) = sample(&window, &mut tracer);
    RayCounts {
        tally,
        per_pixel: window.rays_per_pixel / f64::from(n_points),
        per_test: stride as f64 * shapes_per_kept,
        solids,
    }
}

/// Follows rays to points of the window until the tracer is spent; what they came to, and for how
/// many points: at least 1. A point that was cut short does not count, unless it is the first.
fn sample(window: &Window<'_>, tracer: &mut Tracer<'_>) -> (Tally, u32) {
    let mut done = (Tally::default(), 0);
    // No more points than the request itself has.
    let points_max = window.rays_primary().min(f64::from(POINTS_MAX)) as u32;
    for point in 0..points_max {
        let across = (0.5 + f64::from(point + 1) * 0.754_877_666_246_692_8).fract();
        let down = (0.5 + f64::from(point + 1) * 0.569_840_290_998_053_2).fract();
        tracer.follow(&window.ray(across, down), 0);
        if tracer.is_spent() {
            break;
        }
        done = (tracer.tally, point + 1);
    }
    if done.1 == 0 { (tracer.tally, 1) } else { done }
}

/// From points of the window to rays.
struct Window<'a> {
    view: &'a View,
    camera: Camera,
    /// Primary rays for each pixel.
    rays_per_pixel: f64,
}

impl<'a> Window<'a> {
    fn new(viewpoint: &Viewpoint, view: &'a View) -> Window<'a> {
        let rays_per_pixel = if view.aa { 4.0 } else { 1.0 };
        Window { view, camera: Camera::new(viewpoint, view), rays_per_pixel }
    }

    fn rays_primary(&self) -> f64 {
        self.view.pixels() as f64 * self.rays_per_pixel
    }

    /// The ray to a point of the window, given as fractions of it.
    fn ray(&self, across: f64, down: f64) -> Ray {
        let column = f64::from(self.view.coff) + across * f64::from(self.view.wcols);
        self.camera.ray(column, self.view.row(down * f64::from(self.view.wrows)))
    }
}
