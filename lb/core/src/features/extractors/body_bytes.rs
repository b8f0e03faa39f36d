//! The length of the body.

use super::{Extractor, Reader, body_bytes};
use crate::features::BodyNeed;
use crate::request::RequestSpec;

/// See the module.
#[derive(Debug)]
pub(super) struct BodyBytes;

/// Reads the only factor.
#[derive(Debug)]
struct Length;

impl Extractor for BodyBytes {
    fn name(&self) -> &'static str {
        "body_bytes"
    }

    fn syntax(&self) -> String {
        "body.bytes".to_owned()
    }

    fn about(&self) -> &'static str {
        "the length of the body"
    }

    fn body_need(&self) -> BodyNeed {
        BodyNeed::Nothing
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Length)
    }
}

impl Reader for Length {
    fn add(&mut self, factor: &str) -> bool {
        factor == "body.bytes"
    }

    fn read(&self, spec: &RequestSpec<'_>, numbers: &mut [f64]) {
        numbers.fill(body_bytes(spec));
    }
}
