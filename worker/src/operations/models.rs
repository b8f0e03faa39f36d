//! The models of [`Classify`](super::Classify) and [`Recognise`](super::Recognise): where they are,
//! and how they run.
//!
//! `deploy/models.sh FOLDER` fetches and converts them. A worker reads them once, when it starts.
//! Without them it says so then, serves what needs none, and answers the rest with 503.
//!
//! A model runs on the thread that calls, and on no other: so its work is measured, parked and
//! ended as that of any other operation (`threads.rs`). Between its stages there are checkpoints
//! (`net.rs`).

mod net;
mod picture;
mod resample;
pub(crate) mod threads;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use super::Kept;
use super::classify::Classifier;
use super::recognise::{Faces, PeopleError};

pub(super) use net::Net;
pub(super) use picture::Picture;
pub(super) use resample::{Area, Filter, Planes, resized};

/// Where models are, and which of them to use.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelsConfig {
    /// What `deploy/models.sh` has filled.
    pub folder: PathBuf,
    /// The model that classifies.
    pub classifier: ClassifierKind,
    /// A face that is farther than this from every enrolled one is nobody's. Euclidean, above 0.
    pub face_distance: f32,
}

/// A model that classifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClassifierKind {
    /// EfficientNet-Lite0, 224 by 224 pixels.
    Lite0,
    /// EfficientNet-Lite2, 260 by 260 pixels: more often right, and takes twice as long.
    Lite2,
}

/// What a worker has read.
#[derive(Debug)]
pub(crate) struct Models {
    pub(super) classifier: Result<Classifier, ModelError>,
    pub(super) faces: Result<Faces, ModelError>,
}

/// Why a model does not answer.
#[derive(Debug, Clone, Error)]
pub enum ModelError {
    /// The operator's.
    #[error(
        "this worker has no models: start it with `--models FOLDER`, which `deploy/models.sh \
         FOLDER` fills"
    )]
    None,
    /// The operator's.
    #[error("`{0}` has no model: `{1}` cannot be read ({2}); `deploy/models.sh FOLDER` makes it")]
    Missing(&'static str, String, String),
    /// A mistake of ours.
    #[error("a model cannot be run: {0}")]
    Run(String),
    /// The client's.
    #[error("`top` is `{0}`: expected a whole number from 1 to 1000")]
    Top(String),
    /// The client's: nobody can be enrolled by it.
    #[error("no face is seen in the photo")]
    NoFace,
    /// Nobody can be enrolled or removed.
    #[error(transparent)]
    People(#[from] PeopleError),
}

/// `lite1`.
#[derive(Debug, Error)]
#[error("expected `lite0` or `lite2`")]
pub struct UnknownClassifier;

// === impl ModelsConfig ===

impl ModelsConfig {
    /// The models in `folder`, and otherwise as the defaults have it.
    pub fn new(folder: impl Into<PathBuf>) -> ModelsConfig {
        ModelsConfig {
            folder: folder.into(),
            classifier: ClassifierKind::Lite0,
            face_distance: crate::defaults::FACE_DISTANCE,
        }
    }
}

// === impl ClassifierKind ===

impl ClassifierKind {
    /// Its file in the folder of models.
    pub(super) fn file(self) -> String {
        format!("classify-{self}.onnx")
    }

    /// Columns and rows of what it sees.
    pub(super) fn side(self) -> usize {
        match self {
            ClassifierKind::Lite0 => 224,
            ClassifierKind::Lite2 => 260,
        }
    }
}

impl fmt::Display for ClassifierKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClassifierKind::Lite0 => "lite0",
            ClassifierKind::Lite2 => "lite2",
        })
    }
}

impl FromStr for ClassifierKind {
    type Err = UnknownClassifier;

    fn from_str(text: &str) -> Result<ClassifierKind, UnknownClassifier> {
        let kinds = [ClassifierKind::Lite0, ClassifierKind::Lite2];
        kinds.into_iter().find(|kind| kind.to_string() == text).ok_or(UnknownClassifier)
    }
}

// === impl Models ===

impl Models {
    /// Reads what there is, and tells the log of what there is not.
    pub(crate) fn read(config: &ModelsConfig) -> Models {
        let models = Models { classifier: Classifier::read(config), faces: Faces::read(config) };
        let errors = [models.classifier.as_ref().err(), models.faces.as_ref().err()];
        for error in errors.into_iter().flatten() {
            tracing::warn!("{error}");
        }
        models
    }

    /// The people that are enrolled.
    pub(crate) fn faces(&self) -> Result<&Faces, ModelError> {
        self.faces.as_ref().map_err(Clone::clone)
    }
}

// === impl Kept ===

impl Kept {
    /// What the worker has read, where it has.
    pub(super) fn models(&self) -> Result<&Models, ModelError> {
        self.models.as_deref().ok_or(ModelError::None)
    }
}

// === impl ModelError ===

impl ModelError {
    /// The HTTP status that says so.
    pub(crate) fn status(&self) -> u16 {
        match self {
            ModelError::None | ModelError::Missing(..) => 503,
            ModelError::Run(_) => 500,
            ModelError::Top(_) => 400,
            ModelError::NoFace => 422,
            ModelError::People(error) => error.status(),
        }
    }

    /// The part of the request that is wrong.
    pub(crate) fn field(&self) -> Option<&'static str> {
        match self {
            ModelError::None | ModelError::Missing(..) | ModelError::Run(_) => None,
            ModelError::Top(_) => Some("query.top"),
            ModelError::NoFace => Some("body"),
            ModelError::People(error) => error.field(),
        }
    }
}

/// The whole of the file `name`, or why `operation` cannot do.
pub(super) fn read(
    operation: &'static str,
    folder: &Path,
    name: &str,
) -> Result<Vec<u8>, ModelError> {
    let path = folder.join(name);
    std::fs::read(&path).map_err(|error| missing(operation, &path, error))
}

/// `path` is not what `operation` needs.
pub(super) fn missing(operation: &'static str, path: &Path, why: impl fmt::Display) -> ModelError {
    ModelError::Missing(operation, path.display().to_string(), why.to_string())
}
