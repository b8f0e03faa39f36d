//! Features that nobody writes: what requests show, found while they come.
//!
//! ```text
//! request -> facts -> the schema's columns -> features
//!              └─ names that it does not know -> discovery -> a longer schema
//! ```
//!
//! A fact is a named number: `query.width`, 1 for `query.format=webp`, the length of a text. The
//! schema is the list of the names that have been found, and only ever grows, so that a row keeps
//! its meaning: what is longer has been found since. Which facts matter is chosen in training.
//!
//! # Decision: facts are columns of a list that grows
//!
//! A row could keep its facts by name. A list is smaller, is read without memory of its own, and
//! takes the estimators that declared features have. Names are found where they come in several
//! requests, so that no client fills the list with names of its own, and one that comes no more
//! gives its place to one that comes often. All of it is bounded: names that are kept, names that
//! are watched, facts of one request. Cost: the first requests with a fact are kept without it.
//! Look again when a service has more than [`LIVE_MAX`] facts that matter.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{FeatureSet, Features};
use crate::request::RequestSpec;

pub use discovery::Discovery;

mod body;
mod discovery;
mod facts;
mod head;

#[cfg(test)]
mod tests;

/// The most facts that are read of each request of a route.
pub const LIVE_MAX: usize = 64;

/// The most columns of a schema, those included that are read no more.
pub const COLUMNS_MAX: usize = 96;

/// The most names of one request that are told to the discovery.
const UNKNOWN_MAX: usize = 24;

/// A column that is 1 in each row, so that such rows are known wherever they are kept.
pub const MARK: &str = "auto";

/// The columns of a route: those that its operator declared, [`MARK`], and what has been found.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    names: Arc<[String]>,
    /// Columns that are read, by their names.
    places: BTreeMap<Arc<str>, usize>,
    /// Names of texts that have too many values for an enumeration.
    free_texts: BTreeSet<Arc<str>>,
}

/// What was read of a request.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// As many as the schema has columns.
    pub features: Features,
    /// Names of facts that the schema does not have; bounded.
    pub unknown: Vec<String>,
}

// === impl Schema ===

impl Schema {
    /// The columns of a route of which nothing has been found.
    pub fn new(declared: &FeatureSet) -> Schema {
        let mark = declared.is_auto().then(|| MARK.to_owned());
        let names: Vec<String> = declared.names().iter().cloned().chain(mark).collect();
        Schema { names: names.into(), ..Schema::default() }
    }

    /// Names of the columns, those included that are read no more. A row of fewer numbers has the
    /// first of them.
    pub fn names(&self) -> &Arc<[String]> {
        &self.names
    }

    /// Whether a column of this name is read.
    pub fn reads(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// Where the column of this name is, if it is read or was declared.
    pub fn place(&self, name: &str) -> Option<usize> {
        let declared = || {
            let mark = self.names.iter().position(|known| known == MARK)?;
            self.names[..mark].iter().position(|known| known == name)
        };
        self.places.get(name).copied().or_else(declared)
    }

    /// How many facts are read.
    pub fn n_live(&self) -> usize {
        self.places.len()
    }
}

// === impl FeatureSet ===

impl FeatureSet {
    /// The features of one request by `schema`: always finite.
    ///
    /// Cost: linear in the length of what is looked at, and bounded where the body is no JSON, form
    /// or image.
    pub fn read(&self, schema: &Schema, spec: &RequestSpec<'_>) -> Read {
        let mut features = self.extract(spec);
        if !self.is_auto() {
            return Read { features, unknown: Vec::new() };
        }
        features.0.push(1.0);
        features.0.resize(schema.names.len(), 0.0);
        let mut sink = facts::Sink::new(schema, &mut features.0);
        head::read(spec, &mut sink);
        body::read(spec, &mut sink);
        let unknown = sink.unknown;
        Read { features, unknown }
    }
}
