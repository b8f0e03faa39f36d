//! What S3's errors mean to jobs.

use std::error::Error;
use std::io;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use weighbridge_proxy::jobs::objects::ObjectError;

/// The condition of a write did not hold: it is there already.
const EXISTS: u16 = 412;

/// Others write the same now.
const CONFLICT: u16 = 409;

/// `error` as the balancer sees it: a later try may work.
pub(super) fn told<E>(error: &SdkError<E, HttpResponse>) -> ObjectError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    away(format!("S3: {}", crate::errors::chain(error)))
}

/// It cannot be used now.
pub(super) fn away(error: impl Into<Box<dyn Error + Send + Sync>>) -> ObjectError {
    ObjectError::Away(io::Error::other(error))
}

/// Whether a write was refused because the object is there.
pub(super) fn is_there<E>(error: &SdkError<E, HttpResponse>) -> bool {
    status(error) == Some(EXISTS)
}

/// Whether a write was refused because others write the same object.
pub(super) fn is_conflict<E>(error: &SdkError<E, HttpResponse>) -> bool {
    status(error) == Some(CONFLICT)
}

fn status<E>(error: &SdkError<E, HttpResponse>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}
