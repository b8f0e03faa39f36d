//! The scene of a ray-tracing request: `{"scene": "<tokens>", ...}`.

use super::json::{self, Found, Pointer};
use super::sample::RayCount;
use super::solids::Solids;
use super::trace::Vector;

/// What can be asked of a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Count(Count),
    Rays(RayCount),
}

/// What the scene's text says by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// All shapes.
    Shapes,
    /// Shapes that a ray can hit: spheres, planes, triangles.
    Solids,
    Spheres,
    Planes,
    Triangles,
    Lights,
    Pigments,
    Finishes,
}

/// What matters of a scene for its cost: geometry, lights and which shapes send rays on.
#[derive(Debug, Clone, Default)]
pub(super) struct Scene {
    pub(super) eye: Vector,
    pub(super) center: Vector,
    pub(super) up: Vector,
    /// Field of view, vertical, in degrees.
    pub(super) fovy: f64,
    /// Positions of the lights after the first, which is ambient.
    pub(super) lamps: Vec<Vector>,
    pub(super) finishes: Vec<Finish>,
    /// Shapes that a ray can hit, with the index of their finish.
    pub(super) solids: Solids,
    /// Shapes that the scene has for each one that was read; 1 in all but huge scenes.
    pub(super) shapes_per_read: f64,
    n_lights: f64,
    n_pigments: f64,
    n_shapes: f64,
}

/// The body holds no scene, or a malformed one.
#[derive(Debug, Clone, Copy)]
pub(super) struct NoScene;

/// How a surface sends rays on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Finish {
    pub(super) reflects: bool,
    pub(super) transmits: bool,
    /// Index of refraction.
    pub(super) ior: f64,
}

/// More shapes than this are not read: the first stand for all.
const SHAPES_READ_MAX: usize = 4096;
/// More lights, pigments or finishes than this make a scene malformed.
const OTHERS_MAX: usize = 4096;

impl Field {
    const ALL: [(&'static str, Field); 18] = [
        ("shapes", Field::Count(Count::Shapes)),
        ("solids", Field::Count(Count::Solids)),
        ("spheres", Field::Count(Count::Spheres)),
        ("planes", Field::Count(Count::Planes)),
        ("triangles", Field::Count(Count::Triangles)),
        ("lights", Field::Count(Count::Lights)),
        ("pigments", Field::Count(Count::Pigments)),
        ("finishes", Field::Count(Count::Finishes)),
        ("rays", Field::Rays(RayCount::Rays)),
        ("shadows", Field::Rays(RayCount::Shadows)),
        ("intersections", Field::Rays(RayCount::Intersections)),
        ("hits", Field::Rays(RayCount::Hits)),
        ("lit", Field::Rays(RayCount::Lit)),
        ("sphere_tests", Field::Rays(RayCount::SphereTests)),
        ("spheres_met", Field::Rays(RayCount::SpheresMet)),
        ("plane_tests", Field::Rays(RayCount::PlaneTests)),
        ("triangle_tests", Field::Rays(RayCount::TriangleTests)),
        ("triangles_met", Field::Rays(RayCount::TrianglesMet)),
    ];

    pub(super) fn parse(text: &str) -> Option<Field> {
        Field::ALL.iter().find_map(|(name, field)| (*name == text).then_some(*field))
    }

    pub(super) fn names() -> [&'static str; 18] {
        Field::ALL.map(|(name, _)| name)
    }
}

impl Scene {
    /// The scene in a request's body. Only its text is read, not the texture behind it.
    pub(super) fn of_body(body: &[u8]) -> Result<Scene, NoScene> {
        let mut scene = None;
        json::find(body, &Pointer::member("scene"), &mut |found| match found {
            Found::Text(text) => scene = Scene::parse(text),
            Found::Number(_) | Found::Items(_) => {}
        });
        scene.ok_or(NoScene)
    }

    pub(super) fn parse(text: &str) -> Option<Scene> {
        let tokens = &mut Tokens(text.split_ascii_whitespace());
        let mut scene = Scene {
            eye: tokens.vector()?,
            center: tokens.vector()?,
            up: tokens.vector()?,
            fovy: tokens.number()?,
            ..Scene::default()
        };
        let n_lights = tokens.count()?;
        for index in 0..n_lights {
            let position = tokens.vector()?;
            tokens.skip(6)?;
            if 0 < index {
                scene.lamps.push(position);
            }
        }
        let n_pigments = tokens.count()?;
        for _ in 0..n_pigments {
            tokens.pigment()?;
        }
        let n_finishes = tokens.count()?;
        scene.finishes = (0..n_finishes).map(|_| tokens.finish()).collect::<Option<_>>()?;
        // Every shape takes more than one character.
        let n_shapes = (tokens.number()? as usize).min(text.len());
        let n_read = n_shapes.min(SHAPES_READ_MAX);
        for _ in 0..n_read {
            tokens.shape(n_finishes, &mut scene.solids)?;
        }
        scene.shapes_per_read = n_shapes as f64 / n_read.max(1) as f64;
        scene.n_lights = n_lights as f64;
        scene.n_pigments = n_pigments as f64;
        scene.n_shapes = n_shapes as f64;
        Some(scene)
    }

    pub(super) fn count(&self, count: Count) -> f64 {
        match count {
            Count::Shapes => self.n_shapes,
            Count::Solids => self.solids.len() as f64 * self.shapes_per_read,
            Count::Spheres => self.solids.n_spheres() as f64 * self.shapes_per_read,
            Count::Planes => self.solids.n_planes() as f64 * self.shapes_per_read,
            Count::Triangles => self.solids.n_triangles() as f64 * self.shapes_per_read,
            Count::Lights => self.n_lights,
            Count::Pigments => self.n_pigments,
            Count::Finishes => self.finishes.len() as f64,
        }
    }
}

/// What is left of a scene's text. Every method is `None` at its end, and on what it cannot read.
struct Tokens<'a>(std::str::SplitAsciiWhitespace<'a>);

impl<'a> Tokens<'a> {
    fn word(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    fn number(&mut self) -> Option<f64> {
        self.word()?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    fn vector(&mut self) -> Option<Vector> {
        Some([self.number()?, self.number()?, self.number()?])
    }

    fn skip(&mut self, n_tokens: usize) -> Option<()> {
        for _ in 0..n_tokens {
            self.word()?;
        }
        Some(())
    }

    /// How many of something follow.
    fn count(&mut self) -> Option<usize> {
        let count = self.number()? as usize;
        (count <= OTHERS_MAX).then_some(count)
    }

    fn pigment(&mut self) -> Option<()> {
        match self.word()? {
            "solid" => self.skip(3),
            "checker" => self.skip(7),
            "gradient" => self.skip(12),
            "texmap" => self.skip(9),
            _ => None,
        }
    }

    fn finish(&mut self) -> Option<Finish> {
        self.skip(4)?;
        let reflects = 0.0 < self.number()?;
        let transmits = 0.0 < self.number()?;
        Some(Finish { reflects, transmits, ior: self.number()? })
    }

    /// A shape, added to `solids` unless it is one that is never hit.
    fn shape(&mut self, n_finishes: usize, solids: &mut Solids) -> Option<()> {
        self.skip(1)?;
        let finish = Some(self.number()? as usize).filter(|finish| *finish < n_finishes)?;
        match self.word()? {
            "sphere" => solids.push_sphere(self.vector()?, self.number()?, finish),
            "plane" => solids.push_plane(self.vector()?, self.number()?, finish),
            "triangle" => {
                let corners = [self.vector()?, self.vector()?, self.vector()?];
                solids.push_triangle(corners, finish);
            }
            unhit => {
                let n_tokens = match unhit {
                    "cylinder" | "cone" => 7,
                    "disc" => 6,
                    "polyhedron" => self.count()? * 4,
                    "parallelogram" => 9,
                    "bezier" => 48,
                    _ => return None,
                };
                return self.skip(n_tokens);
            }
        }
        Some(())
    }
}
