//! Writes one object: at once where it is short, else in parts as it comes.

use async_trait::async_trait;
use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use bytes::{Bytes, BytesMut};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::sleep;

use weighbridge_proxy::backoff::Backoff;
use weighbridge_proxy::jobs::objects::{ObjectError, ObjectWriter};

use super::Place;
use super::errors::{away, is_conflict, is_there, told};

/// The length of a part. Each writer holds as much in memory.
const PART_BYTES: usize = 8 << 20;

/// The most parts that S3 takes.
const PARTS_MAX: usize = 10_000;

/// A write that others are in the way of is tried again so often.
const TRIES_MAX: u64 = 5;

/// Between two tries.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(50), max: Duration::from_secs(1) };

/// The metadata by which a writer knows its own object.
const NONCE: &str = "weighbridge-writer";

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Writing {
    place: Place,
    nonce: String,
    /// What has come and is not uploaded.
    waiting: BytesMut,
    upload: Option<Upload>,
    is_broken: bool,
}

/// Parts that were uploaded.
#[derive(Debug)]
struct Upload {
    id: String,
    parts: Vec<CompletedPart>,
}

// === impl Writing ===

impl Writing {
    /// The beginning of an object at `place`.
    pub(super) fn new(place: Place) -> Writing {
        let nonce = format!("{:032x}", fastrand::u128(..));
        Writing { place, nonce, waiting: BytesMut::new(), upload: None, is_broken: false }
    }

    /// Uploads the next part, and begins an upload where none has begun.
    async fn upload(&mut self, part: Bytes) -> Result<(), ObjectError> {
        let Place { client, bucket, key } = &self.place;
        if self.upload.is_none() {
            let begin = client.create_multipart_upload().bucket(bucket).key(key);
            let begun = begin.metadata(NONCE, &self.nonce).send().await;
            let id = begun.map_err(|error| told(&error))?.upload_id;
            let id = id.ok_or_else(|| away("S3: an upload has no id"))?;
            self.upload = Some(Upload { id, parts: Vec::new() });
        }
        let Some(Upload { id, parts }) = &mut self.upload else { return Ok(()) };
        if PARTS_MAX <= parts.len() {
            return Err(away("S3: an object has more than 10,000 parts"));
        }
        let number = i32::try_from(parts.len() + 1).unwrap_or(i32::MAX);
        let upload = client.upload_part().bucket(bucket).key(key).upload_id(id.as_str());
        let uploaded = upload.part_number(number).body(part.into()).send().await;
        let tag = uploaded.map_err(|error| told(&error))?.e_tag;
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(tag).build());
        Ok(())
    }

    /// Puts an object of one piece. `Ok(false)`: to be tried again.
    async fn put(&self, body: &Bytes) -> Result<bool, ObjectError> {
        let Place { client, bucket, key } = &self.place;
        let put = client.put_object().bucket(bucket).key(key).if_none_match("*");
        let put = put.metadata(NONCE, &self.nonce).body(body.clone().into()).send().await;
        self.outcome(put.map(|_| ())).await
    }

    /// Makes one object of the parts. `Ok(false)`: to be tried again.
    async fn complete(&self, upload: &Upload) -> Result<bool, ObjectError> {
        let Place { client, bucket, key } = &self.place;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(upload.parts.clone()));
        let complete = client
            .complete_multipart_upload()
            .bucket(bucket)
            .key(key)
            .upload_id(&upload.id)
            .multipart_upload(parts.build())
            .if_none_match("*");
        match complete.send().await {
            // An earlier try has completed it, and its answer was lost.
            Err(error) if error.code() == Some("NoSuchUpload") && self.is_own().await? => Ok(true),
            completed => self.outcome(completed.map(|_| ())).await,
        }
    }

    /// What came of a conditional write. One that was refused may have stood at an earlier try.
    async fn outcome<E>(
        &self,
        written: Result<(), SdkError<E, HttpResponse>>,
    ) -> Result<bool, ObjectError>
    where
        E: std::error::Error + aws_sdk_s3::error::ProvideErrorMetadata + Send + Sync + 'static,
    {
        match written {
            Ok(()) => Ok(true),
            Err(error) if is_there(&error) => {
                if self.is_own().await? {
                    Ok(true)
                } else {
                    Err(ObjectError::Exists)
                }
            }
            Err(error) if is_conflict(&error) => Ok(false),
            Err(error) => Err(told(&error)),
        }
    }

    /// Whether the object that is there is this one.
    async fn is_own(&self) -> Result<bool, ObjectError> {
        let Place { client, bucket, key } = &self.place;
        match client.head_object().bucket(bucket).key(key).send().await {
            Ok(head) => {
                let nonce = head.metadata.as_ref().and_then(|metadata| metadata.get(NONCE));
                Ok(nonce == Some(&self.nonce))
            }
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => {
                Ok(false)
            }
            Err(error) => Err(told(&error)),
        }
    }
}

#[async_trait]
impl ObjectWriter for Writing {
    async fn write(&mut self, piece: Bytes) -> Result<(), ObjectError> {
        if self.is_broken {
            return Err(away("S3: an earlier piece could not be written"));
        }
        self.waiting.extend_from_slice(&piece);
        while PART_BYTES <= self.waiting.len() {
            let part = self.waiting.split_to(PART_BYTES).freeze();
            // Until it has gone well: whoever drops this call leaves a part out.
            self.is_broken = true;
            self.upload(part).await?;
            self.is_broken = false;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<(), ObjectError> {
        if self.is_broken {
            return Err(away("S3: an earlier piece could not be written"));
        }
        let last = self.waiting.split().freeze();
        if self.upload.is_some() && !last.is_empty() {
            self.upload(last.clone()).await?;
        }
        for tries in 1..=TRIES_MAX {
            let is_done = match &self.upload {
                Some(upload) => self.complete(upload).await?,
                None => self.put(&last).await?,
            };
            if is_done {
                self.upload = None;
                return Ok(());
            }
            sleep(BACKOFF.wait(tries)).await;
        }
        Err(away("S3: others write the same object"))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let (Some(Upload { id, .. }), Ok(runtime)) = (self.upload.take(), Handle::try_current())
        else {
            return;
        };
        let Place { client, bucket, key } = self.place.clone();
        runtime.spawn(async move {
            let abort = client.abort_multipart_upload().bucket(bucket).key(key).upload_id(id);
            if let Err(error) = abort.send().await {
                let error = crate::errors::chain(&error);
                tracing::warn!(error, "an unfinished upload stays until the bucket's rules end it");
            }
        });
    }
}
