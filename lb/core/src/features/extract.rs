//! Reads single numbers out of one request; what several features need is read once.

use crate::request::RequestSpec;

use super::BodyNeed;
use super::image::{self, Image};
use super::json::{self, Found, Pointer};
use super::sample::{self, RayCounts};
use super::scene::{Field, NoScene, Scene};

/// What gives a number.
#[derive(Debug, Clone)]
pub(super) enum Extractor {
    Query(String),
    /// Name in lower case.
    Header(String),
    BodyBytes,
    Image(image::Field),
    Json(Pointer),
    JsonLength(Pointer),
    Scene(Field),
}

impl Extractor {
    pub(super) fn parse(text: &str) -> Option<Extractor> {
        let named = |rest: &str| {
            let plain = !rest.is_empty() && !rest.contains(char::is_whitespace);
            plain.then(|| rest.to_owned())
        };
        if text == "body.bytes" {
            Some(Extractor::BodyBytes)
        } else if let Some(name) = text.strip_prefix("query.") {
            named(name).map(Extractor::Query)
        } else if let Some(name) = text.strip_prefix("header.") {
            named(name).map(|name| Extractor::Header(name.to_ascii_lowercase()))
        } else if let Some(field) = text.strip_prefix("body.image.") {
            image::Field::parse(field).map(Extractor::Image)
        } else if let Some(pointer) = text.strip_prefix("body.json") {
            Extractor::json(pointer)
        } else {
            text.strip_prefix("scene.").and_then(Field::parse).map(Extractor::Scene)
        }
    }

    /// `/pointer`, `./pointer`, either with `.length`.
    fn json(text: &str) -> Option<Extractor> {
        let (pointer, length) =
            text.strip_suffix(".length").map_or((text, false), |pointer| (pointer, true));
        let pointer = Pointer::parse(pointer.strip_prefix('.').unwrap_or(pointer))?;
        Some(if length { Extractor::JsonLength(pointer) } else { Extractor::Json(pointer) })
    }

    pub(super) fn body_need(&self) -> BodyNeed {
        match self {
            Extractor::Query(_) | Extractor::Header(_) | Extractor::BodyBytes => BodyNeed::Nothing,
            Extractor::Image(_) => BodyNeed::Prefix,
            Extractor::Json(_) | Extractor::JsonLength(_) | Extractor::Scene(_) => BodyNeed::Whole,
        }
    }
}

/// One request while its features are read.
pub(super) struct Extraction<'a> {
    spec: &'a RequestSpec<'a>,
    image: Option<Image>,
    scene: Option<Result<Scene, NoScene>>,
    rays: Option<RayCounts>,
}

impl<'a> Extraction<'a> {
    pub(super) fn new(spec: &'a RequestSpec<'a>) -> Extraction<'a> {
        Extraction { spec, image: None, scene: None, rays: None }
    }

    /// May be infinite or not a number: the expression bounds it.
    pub(super) fn value(&mut self, extractor: &Extractor) -> f64 {
        match extractor {
            Extractor::Query(name) => self.spec.query_value(name).map_or(0.0, number),
            Extractor::Header(name) => self.spec.header_value(name).map_or(0.0, number),
            Extractor::BodyBytes => self.body_bytes(),
            Extractor::Image(field) => self.image().field(*field),
            Extractor::Json(pointer) => self.json(pointer, |found| match found {
                Found::Number(value) => value,
                Found::Text(text) => number(text),
                Found::Items(_) => 0.0,
            }),
            Extractor::JsonLength(pointer) => self.json(pointer, |found| match found {
                Found::Number(_) => 0.0,
                Found::Text(text) => text.len() as f64,
                Found::Items(items) => items as f64,
            }),
            Extractor::Scene(field) => self.scene_field(*field),
        }
    }

    fn body_bytes(&self) -> f64 {
        self.spec.body_bytes.unwrap_or(self.spec.body.len() as u64) as f64
    }

    fn image(&mut self) -> Image {
        let (spec, bytes) = (self.spec, self.body_bytes());
        let accept = || spec.header_value("accept");
        *self.image.get_or_insert_with(|| image::measure(spec.body, bytes, accept()))
    }

    fn json(&self, pointer: &Pointer, read: impl Fn(Found<'_>) -> f64) -> f64 {
        let mut value = 0.0;
        json::find(self.spec.body, pointer, &mut |found| value = read(found));
        value
    }

    fn scene_field(&mut self, field: Field) -> f64 {
        let scene = self.scene.get_or_insert_with(|| Scene::of_body(self.spec.body));
        let Ok(scene) = scene else { return 0.0 };
        match field {
            Field::Count(count) => scene.count(count),
            Field::Rays(ray) => {
                self.rays.get_or_insert_with(|| sample::rays(scene, self.spec)).count(ray)
            }
        }
    }
}

/// `text` as a number; 1 for true, 0 for false and whatever else.
pub(super) fn number(text: &str) -> f64 {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") {
        return 1.0;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite()).unwrap_or(0.0)
}
