//! How many rays an output pixel takes, from a sparse sample of the window that is asked for.
//!
//! The sample points are the first of the R2 sequence (Roberts, "The unreasonable effectiveness of
//! quasirandom sequences"): evenly spread however many there are, and the same for every request.

use crate::request::RequestSpec;

use super::extract::number;
use super::scene::Scene;
use super::trace::{RAY_COST, Ray, Tally, Tracer, Vector, add, cross, scale, sub, unit};

/// What is counted per output pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RayCount {
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
pub(super) struct RayCounts {
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
    /// The count for each output pixel.
    pub(super) fn count(&self, count: RayCount) -> f64 {
        let Tally { rays, shadows, hits, lit, tests } = self.tally;
        let rays_of = |count: u64| count as f64 * self.per_pixel;
        let tests_of = |count: u64| count as f64 * self.per_pixel * self.per_test;
        match count {
            RayCount::Rays => rays_of(rays),
            RayCount::Shadows => rays_of(shadows),
            RayCount::Intersections => rays_of(rays) * self.solids,
            RayCount::Hits => rays_of(hits),
            RayCount::Lit => rays_of(lit),
            RayCount::SphereTests => tests_of(tests.spheres),
            RayCount::SpheresMet => tests_of(tests.spheres_met),
            RayCount::PlaneTests => tests_of(tests.planes),
            RayCount::TriangleTests => tests_of(tests.triangles),
            RayCount::TrianglesMet => tests_of(tests.triangles_met),
        }
    }
}

/// Samples the window that the query asks for (`scols`, `srows`, `wcols`, `wrows`, `coff`, `roff`,
/// `aa`). Zeros where it asks for none.
pub(super) fn rays(scene: &Scene, spec: &RequestSpec<'_>) -> RayCounts {
    let Some(camera) = Camera::new(scene, spec) else { return RayCounts::default() };
    let n_tests = RAY_COST as f64 + scene.solids.n_tests().min(TESTS_PER_RAY_MAX) as f64;
    let budget = (camera.rays_primary() * n_tests * SHARE).clamp(BUDGET_MIN, BUDGET_MAX);
    let mut tracer = Tracer::new(scene, TESTS_PER_RAY_MAX, budget as u64);
    let (tally, n_points) = sample(&camera, &mut tracer);
    RayCounts {
        tally,
        per_pixel: camera.rays_per_pixel / f64::from(n_points),
        per_test: tracer.stride() as f64 * scene.shapes_per_read,
        solids: scene.solids.len() as f64 * scene.shapes_per_read,
    }
}

/// Follows rays to points of the window until the tracer is spent; what they came to, and for how
/// many points: at least 1. A point that was cut short does not count, unless it is the first.
fn sample(camera: &Camera, tracer: &mut Tracer<'_>) -> (Tally, u32) {
    let mut done = (Tally::default(), 0);
    // No more points than the request itself has.
    let points_max = camera.rays_primary().min(f64::from(POINTS_MAX)) as u32;
    for point in 0..points_max {
        let across = (0.5 + f64::from(point + 1) * 0.754_877_666_246_692_8).fract();
        let down = (0.5 + f64::from(point + 1) * 0.569_840_290_998_053_2).fract();
        tracer.follow(&camera.ray(across, down), 0);
        if tracer.is_spent() {
            break;
        }
        done = (tracer.tally, point + 1);
    }
    if done.1 == 0 { (tracer.tally, 1) } else { done }
}

/// From points of the window to rays.
struct Camera {
    eye: Vector,
    axes: [Vector; 3],
    /// Of the window's left top corner, and from there to its right bottom one.
    corner: [f64; 2],
    extent: [f64; 2],
    /// Primary rays for each pixel.
    rays_per_pixel: f64,
    pixels: f64,
}

impl Camera {
    fn new(scene: &Scene, spec: &RequestSpec<'_>) -> Option<Camera> {
        let query = |name| spec.query_value(name).map_or(0.0, number);
        let [scols, srows, wcols, wrows] = ["scols", "srows", "wcols", "wrows"].map(query);
        let [coff, roff] = ["coff", "roff"].map(query);
        // A picture's sides may be negative: that mirrors it.
        if [scols.abs(), srows.abs(), wcols, wrows].iter().any(|side| *side < 1.0) {
            return None;
        }
        let z = scale(unit(sub(scene.center, scene.eye)), -1.0);
        let x = unit(cross(scene.up, z));
        let fovy = scene.fovy.to_radians();
        let height = 2.0 * (fovy / 2.0).sin();
        let width = 2.0 * (fovy * scols / srows / 2.0).sin();
        Some(Camera {
            eye: scene.eye,
            axes: [x, cross(z, x), z],
            corner: [(coff / scols - 0.5) * width, ((wrows - roff) / srows - 0.5) * height],
            extent: [wcols / scols * width, -wrows / srows * height],
            rays_per_pixel: if 0.5 < query("aa") { 4.0 } else { 1.0 },
            pixels: wcols * wrows,
        })
    }

    fn rays_primary(&self) -> f64 {
        self.pixels * self.rays_per_pixel
    }

    /// The ray to a point of the window, given as fractions of it.
    fn ray(&self, across: f64, down: f64) -> Ray {
        let x = self.corner[0] + across * self.extent[0];
        let y = self.corner[1] + down * self.extent[1];
        let [side, up, back] = self.axes;
        let direction = sub(add(scale(side, x), scale(up, y)), back);
        Ray::new(self.eye, unit(direction))
    }
}
