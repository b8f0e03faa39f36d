//! A scene, from its text: tokens separated by white space.
//!
//! ```text
//! eye(3) center(3) up(3) fovy_degrees
//! n_lights    position(3) colour(3) a b c                       each; the first is ambient
//! n_pigments  solid rgb | checker rgb rgb scale
//!             | gradient origin(3) vector(3) rgb rgb
//!             | texmap NAME sa sb sc sd ta tb tc td             each
//! n_finishes  ambient diffuse specular shininess reflection transmission ior   each
//! n_shapes    pigment_index finish_index shape                  each
//!
//! shape = sphere center(3) radius | plane normal(3) distance | triangle corner(3) corner(3) corner(3)
//!       | cylinder 7 numbers | cone 7 | disc 7 | parallelogram 9 | bezier 48
//!       | polyhedron n_faces face(4) each
//! ```
//!
//! Whatever follows the shapes is ignored. A number is finite; a count or index is not negative.
//! Only spheres, planes and triangles are ever hit.

use crate::DEPTH_MAX;
use crate::camera::Viewpoint;
use crate::colour::Colour;
use crate::pigment::{Affine, Pigment};
use crate::shapes::Shapes;
use crate::vector::Vector;

mod error;
mod tokens;
#[cfg(test)]
mod tests;

pub use error::SceneError;
use tokens::Tokens;

/// A scene, ready to be rendered.
#[derive(Debug)]
pub struct Scene {
    /// Where it is seen from.
    pub viewpoint: Viewpoint,
    /// The first is ambient.
    pub lights: Vec<Light>,
    /// What [`Material::pigment`](crate::Material::pigment) is an index into.
    pub pigments: Vec<Pigment>,
    /// What [`Material::finish`](crate::Material::finish) is an index into.
    pub finishes: Vec<Finish>,
    /// What is in it.
    pub shapes: Shapes,
}

/// A point that shines, by `1 / (a + b * distance + c * distance^2)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Light {
    /// Where it is.
    pub position: Vector,
    /// Its colour where it is.
    pub colour: Colour,
    /// `a`, `b` and `c`.
    pub attenuation: [f32; 3],
}

/// How a surface answers light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finish {
    /// The part of the ambient light that it returns.
    pub ambient: f32,
    /// The part of a light that it scatters.
    pub diffuse: f32,
    /// The part of a light that it returns in its highlight.
    pub specular: f32,
    /// How small the highlight is.
    pub shininess: f32,
    /// The part of a ray that it mirrors. None is followed where it is not above zero.
    pub reflection: f32,
    /// The part of a ray that it lets through. None is followed where it is not above zero.
    pub transmission: f32,
    /// Index of refraction.
    pub ior: f32,
}

/// What a scene may have at most. Each is checked before its cost is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Shapes, those that are never hit included.
    pub shapes: usize,
    /// Lights, the ambient one included.
    pub lights: usize,
    /// How often a ray may be reflected or transmitted. A scene that does either needs
    /// [`DEPTH_MAX`]; under that, such scenes are refused.
    pub recursion_depth: u32,
}

/// What of a scene says what it costs.
#[derive(Debug)]
pub struct Outline {
    /// The scene, with the first [`Outline::KEPT_MAX`] of each kind of thing: they stand for all.
    pub scene: Scene,
    /// How many lights the scene has.
    pub n_lights: usize,
    /// How many pigments the scene has.
    pub n_pigments: usize,
    /// How many finishes the scene has.
    pub n_finishes: usize,
    /// How many shapes the scene has.
    pub n_shapes: usize,
}

/// Reads a scene as it has to be for being rendered: every mistake is an error.
#[inline]
pub fn parse(text: &str, limits: &Limits) -> Result<Scene, SceneError> {
    Ok(read(text, limits, usize::MAX)?.scene)
}

/// Reads a scene as far as it says what it costs: of any size, at a cost that is linear in it, and
/// in bounded memory. `None` where the text is no scene: a worker refuses it at once.
///
/// The counts are those of the whole scene. Shapes after [`Outline::KEPT_MAX`] are not read, so
/// they may be anything.
#[inline]
pub fn outline(text: &str) -> Option<Outline> {
    let mut outline = read(text, &Limits::NONE, Outline::KEPT_MAX).ok()?;
    // Every shape takes more than one character, whatever number of them is announced.
    outline.n_shapes = outline.n_shapes.min(text.len());
    Some(outline)
}

/// Reads a scene, and keeps `kept` of each kind of thing.
#[inline]
fn read(text: &str, limits: &Limits, kept: usize) -> Result<Outline, SceneError> {
    let mut tokens = Tokens::new(text);
    let viewpoint = Viewpoint {
        eye: vector(&mut tokens)?,
        center: vector(&mut tokens)?,
        up: vector(&mut tokens)?,
        fovy_degrees: tokens.float("an angle")?,
    };
    let n_lights = tokens.count("the number of lights")?;
    if limits.lights < n_lights {
        return Err(SceneError::TooManyLights { lights: n_lights, limit: limits.lights });
    }
    let lights = list(n_lights, kept, &mut tokens, light)?;
    let n_pigments = tokens.count("the number of pigments")?;
    let pigments = list(n_pigments, kept, &mut tokens, pigment)?;
    let n_finishes = tokens.count("the number of finishes")?;
    let finishes = list(n_finishes, kept, &mut tokens, finish)?;
    check_recursion(&finishes, limits)?;
    let n_shapes = tokens.count("the number of shapes")?;
    if limits.shapes < n_shapes {
        return Err(SceneError::TooManyShapes { shapes: n_shapes, limit: limits.shapes });
    }
    let mut shapes = Shapes::default();
    for _ in 0..n_shapes.min(kept) {
        let pigment = tokens.index("pigment", n_pigments)?;
        let finish = tokens.index("finish", n_finishes)?;
        shape(&mut tokens, &mut shapes)?;
        shapes.push_material(pigment, finish);
    }
    let scene = Scene { viewpoint, lights, pigments, finishes, shapes };
    Ok(Outline { scene, n_lights, n_pigments, n_finishes, n_shapes })
}

/// The first `kept` of `n` things that `read` reads. Nothing is reserved for them: a count costs
/// nothing by itself.
#[inline]
fn list<T>(
    n: usize,
    kept: usize,
    tokens: &mut Tokens<'_>,
    read: impl Fn(&mut Tokens<'_>) -> Result<T, SceneError>,
) -> Result<Vec<T>, SceneError> {
    let list = (0..n.min(kept)).map(|_| read(tokens)).collect::<Result<_, _>>()?;
    for _ in kept..n {
        read(tokens)?;
    }
    Ok(list)
}

#[inline]
fn check_recursion(finishes: &[Finish], limits: &Limits) -> Result<(), SceneError> {
    let recursive = |finish: &Finish| 0.0 < finish.reflection || 0.0 < finish.transmission;
    if limits.recursion_depth < DEPTH_MAX && finishes.iter().any(recursive) {
        return Err(SceneError::TooDeep { needed: DEPTH_MAX, limit: limits.recursion_depth });
    }
    Ok(())
}

#[inline]
fn vector(tokens: &mut Tokens<'_>) -> Result<Vector, SceneError> {
    let mut coordinate = || tokens.float("a coordinate");
    Ok(Vector::new(coordinate()?, coordinate()?, coordinate()?))
}

#[inline]
fn colour(tokens: &mut Tokens<'_>) -> Result<Colour, SceneError> {
    let mut channel = || tokens.float("a colour channel");
    Ok(Colour::clamped([channel()?, channel()?, channel()?]))
}

#[inline]
fn light(tokens: &mut Tokens<'_>) -> Result<Light, SceneError> {
    let position = vector(tokens)?;
    let colour = colour(tokens)?;
    let mut factor = || tokens.float("an attenuation");
    Ok(Light { position, colour, attenuation: [factor()?, factor()?, factor()?] })
}

#[inline]
fn pigment(tokens: &mut Tokens<'_>) -> Result<Pigment, SceneError> {
    match tokens.word("a pigment")? {
        "solid" => Ok(Pigment::Solid(colour(tokens)?)),
        "checker" => Ok(Pigment::Checker {
            even: colour(tokens)?,
            odd: colour(tokens)?,
            scale: tokens.float("a scale")?,
        }),
        "gradient" => {
            vector(tokens)?;
            vector(tokens)?;
            let first = colour(tokens)?;
            colour(tokens)?;
            Ok(Pigment::Solid(first))
        }
        "texmap" => {
            tokens.word("the name of a texture")?;
            Ok(Pigment::Texture { s: affine(tokens)?, t: affine(tokens)? })
        }
        _ => Err(tokens.unexpected("a pigment")),
    }
}

#[inline]
fn affine(tokens: &mut Tokens<'_>) -> Result<Affine, SceneError> {
    Ok(Affine { factors: vector(tokens)?, offset: tokens.float("an offset")? })
}

#[inline]
fn finish(tokens: &mut Tokens<'_>) -> Result<Finish, SceneError> {
    let mut factor = || tokens.float("a factor of a finish");
    Ok(Finish {
        ambient: factor()?,
        diffuse: factor()?,
        specular: factor()?,
        shininess: factor()?,
        reflection: factor()?,
        transmission: factor()?,
        ior: factor()?,
    })
}

/// Reads a shape. Those that are never hit are read to their end, and forgotten.
#[inline]
fn shape(tokens: &mut Tokens<'_>, shapes: &mut Shapes) -> Result<(), SceneError> {
    let skip = |tokens: &mut Tokens<'_>, n: usize| {
        (0..n).try_for_each(|_| tokens.float::<f64>("a number of a shape").map(drop))
    };
    match tokens.word("a shape")? {
        "sphere" => {
            let center = vector(tokens)?;
            shapes.push_sphere(center, tokens.float("a radius")?);
        }
        "plane" => {
            let normal = vector(tokens)?;
            shapes.push_plane(normal, tokens.float("a distance")?);
        }
        "triangle" => {
            let corners = [vector(tokens)?, vector(tokens)?, vector(tokens)?];
            shapes.push_triangle(corners);
        }
        "cylinder" | "cone" | "disc" => skip(tokens, 7)?,
        "parallelogram" => skip(tokens, 9)?,
        "bezier" => skip(tokens, 48)?,
        "polyhedron" => {
            for _ in 0..tokens.count("the number of faces")? {
                skip(tokens, 4)?;
            }
        }
        _ => return Err(tokens.unexpected("a shape")),
    }
    Ok(())
}

// === impl Scene ===

impl Scene {
    /// Whether a pigment needs a texture.
    #[inline]
    pub fn has_texture(&self) -> bool {
        self.pigments.iter().any(|pigment| match pigment {
            Pigment::Texture { .. } => true,
            Pigment::Solid(_) | Pigment::Checker { .. } => false,
        })
    }
}

// === impl Limits ===

impl Limits {
    /// None at all.
    pub const NONE: Limits =
        Limits { shapes: usize::MAX, lights: usize::MAX, recursion_depth: DEPTH_MAX };
}

// === impl Outline ===

impl Outline {
    /// How many of each kind of thing an outline keeps.
    pub const KEPT_MAX: usize = 4096;

    /// How many shapes the scene has for each one that was kept; 1 in all but huge scenes.
    #[inline]
    pub fn shapes_per_kept(&self) -> f64 {
        self.n_shapes as f64 / self.scene.shapes.len().max(1) as f64
    }
}
