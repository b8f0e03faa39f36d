//! Ray tracing.

use thiserror::Error;

use super::limits::Limits;
use super::{OperationError, OperationRequest, Reply};

/// Why a scene cannot be rendered.
#[derive(Debug, Error)]
pub enum RayTraceError {
    /// No.
    #[error("not yet")]
    NotYet,
}

impl RayTraceError {
    pub(super) fn status(&self) -> u16 {
        400
    }

    pub(super) fn field(&self) -> &'static str {
        "scene"
    }
}

pub(super) fn run(
    _request: &OperationRequest<'_>,
    _limits: &Limits,
) -> Result<Reply, OperationError> {
    Err(RayTraceError::NotYet.into())
}
