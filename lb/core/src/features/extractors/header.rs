//! Headers.
//!
//! `header.NAME` is the header as a number; true and false are 1 and 0. Of duplicates the first
//! counts.

use super::{Extractor, Reader, name_after, number, read_each};
use crate::features::BodyNeed;
use crate::request::RequestSpec;

/// See the module.
#[derive(Debug)]
pub(super) struct Header;

/// The names of the headers, in lower case.
#[derive(Debug, Default)]
struct Names(Vec<String>);

impl Extractor for Header {
    fn name(&self) -> &'static str {
        "header"
    }

    fn syntax(&self) -> String {
        "header.NAME".to_owned()
    }

    fn about(&self) -> &'static str {
        "a header, read likewise"
    }

    fn body_need(&self) -> BodyNeed {
        BodyNeed::Nothing
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(Names::default())
    }
}

impl Reader for Names {
    fn add(&mut self, factor: &str) -> bool {
        name_after("header.", factor).map(|name| self.0.push(name.to_ascii_lowercase())).is_some()
    }

    fn read(&self, spec: &RequestSpec<'_>, numbers: &mut [f64]) {
        read_each(numbers, &self.0, |name| spec.header_value(name).map_or(0.0, number));
    }
}
