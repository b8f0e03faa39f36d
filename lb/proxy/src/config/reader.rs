//! Walks a TOML document key by key and collects every mistake with its line.
//!
//! Each table is read in layers: options of the command line first, then the operator's file, then
//! the default document. A value that is wrong is a mistake, and the next layer's value stands in
//! for it, so that reading goes on.
//!
//! ```
//! use weighbridge_proxy::config::reader::Reader;
//!
//! let reader = Reader::new("hots = 3\ncount = 0\n", "count = 8\nname = \"\"\n");
//! let mut root = reader.root();
//! assert_eq!(root.whole::<usize>("count", 1..=100), 8);
//! root.text("name", "a name", |name| Some(name.to_owned()));
//! root.finish();
//! let mistakes: Vec<String> = reader.into_errors().iter().map(ToString::to_string).collect();
//! assert_eq!(mistakes.len(), 2);
//! assert_eq!(mistakes[1], "line 2: count is `0`: expected a whole number from 1 to 100");
//! ```

mod documents;
mod keys;
pub mod reference;
mod section;

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::{ConfigError, Mistake};

pub use documents::Document;
use documents::{Layer, Origin};
pub use section::Section;

/// The documents, and what has been found out about those that are not the defaults.
#[derive(Debug)]
pub struct Reader<'d> {
    /// First found, first taken. The last one has the defaults.
    documents: Vec<Document<'d>>,
    errors: RefCell<Vec<ConfigError>>,
    /// Every key that has been asked for, with the names of its tables, and what it takes.
    known: RefCell<BTreeMap<String, String>>,
}

// === impl Reader ===

impl<'d> Reader<'d> {
    /// The operator's file `text`, laid over the document `defaults`.
    pub fn new(text: &'d str, defaults: &'d str) -> Reader<'d> {
        Reader::with_options("", text, defaults)
    }

    /// The same with what stands on the command line laid over the file: `options`, as a document.
    /// Mistakes in it have no line.
    pub fn with_options(options: &'d str, text: &'d str, defaults: &'d str) -> Reader<'d> {
        let documents = vec![
            Document::parse(options, Origin::Options),
            Document::parse(text, Origin::File),
            Document::parse(defaults, Origin::Defaults),
        ];
        let errors = documents.iter().flat_map(|document| document.syntax.clone()).collect();
        Reader { documents, errors: RefCell::new(errors), known: RefCell::default() }
    }

    /// The table that has no name.
    pub fn root(&self) -> Section<'_> {
        let layers = self.documents.iter().map(|document| Layer::root(document, String::new()));
        self.section(layers.collect(), Some(1))
    }

    /// Every mistake so far, in the order of lines, each once.
    pub fn into_errors(self) -> Vec<ConfigError> {
        let mut errors = self.errors.into_inner();
        errors.sort();
        errors.dedup();
        errors
    }

    /// Every key that has been asked for, and what it takes (nothing of tables); what stands in
    /// lists is `routes[].name`.
    pub fn known(&self) -> BTreeMap<String, String> {
        self.known.borrow().clone()
    }

    fn section<'r>(&'r self, layers: Vec<Layer<'r>>, line_around: Option<usize>) -> Section<'r> {
        let written = layers.iter().take_while(|layer| layer.is_written()).count();
        self.section_of(layers, written.max(1), line_around)
    }

    fn section_of<'r>(
        &'r self,
        layers: Vec<Layer<'r>>,
        n_own: usize,
        line_around: Option<usize>,
    ) -> Section<'r> {
        let in_file = layers.iter().find(|layer| layer.document.origin == Origin::File);
        let line = in_file.map_or(line_around, |layer| layer.line);
        Section::new(self, layers, n_own, line)
    }

    fn tell(&self, line: Option<usize>, mistake: Mistake) {
        self.errors.borrow_mut().push(ConfigError { line, mistake });
    }
}

/// The one of `names` that `written` probably means.
pub fn nearest<'n>(written: &str, names: &[&'n str]) -> Option<&'n str> {
    let likeness = |name: &str| strsim::jaro_winkler(written, name);
    let best = names.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (0.8 <= likeness(best)).then_some(best)
}
