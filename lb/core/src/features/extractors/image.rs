//! What the beginning of an image says of it.

use super::{Extractor, Reader, body_bytes, read_each};
use crate::features::BodyNeed;
use crate::features::image::{Field, measure};
use crate::request::RequestSpec;

/// See the module.
#[derive(Debug)]
pub(super) struct Image;

/// What is asked of an image.
#[derive(Debug, Default)]
struct Fields(Vec<Field>);

impl Extractor for Image {
    fn name(&self) -> &'static str {
        "image"
    }

    fn syntax(&self) -> String {
        format!("body.image.{{{}}}", Field::names().join(","))
    }

    fn about(&self) -> &'static str {
        "of an image, raw or in a `data:` URL, from its first bytes; `is_` its format, `to_` that of \
         the answer"
    }

    fn body_need(&self) -> BodyNeed {
        BodyNeed::Prefix
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Fields::default())
    }
}

impl Reader for Fields {
    fn add(&mut self, factor: &str) -> bool {
        let field = factor.strip_prefix("body.image.").and_then(Field::parse);
        field.map(|field| self.0.push(field)).is_some()
    }

    fn read(&self, spec: &RequestSpec<'_>, numbers: &mut [f64]) {
        let image = measure(spec.body, body_bytes(spec), spec.header_value("accept"));
        read_each(numbers, &self.0, |field| image.field(*field));
    }
}
