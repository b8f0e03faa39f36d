//! What reads numbers out of requests, for the factors of features. One file an extractor.
//!
//! An extractor that knows a workload lives outside, beside what it knows, and is registered by the
//! program: by being in the list that [`FeatureSet::parse`](super::FeatureSet::parse) is given.

mod query;
mod header;
mod body_bytes;
mod image;
mod json;

use std::fmt::Debug;

use super::BodyNeed;
use crate::request::RequestSpec;

/// Every extractor of the core: they read the requests of any service. To add one: a file beside
/// this one's siblings, and a line here.
pub const ALL: &[&dyn Extractor] =
    &[&query::Query, &header::Header, &body_bytes::BodyBytes, &image::Image, &json::Json];

/// Reads numbers of one kind.
pub trait Extractor: Debug + Sync {
    /// Its name: that of its file.
    fn name(&self) -> &'static str;

    /// The factors that it reads, as they are written: `query.NAME`.
    fn syntax(&self) -> String;

    /// What the numbers are, as a phrase, for the table in the README.
    fn about(&self) -> &'static str;

    /// How much of a body it needs.
    fn body_need(&self) -> BodyNeed;

    /// A reader that reads no factor yet.
    fn reader(&self) -> Box<dyn Reader>;
}

/// Reads those factors of one extractor that a route's features have.
pub trait Reader: Debug + Send + Sync {
    /// Reads the number of `factor` from now on, and returns true; false where the extractor has no
    /// such factor.
    fn add(&mut self, factor: &str) -> bool;

    /// Sets `numbers`, which are 0 and as many as the factors that were added, in their order. What
    /// the request does not say is left. Numbers may be infinite or none: the expression bounds
    /// them.
    ///
    /// Cost: at most linear in the length of what was read of the request, whatever is in it. Never
    /// fails: an odd request has odd features.
    fn read(&self, spec: &RequestSpec<'_>, numbers: &mut [f64]);
}

/// The factors that `extractors` read, for messages: `` `query.NAME`, `body.bytes` or `…` ``.
pub fn syntax(extractors: &[&'static dyn Extractor]) -> String {
    let all: Vec<String> = extractors.iter().map(|one| format!("`{}`", one.syntax())).collect();
    match all.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        Some((last, _)) => last.clone(),
        None => "and nothing else".to_owned(),
    }
}

/// `text` as a number; 1 for true, 0 for false and whatever else.
pub fn number(text: &str) -> f64 {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") {
        return 1.0;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite()).unwrap_or(0.0)
}

/// Sets each of `numbers` to what `read` reads of the factor in its place.
fn read_each<F>(numbers: &mut [f64], factors: &[F], read: impl Fn(&F) -> f64) {
    for (number, factor) in numbers.iter_mut().zip(factors) {
        *number = read(factor);
    }
}

/// What follows `prefix` in `factor`, where that is a name.
fn name_after<'a>(prefix: &str, factor: &'a str) -> Option<&'a str> {
    let name = factor.strip_prefix(prefix)?;
    (!name.is_empty() && !name.contains(char::is_whitespace)).then_some(name)
}

/// The length of a request's body; of what was read of it, where it is not known.
fn body_bytes(spec: &RequestSpec<'_>) -> f64 {
    spec.body_bytes.unwrap_or(spec.body.len() as u64) as f64
}
