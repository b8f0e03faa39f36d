//! Buckets of contracts in S3: objects under names that others know, too.
//!
//! A result is committed by a conditional write: where nothing was there, `If-None-Match: *`, else
//! `If-Match` of what was. So of two that write one name at the same time neither is lost unseen:
//! the second looks again. The metadata say whose it is, so that who comes back sees that it is
//! done.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use bytes::Bytes;
use tokio::time::sleep;

use weighbridge_proxy::backoff::Backoff;
use weighbridge_proxy::jobs::contract::buckets::{Buckets, Object, Place};
use weighbridge_proxy::jobs::objects::ObjectError;

use super::errors::{away, is_conflict, is_there, told};
use crate::Aws;

/// The metadata that say who has committed an object.
const MARK: &str = "weighbridge-job";

/// A commit that others are in the way of is tried again so often.
const TRIES_MAX: u64 = 8;

/// Between two tries.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(20), max: Duration::from_secs(1) };

/// What S3 says where there is no such bucket, or none that can be called so.
const NO_BUCKET: [&str; 3] = ["NoSuchBucket", "InvalidBucketName", "NotFound"];

/// See the module.
#[derive(Debug, Clone)]
pub struct S3Buckets {
    client: Client,
}

/// What is there.
struct Found {
    tag: String,
    mark: Option<String>,
}

// === impl S3Buckets ===

impl S3Buckets {
    /// Any buckets; one try of a request takes at most `timeout`. Connects to nothing yet.
    pub fn new(aws: &Aws, timeout: Duration) -> S3Buckets {
        // Names of any kind, dots too: the bucket stands in the path.
        S3Buckets { client: super::client(aws, timeout, true) }
    }

    async fn look(&self, place: &Place) -> Result<Option<Found>, ObjectError> {
        let head = self.client.head_object().bucket(&place.bucket).key(&place.key);
        match head.send().await {
            Ok(head) => {
                let mark = head.metadata.and_then(|mut metadata| metadata.remove(MARK));
                let tag = head.e_tag.ok_or_else(|| away("S3: an object has no tag"))?;
                Ok(Some(Found { tag, mark }))
            }
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => {
                Ok(None)
            }
            Err(error) => Err(told(&error)),
        }
    }

    /// Commits, where `before` is still there. Returns whether it was.
    async fn try_to_commit(
        &self,
        (place, object, mark): (&Place, &Object, &str),
        before: Option<Found>,
    ) -> Result<bool, ObjectError> {
        let put = self.client.put_object().bucket(&place.bucket).key(&place.key);
        let put = put.content_type(&object.media_type).metadata(MARK, mark);
        let put = match before {
            Some(Found { tag, .. }) => put.if_match(tag),
            None => put.if_none_match("*"),
        };
        match put.body(object.body.clone().into()).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_there(&error) || is_conflict(&error) => Ok(false),
            Err(error) => Err(told(&error)),
        }
    }
}

#[async_trait]
impl Buckets for S3Buckets {
    async fn put(&self, place: &Place, object: &Object) -> Result<(), ObjectError> {
        let put = self.client.put_object().bucket(&place.bucket).key(&place.key);
        let put = put.content_type(&object.media_type).body(object.body.clone().into());
        put.send().await.map(drop).map_err(|error| told(&error))
    }

    async fn get(&self, place: &Place, most: u64) -> Result<Option<Bytes>, ObjectError> {
        let get = self.client.get_object().bucket(&place.bucket).key(&place.key);
        let got = match get.send().await {
            Ok(got) => got,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Ok(None);
            }
            Err(error) => return Err(told(&error)),
        };
        let bytes = got.content_length.and_then(|length| u64::try_from(length).ok());
        if bytes.is_none_or(|bytes| most < bytes) {
            return Ok(None);
        }
        Ok(Some(got.body.collect().await.map_err(away)?.into_bytes()))
    }

    async fn list(&self, bucket: &str, most: usize) -> Result<Option<Vec<String>>, ObjectError> {
        if !is_bucket(bucket) {
            return Ok(None);
        }
        let (mut keys, mut after) = (Vec::new(), None);
        loop {
            let list = self.client.list_objects_v2().bucket(bucket).set_continuation_token(after);
            let listed = match list.send().await {
                Ok(listed) => listed,
                Err(error) if error.code().is_some_and(|code| NO_BUCKET.contains(&code)) => {
                    return Ok(None);
                }
                Err(error) => return Err(told(&error)),
            };
            let found = listed.contents.unwrap_or_default();
            keys.extend(found.into_iter().filter_map(|object| object.key));
            keys.truncate(most);
            after = listed.next_continuation_token;
            if after.is_none() || most <= keys.len() {
                return Ok(Some(keys));
            }
        }
    }

    async fn commit(&self, place: &Place, object: &Object, mark: &str) -> Result<(), ObjectError> {
        for nth in 1..=TRIES_MAX {
            let before = self.look(place).await?;
            if before.as_ref().is_some_and(|found| found.mark.as_deref() == Some(mark)) {
                return Ok(());
            }
            if self.try_to_commit((place, object, mark), before).await? {
                return Ok(());
            }
            sleep(BACKOFF.wait(nth)).await;
        }
        Err(away("S3: too many write the same object"))
    }
}

/// Whether a bucket can be called so.
fn is_bucket(name: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    (3..=63).contains(&name.len()) && name.bytes().all(plain)
}
