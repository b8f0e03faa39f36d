//! Parameters of the query.
//!
//! `query.NAME` is the parameter as a number; true and false are 1 and 0. Of duplicates the last
//! counts.

use super::{Extractor, Reader, name_after, number, read_each};
use crate::features::BodyNeed;
use crate::request::RequestSpec;

/// See the module.
#[derive(Debug)]
pub(super) struct Query;

/// The names of the parameters.
#[derive(Debug, Default)]
struct Names(Vec<String>);

impl Extractor for Query {
    fn name(&self) -> &'static str {
        "query"
    }

    fn syntax(&self) -> String {
        "query.NAME".to_owned()
    }

    fn about(&self) -> &'static str {
        "a parameter of the query; `true` is 1, `false` and what is no number 0"
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
        name_after("query.", factor).map(|name| self.0.push(name.to_owned())).is_some()
    }

    fn read(&self, spec: &RequestSpec<'_>, numbers: &mut [f64]) {
        read_each(numbers, &self.0, |name| spec.query_value(name).map_or(0.0, number));
    }
}
