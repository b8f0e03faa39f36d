//! The scene in a body of `{"scene": "<tokens>", ...}`.
//!
//! The ray tracer's cost depends on what the window sees. So the extractor counts what is in the
//! scene, and follows a bounded, sparse sample of rays through it.

use weighbridge_core::features::BodyNeed;
use weighbridge_core::features::extractors::{Extractor, Reader};
use weighbridge_core::features::json::{self, Found, Pointer};
use weighbridge_core::request::RequestSpec;
use weighbridge_scene::{Outline, View};

use crate::sample::{self, RayCount, RayCounts};

/// See the module.
#[derive(Debug)]
pub struct Scene;

/// What can be asked of a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Count(Count),
    Rays(RayCount),
}

/// What the scene's text says by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
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

/// What is asked of a scene.
#[derive(Debug)]
struct Fields {
    /// Where the scene is in the body.
    text: Pointer,
    fields: Vec<Field>,
}

impl Extractor for Scene {
    fn name(&self) -> &'static str {
        "scene"
    }

    fn syntax(&self) -> String {
        let names: Vec<&str> = Field::ALL.iter().map(|(name, _)| *name).collect();
        format!("scene.{{{}}}", names.join(","))
    }

    fn about(&self) -> &'static str {
        "of a scene to be rendered, what is in it; and for each pixel asked for, what the rays of a \
         sparse sample did"
    }

    fn body_need(&self) -> BodyNeed {
        BodyNeed::Whole
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Fields { text: Pointer::member("scene"), fields: Vec::new() })
    }
}

impl Reader for Fields {
    fn add(&mut self, factor: &str) -> bool {
        let field = factor.strip_prefix("scene.").and_then(Field::parse);
        field.map(|field| self.fields.push(field)).is_some()
    }

    /// Only the scene's text is read of the body, not the texture behind it.
    fn read(&self, spec: &RequestSpec<'_>, numbers: &mut [f64]) {
        let mut outline = None;
        json::find(spec.body, &self.text, &mut |found| match found {
            Found::Text(text) => outline = weighbridge_scene::outline(text),
            Found::Number(_) | Found::Items(_) => {}
        });
        if let Some(outline) = outline {
            self.measure(outline, spec.query, numbers);
        }
    }
}

// === impl Fields ===

impl Fields {
    fn measure(&self, outline: Outline, query: &str, numbers: &mut [f64]) {
        for (number, field) in numbers.iter_mut().zip(&self.fields) {
            if let Field::Count(count) = field {
                *number = count.of(&outline);
            }
        }
        if !self.fields.iter().any(|field| matches!(field, Field::Rays(_))) {
            return;
        }
        // A query that asks for no window is refused at once: no ray is followed for it.
        let rays = View::parse(query, u64::MAX)
            .map_or_else(|_| RayCounts::default(), |view| sample::rays(outline, &view));
        for (number, field) in numbers.iter_mut().zip(&self.fields) {
            if let Field::Rays(count) = field {
                *number = rays.count(*count);
            }
        }
    }
}

// === impl Field ===

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

    fn parse(text: &str) -> Option<Field> {
        Field::ALL.iter().find_map(|(name, field)| (*name == text).then_some(*field))
    }
}

// === impl Count ===

impl Count {
    fn of(self, outline: &Outline) -> f64 {
        let shapes = &outline.scene.shapes;
        let count = |kept: usize| kept as f64 * outline.shapes_per_kept();
        match self {
            Count::Shapes => outline.n_shapes as f64,
            Count::Solids => count(shapes.n_solids()),
            Count::Spheres => count(shapes.n_spheres()),
            Count::Planes => count(shapes.n_planes()),
            Count::Triangles => count(shapes.n_triangles()),
            Count::Lights => outline.n_lights as f64,
            Count::Pigments => outline.n_pigments as f64,
            Count::Finishes => outline.n_finishes as f64,
        }
    }
}
