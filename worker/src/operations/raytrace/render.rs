//! Traces the rays of a view.

use weighbridge_instrument::{Abandoned, checkpoint};
use weighbridge_scene::{
    Camera, Colour, DEPTH_MAX, Finish, Hit, Light, Material, Ray, Scene, Vector, View, clamp,
};

use super::pigment;
use crate::operations::codec::Raster;

/// A scene, seen from its camera.
pub(super) struct Renderer<'a> {
    scene: &'a Scene,
    view: &'a View,
    camera: Camera,
    texture: Option<&'a Raster>,
    /// Whether rays are so slow that a checkpoint costs next to nothing beside one.
    slow_rays: bool,
}

/// Columns between two checkpoints.
const COLUMNS: i64 = 8;

/// A ray that was reflected or transmitted this often comes to a checkpoint. It may lead to a
/// hundred further rays, which come to none.
const DEEP: u32 = 3;

/// Where a ray and its shadow rays are compared with this many shapes, every ray comes to a
/// checkpoint: such a ray takes a microsecond.
const SLOW_SHAPES: usize = 500;

/// What a hit shape looks like where it was hit.
struct Surface<'a> {
    finish: &'a Finish,
    pigment: Colour,
}

// === impl Renderer ===

impl<'a> Renderer<'a> {
    pub(super) fn new(
        scene: &'a Scene,
        view: &'a View,
        texture: Option<&'a Raster>,
    ) -> Renderer<'a> {
        let camera = Camera::new(&scene.viewpoint, view);
        let compared = scene.shapes.len().saturating_mul(scene.lights.len().max(1));
        Renderer { scene, view, camera, texture, slow_rays: SLOW_SHAPES <= compared }
    }

    /// Renders the window: rows from the top.
    pub(super) fn render(&self) -> Result<Vec<[u8; 3]>, Abandoned> {
        let mut pixels = Vec::with_capacity(self.view.width() * self.view.height());
        for row in 0..i64::from(self.view.wrows) {
            let row = self.view.row((row + 1) as f64);
            for column in 0..i64::from(self.view.wcols) {
                if column % COLUMNS == 0 {
                    checkpoint()?;
                }
                let column = column + i64::from(self.view.coff);
                pixels.push(self.pixel(column as f64, row)?.to_bytes());
            }
        }
        Ok(pixels)
    }

    fn pixel(&self, column: f64, row: f64) -> Result<Colour, Abandoned> {
        if !self.view.aa {
            return self.trace(&self.camera.ray(column + 0.5, row + 0.5), 0);
        }
        let mut sum = Colour::BLACK;
        for (x, y) in [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5)] {
            let colour = self.trace(&self.camera.ray(column + x, row + y), 0)?;
            sum = sum.plus(colour * 0.25);
        }
        Ok(sum)
    }

    /// What `ray` sees, which was reflected or transmitted `depth` times.
    fn trace(&self, ray: &Ray, depth: u32) -> Result<Colour, Abandoned> {
        if self.slow_rays || depth == DEEP {
            checkpoint()?;
        }
        match self.scene.shapes.nearest(ray, &mut ()) {
            Some(hit) => self.shade(ray, &hit, depth),
            None => Ok(Colour::BACKGROUND),
        }
    }

    fn surface(&self, hit: &Hit) -> Surface<'a> {
        let Material { pigment, finish } = hit.material;
        Surface {
            finish: &self.scene.finishes[finish],
            pigment: pigment::colour(&self.scene.pigments[pigment], hit.point, self.texture),
        }
    }

    fn shade(&self, ray: &Ray, hit: &Hit, depth: u32) -> Result<Colour, Abandoned> {
        let surface = self.surface(hit);
        let finish = surface.finish;
        let mut colour = Colour::BLACK;
        if let Some((ambient, lights)) = self.scene.lights.split_first() {
            if 0.0 < finish.ambient {
                colour = colour.blend(surface.pigment * (ambient.colour * clamp(finish.ambient)));
            }
            for light in lights {
                if let Some(lit) = self.lit(light, ray, hit, &surface) {
                    colour = colour.blend(lit);
                }
            }
        }
        if DEPTH_MAX <= depth {
            return Ok(colour);
        }
        if 0.0 < finish.reflection {
            let seen = self.trace(&hit.reflected(ray), depth + 1)?;
            colour = colour.blend(seen * clamp(finish.reflection));
        }
        if 0.0 < finish.transmission {
            let seen = self.trace(&hit.transmitted(ray, finish.ior), depth + 1)?;
            colour = colour.blend(seen * clamp(finish.transmission));
        }
        Ok(colour)
    }

    /// What `light` adds to the colour of a hit, or `None` in its shadow.
    fn lit(&self, light: &Light, ray: &Ray, hit: &Hit, surface: &Surface<'_>) -> Option<Colour> {
        let towards = light.position - hit.point;
        let shadow = Ray::new(hit.point, towards);
        if self.scene.shapes.blocks(&shadow, towards.length(), &mut ()) {
            return None;
        }
        let diffuse = diffuse(surface.finish, hit.normal, shadow.direction);
        let specular = specular(surface.finish, hit.normal, shadow.direction, ray.direction);
        let attenuation = attenuation(light, (light.position - shadow.origin).length());
        let mut channels = [0.0; 3];
        for (channel, (intensity, own)) in
            channels.iter_mut().zip(light.colour.0.into_iter().zip(surface.pigment.0))
        {
            *channel = intensity * attenuation * (own * diffuse + specular);
        }
        Some(Colour::clamped(channels))
    }
}

fn diffuse(finish: &Finish, normal: Vector, to_light: Vector) -> f32 {
    if 0.0 < finish.diffuse {
        finish.diffuse * not_negative(normal.dot(to_light)) as f32
    } else {
        0.0
    }
}

fn specular(finish: &Finish, normal: Vector, to_light: Vector, from_eye: Vector) -> f32 {
    if 0.0 < finish.specular {
        let halfway = (to_light + -from_eye).normalized();
        let cosine = not_negative(normal.dot(halfway));
        finish.specular * cosine.powf(f64::from(finish.shininess)) as f32
    } else {
        0.0
    }
}

fn attenuation(light: &Light, distance: f64) -> f32 {
    let [a, b, c] = light.attenuation.map(f64::from);
    1.0 / (a + b * distance + c * (distance * distance)) as f32
}

/// `value`, or zero where it is negative. What is not a number stays so, unlike with [`f64::max`].
fn not_negative(value: f64) -> f64 {
    if value <= 0.0 { 0.0 } else { value }
}
