//! Enrolment: `PUT /people/LABEL/NAME` with a photo. The front checks label and name, and passes
//! them on as the query.

use serde::Serialize;

use super::super::models::{ModelError, Picture};
use super::super::{EventForm, Kept, Limits, Operation, OperationError, OperationRequest, Reply};
use super::WORKING_BYTES;

/// Enrols the person of a photo. It is not among the operations that a path asks for.
#[derive(Debug)]
pub(crate) struct Enrol;

#[derive(Serialize)]
struct Answer<'a> {
    label: &'a str,
    name: &'a str,
    faces: usize,
}

impl Operation for Enrol {
    fn name(&self) -> &'static str {
        "enrol"
    }

    fn path(&self) -> &'static str {
        "/people/"
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

    /// The query is `LABEL/NAME`.
    fn run_with(
        &self,
        request: &OperationRequest<'_>,
        limits: &Limits,
        kept: &Kept,
    ) -> Result<Reply, OperationError> {
        let faces = kept.models()?.faces()?;
        let (label, name) = request.query.split_once('/').unwrap_or_default();
        let (found, n_faces) = faces.describe(&Picture::read(request, limits)?)?;
        let descriptor = found.ok_or(ModelError::NoFace)?;
        faces.people().enrol(label, name, &descriptor).map_err(ModelError::People)?;
        Ok(Reply::json(&Answer { label, name, faces: n_faces }))
    }
}
