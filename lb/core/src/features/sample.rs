//! How many rays an output pixel takes, from a sparse sample of the window that is asked for.
//!
//! The sample points are the first of the R2 sequence (Roberts, "The unreasonable effectiveness of
//! quasirandom sequences"): evenly spread however many there are, and the same for every request.

use crate::request::RequestSpec;

use super::extract::number;
use super::scene::Scene;
use super::trace::{Ray, Tally, Tracer, Vector, add, cross, scale, sub, unit};

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
}

/// The counts, per output pixel.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RayCounts {
    rays: f64,
    shadows: f64,
    hits: f64,
    lit: f64,
    solids: f64,
}

/// The most shapes that one ray is tried on.
const SOLIDS_MAX: usize = 512;
/// The sample may cost this part of the request's own tests of a ray against a shape...
const SHARE: f64 = 1.0 / 500.0;
/// ...and this many at the least and the most.
const TESTS_MIN: f64 = 8_000.0;
const TESTS_MAX: f64 = 30_000.0;
/// Points at the most: past these a sample is no better for it.
const POINTS_MAX: u32 = 600;
/// Rays at the most, for scenes of hardly any shape.
const RAYS_MAX: f64 = 1_500.0;

impl RayCounts {
    pub(super) fn count(&self, count: RayCount) -> f64 {
        match count {
            RayCount::Rays => self.rays,
            RayCount::Shadows => self.shadows,
            RayCount::Intersections => self.rays * self.solids,
            RayCount::Hits => self.hits,
            RayCount::Lit => self.lit,
        }
    }
}

/// Samples the window that the query asks for (`scols`, `srows`, `wcols`, `wrows`, `coff`, `roff`,
/// `aa`). Zeros where it asks for none.
pub(super) fn rays(scene: &Scene, spec: &RequestSpec<'_>) -> RayCounts {
    let Some(camera) = Camera::new(scene, spec) else { return RayCounts::default() };
    let n_tested = scene.solids.len().clamp(1, SOLIDS_MAX);
    let tests = (camera.rays_primary() * n_tested as f64 * SHARE).clamp(TESTS_MIN, TESTS_MAX);
    let rays_max = (tests / n_tested as f64).clamp(1.0, RAYS_MAX);
    let mut tracer = Tracer::new(scene, SOLIDS_MAX, rays_max as u64);
    let (tally, n_points) = sample(&camera, &mut tracer);
    let per_pixel = camera.rays_per_pixel / f64::from(n_points);
    RayCounts {
        rays: tally.rays as f64 * per_pixel,
        shadows: tally.shadows as f64 * per_pixel,
        hits: tally.hits as f64 * per_pixel,
        lit: tally.lit as f64 * per_pixel,
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
        tracer.follow(camera.ray(across, down), 0);
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
