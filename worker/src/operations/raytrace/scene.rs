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
//! ```
//!
//! Whatever follows the shapes is ignored. A number is finite; a count or index is not negative.

use super::camera::Viewpoint;
use super::colour::Colour;
use super::pigment::{Affine, Pigment};
use super::shapes::Shapes;
use super::vector::Vector;
use crate::operations::limits::Limits;

mod error;
mod tokens;

pub use error::SceneError;
use tokens::Tokens;

/// A scene, ready to be rendered.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) viewpoint: Viewpoint,
    /// The first is ambient.
    pub(super) lights: Vec<Light>,
    pub(super) pigments: Vec<Pigment>,
    pub(super) finishes: Vec<Finish>,
    pub(super) shapes: Shapes,
}

/// A point that shines, by `1 / (a + b * distance + c * distance^2)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Light {
    pub(super) position: Vector,
    pub(super) colour: Colour,
    pub(super) attenuation: [f32; 3],
}

/// How a surface answers light.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finish {
    pub(super) ambient: f32,
    pub(super) diffuse: f32,
    pub(super) specular: f32,
    pub(super) shininess: f32,
    pub(super) reflection: f32,
    pub(super) transmission: f32,
    /// Index of refraction.
    pub(super) ior: f32,
}

/// Reads a scene.
pub(super) fn parse(text: &str, limits: &Limits) -> Result<Scene, SceneError> {
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
    let lights = list(n_lights, &mut tokens, light)?;
    let n_pigments = tokens.count("the number of pigments")?;
    let pigments = list(n_pigments, &mut tokens, pigment)?;
    let n_finishes = tokens.count("the number of finishes")?;
    let finishes = list(n_finishes, &mut tokens, finish)?;
    check_recursion(&finishes, limits)?;
    let n_shapes = tokens.count("the number of shapes")?;
    if limits.shapes < n_shapes {
        return Err(SceneError::TooManyShapes { shapes: n_shapes, limit: limits.shapes });
    }
    let mut shapes = Shapes::default();
    for _ in 0..n_shapes {
        let pigment = tokens.index("pigment", pigments.len())?;
        let finish = tokens.index("finish", finishes.len())?;
        shape(&mut tokens, &mut shapes)?;
        shapes.push_material(pigment, finish);
    }
    Ok(Scene { viewpoint, lights, pigments, finishes, shapes })
}

/// `n` of what `read` reads. Nothing is reserved for them: a count costs nothing by itself.
fn list<T>(
    n: usize,
    tokens: &mut Tokens<'_>,
    read: impl Fn(&mut Tokens<'_>) -> Result<T, SceneError>,
) -> Result<Vec<T>, SceneError> {
    (0..n).map(|_| read(tokens)).collect()
}

fn check_recursion(finishes: &[Finish], limits: &Limits) -> Result<(), SceneError> {
    let recursive = |finish: &Finish| 0.0 < finish.reflection || 0.0 < finish.transmission;
    let needed = Limits::RECURSION_DEPTH_NEEDED;
    if limits.recursion_depth < needed && finishes.iter().any(recursive) {
        return Err(SceneError::TooDeep { needed, limit: limits.recursion_depth });
    }
    Ok(())
}

fn vector(tokens: &mut Tokens<'_>) -> Result<Vector, SceneError> {
    let mut coordinate = || tokens.float("a coordinate");
    Ok(Vector::new(coordinate()?, coordinate()?, coordinate()?))
}

fn colour(tokens: &mut Tokens<'_>) -> Result<Colour, SceneError> {
    let mut channel = || tokens.float("a colour channel");
    Ok(Colour::clamped([channel()?, channel()?, channel()?]))
}

fn light(tokens: &mut Tokens<'_>) -> Result<Light, SceneError> {
    let position = vector(tokens)?;
    let colour = colour(tokens)?;
    let mut factor = || tokens.float("an attenuation");
    Ok(Light { position, colour, attenuation: [factor()?, factor()?, factor()?] })
}

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

fn affine(tokens: &mut Tokens<'_>) -> Result<Affine, SceneError> {
    Ok(Affine { factors: vector(tokens)?, offset: tokens.float("an offset")? })
}

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
    pub(super) fn has_texture(&self) -> bool {
        self.pigments.iter().any(|pigment| match pigment {
            Pigment::Texture { .. } => true,
            Pigment::Solid(_) | Pigment::Checker { .. } => false,
        })
    }
}
