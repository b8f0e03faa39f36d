//! Finds the names of facts that come in several requests, in bounded memory.
//!
//! Names that the schema does not have are counted as Misra and Gries do ("Finding repeated
//! elements", 1982): of at most [`WATCHED_MAX`] names; one more takes one off each. So whatever
//! comes in more than one of so many facts is found, however many names there are beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::facts::{is_candidate, text_of_word};
use super::{COLUMNS_MAX, LIVE_MAX, Schema};
use crate::features::FeatureSet;

/// Names that are counted at once.
const WATCHED_MAX: usize = 256;

/// A number or length is found when it has come so often, and a word.
const FOUND_AT: u32 = 2;
const WORD_FOUND_AT: u32 = 3;

/// A text with more words than this is no enumeration.
const WORDS_MAX: usize = 12;

/// Where there is no room, a fact that has come so often takes the place of the one that comes
/// least, if that is in less than this part of the requests.
const REPLACES_AT: u32 = 16;
const RARE: f64 = 0.01;

/// How often a fact comes is a matter of about so many of the newest requests.
const RECENT: f64 = 500.0;

/// Finds the columns of one route.
#[derive(Debug, Clone)]
pub struct Discovery {
    schema: Arc<Schema>,
    n_declared: usize,
    /// Of names that the schema does not have.
    watched: BTreeMap<String, u32>,
    /// In how many of the newest requests each column had a value; decays.
    seen: Vec<f64>,
    /// How many newest requests that is of.
    n_seen: f64,
}

// === impl Discovery ===

impl Discovery {
    /// Has found nothing.
    pub fn new(declared: &FeatureSet) -> Discovery {
        let schema = Arc::new(Schema::new(declared));
        let n_declared = schema.names.len();
        Discovery { schema, n_declared, watched: BTreeMap::new(), seen: Vec::new(), n_seen: 0.0 }
    }

    /// What has been found.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// A request showed facts of these names, which its schema did not have. `is_used` says which
    /// columns must not be given up.
    pub fn note(&mut self, unknown: &[String], is_used: impl Fn(usize) -> bool) {
        for name in unknown {
            if self.schema.reads(name) || !is_candidate(name) {
                continue;
            }
            let count = self.count(name);
            let text = text_of_word(name);
            let found_at = if text.is_some() { WORD_FOUND_AT } else { FOUND_AT };
            if count < found_at || text.is_some_and(|text| self.is_free_text(text)) {
                continue;
            }
            if self.schema.n_live() < LIVE_MAX
                || (REPLACES_AT <= count && self.give_up_rarest(&is_used))
            {
                self.add(name);
            }
        }
    }

    /// Takes up those of `names` that can be read and for which there is room, as they were found
    /// in an earlier life or elsewhere.
    pub fn adopt<'a>(&mut self, names: impl IntoIterator<Item = &'a String>) {
        for name in names {
            let has_room = self.schema.n_live() < LIVE_MAX;
            if has_room && !self.schema.reads(name) && is_candidate(name) {
                self.add(name);
            }
        }
    }

    /// A request with these features has been completed.
    pub fn observe(&mut self, features: &[f64]) {
        let keep = 1.0 - 1.0 / RECENT;
        self.seen.resize(self.schema.names.len(), 0.0);
        for (seen, value) in
            self.seen.iter_mut().zip(features.iter().chain(std::iter::repeat(&0.0)))
        {
            *seen = *seen * keep + f64::from(u8::from(*value != 0.0));
        }
        self.n_seen = self.n_seen * keep + 1.0;
    }

    /// Counts `name`, and returns how often it has come as far as is known.
    fn count(&mut self, name: &str) -> u32 {
        if let Some(count) = self.watched.get_mut(name) {
            *count += 1;
            return *count;
        }
        if self.watched.len() < WATCHED_MAX {
            self.watched.insert(name.to_owned(), 1);
            return 1;
        }
        self.watched.retain(|_, count| {
            *count -= 1;
            0 < *count
        });
        0
    }

    /// Whether `text` has as many words as an enumeration has at most: then one more makes it a
    /// text, and its words are read no more.
    fn is_free_text(&mut self, text: &str) -> bool {
        let is_word_of = |name: &str| text_of_word(name) == Some(text);
        if self.schema.places.keys().filter(|name| is_word_of(name)).count() < WORDS_MAX {
            return false;
        }
        let schema = Arc::make_mut(&mut self.schema);
        schema.places.retain(|name, _| !is_word_of(name));
        // As many as there can be columns: what is over is only watched in vain.
        if schema.free_texts.len() < COLUMNS_MAX {
            schema.free_texts.insert(text.into());
        }
        self.watched.retain(|name, _| !is_word_of(name));
        true
    }

    /// Makes room: the live column that came least is read no more, if it is rare.
    fn give_up_rarest(&mut self, is_used: impl Fn(usize) -> bool) -> bool {
        if COLUMNS_MAX <= self.schema.names.len() {
            return false;
        }
        let seen = |place: usize| self.seen.get(place).copied().unwrap_or(0.0);
        let unused = self.schema.places.iter().filter(|(_, place)| !is_used(**place));
        let rarest = unused.min_by(|(_, a), (_, b)| seen(**a).total_cmp(&seen(**b)));
        let Some((name, place)) = rarest.map(|(name, place)| (Arc::clone(name), *place)) else {
            return false;
        };
        let is_rare = seen(place) < RARE * self.n_seen;
        if is_rare {
            Arc::make_mut(&mut self.schema).places.remove(&name);
        }
        is_rare
    }

    fn add(&mut self, name: &str) {
        let found = self.schema.names.iter().skip(self.n_declared);
        // A name that was given up and comes again has its old column.
        let old = found.clone().position(|known| known == name).map(|nth| nth + self.n_declared);
        if old.is_none() && COLUMNS_MAX <= self.schema.names.len() {
            return;
        }
        self.watched.remove(name);
        let schema = Arc::make_mut(&mut self.schema);
        let place = old.unwrap_or(schema.names.len());
        if old.is_none() {
            schema.names = schema.names.iter().cloned().chain([name.to_owned()]).collect();
        }
        schema.places.insert(name.into(), place);
    }

    #[cfg(test)]
    pub(super) fn n_watched(&self) -> usize {
        self.watched.len()
    }
}
