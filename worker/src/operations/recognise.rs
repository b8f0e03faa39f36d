//! Recognition: whose face is in a photo.
//!
//! ```text
//! photo -> detect (faces) -> landmarks (5 points of the largest) -> chip (upright, 150 x 150)
//!       -> describe (128 numbers) -> the nearest of the people that are enrolled
//! ```
//!
//! `POST /recognise` answers `{"label": LABEL, "distance": D, "faces": N}`. D is the Euclidean
//! distance to the nearest enrolled photo; LABEL is its label where D is at most the threshold, and
//! `unknown` otherwise. Without a face N is 0, and there is no distance; neither is there where
//! nobody is enrolled.
//!
//! # Decisions
//!
//! **The chain is dlib's** (King 2009): the detector with the max-margin loss, the shape predictor,
//! the descriptor. Why: of what packages carry, it is all that is in the public domain (CC0), from
//! the weights to the photos that its author labelled; a descriptor has 128 numbers, as callers
//! expect. **Of two shape predictors it is the one of 5 points.** The one of 68 was trained on
//! photos of iBUG 300-W, whose licence excludes commercial use, and has 99 MB for the same chip.
//! Cost: a detector that takes most of the time of a request. Look again when a package carries
//! YuNet and SFace, which are free too.

mod chip;
mod describe;
mod detect;
mod landmarks;
mod enrol;
mod people;

use serde::Serialize;

use super::models::{ModelError, ModelsConfig, Net, Picture};
use super::{EventForm, Kept, Limits, Operation, OperationError, OperationRequest, Reply};

pub(crate) use enrol::Enrol;
pub(crate) use people::check_name;
pub use people::{NameError, PeopleError};

use describe::Descriptor;
use detect::Detector;
use landmarks::Landmarks;
use people::People;

/// Recognises who is in a photo. See the module.
#[derive(Debug)]
pub struct Recognise;

/// What recognises people, and the people.
#[derive(Debug)]
pub(crate) struct Faces {
    detector: Detector,
    landmarks: Landmarks,
    describer: Net,
    people: People,
    distance_max: f32,
}

#[derive(Serialize)]
struct Answer<'a> {
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    distance: Option<f32>,
    faces: usize,
}

const NAME: &str = "recognise";

/// The label of nobody, and so of none who is enrolled.
const UNKNOWN: &str = "unknown";

/// What the models hold while they run: the largest values of the detector, several times.
const WORKING_BYTES: u64 = 48 << 20;

impl Operation for Recognise {
    fn name(&self) -> &'static str {
        NAME
    }

    fn path(&self) -> &'static str {
        "/recognise"
    }

    fn event(&self) -> EventForm {
        EventForm::Image
    }

    fn bytes_held(&self, _: &OperationRequest<'_>, _: &Limits) -> u64 {
        WORKING_BYTES
    }

    fn run(&self, _: &OperationRequest<'_>, _: &Limits) -> Result<Reply, OperationError> {
        Err(ModelError::None.into())
    }

    fn run_with(
        &self,
        request: &OperationRequest<'_>,
        limits: &Limits,
        kept: &Kept,
    ) -> Result<Reply, OperationError> {
        let faces = kept.models()?.faces()?;
        let (found, n_faces) = faces.describe(&Picture::read(request, limits)?)?;
        let Some(descriptor) = found else {
            return Ok(Reply::json(&Answer { label: UNKNOWN, distance: None, faces: 0 }));
        };
        let album = faces.people.album().map_err(ModelError::People)?;
        let nearest = album.nearest(&descriptor);
        let label = nearest
            .filter(|(_, distance)| *distance <= faces.distance_max)
            .map_or(UNKNOWN, |(label, _)| label);
        let distance = nearest.map(|(_, distance)| distance);
        Ok(Reply::json(&Answer { label, distance, faces: n_faces }))
    }
}

// === impl Faces ===

impl Faces {
    pub(super) fn read(config: &ModelsConfig) -> Result<Faces, ModelError> {
        let folder = &config.folder;
        Ok(Faces {
            detector: Detector::read(folder)?,
            landmarks: Landmarks::read(folder)?,
            describer: Net::read(NAME, folder, "describe.onnx")?,
            people: People::open(folder.join("people")),
            distance_max: config.face_distance,
        })
    }

    /// The people that are enrolled.
    pub(crate) fn people(&self) -> &People {
        &self.people
    }

    /// Describes the largest face, and counts all of them.
    fn describe(&self, picture: &Picture) -> Result<(Option<Descriptor>, usize), OperationError> {
        let faces = self.detector.find(picture)?;
        let Some(largest) = faces.iter().max_by(|a, b| a.area().total_cmp(&b.area())) else {
            return Ok((None, 0));
        };
        let points = self.landmarks.find(picture, largest)?;
        let chip = chip::cut(picture, &points)?;
        Ok((Some(describe::describe(&self.describer, &chip)?), faces.len()))
    }
}
