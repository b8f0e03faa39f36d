//! Objects of jobs in S3, shared by all balancers.
//!
//! An object is created by a conditional write (`If-None-Match: *`): who comes second is told. One
//! of more than 8 MiB goes in parts as it comes; what is given up is aborted, and what a balancer
//! that died has left is for the bucket's lifecycle rule. A reader that loses its connection goes
//! on where it was, by a range of the same object (`If-Match`).

pub mod buckets;
mod errors;
mod reader;
mod writer;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::types::Object;
use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE};

use weighbridge_proxy::jobs::objects::{
    ObjectError, ObjectInfo, ObjectReader, ObjectWriter, Objects, is_key,
};

use crate::{Aws, answers};
use errors::{away, told};
use reader::Reading;
use writer::Writing;

/// The most keys that S3 lists at once.
const LISTED_MAX: usize = 1000;

/// What is particular to objects in S3.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The bucket.
    pub bucket: String,
    /// What keys begin with.
    pub prefix: String,
    /// The longest that one try of a request takes.
    pub timeout: Duration,
    /// How long links hold; zero: there are none.
    pub link_for: Duration,
}

/// See the module.
#[derive(Debug, Clone)]
pub struct S3Objects {
    client: Client,
    settings: Settings,
}

/// Where an object is.
#[derive(Debug, Clone)]
struct Place {
    client: Client,
    bucket: String,
    key: String,
}

// === impl S3Objects ===

impl S3Objects {
    /// The objects that `settings` name. Connects to nothing yet.
    pub fn new(aws: &Aws, settings: Settings) -> S3Objects {
        // Names of buckets that have dots, and most doubles of S3, want the bucket in the path.
        let in_path = aws.has_endpoint() || settings.bucket.contains('.');
        S3Objects { client: client(aws, settings.timeout, in_path), settings }
    }

    fn place(&self, key: &str) -> Result<Place, ObjectError> {
        if !is_key(key) {
            return Err(ObjectError::Key(key.into()));
        }
        Ok(Place {
            client: self.client.clone(),
            bucket: self.settings.bucket.clone(),
            key: format!("{}{key}", self.settings.prefix),
        })
    }

    /// What is told of a listed object; `None` where it is none of ours.
    fn info(&self, object: &Object) -> Option<ObjectInfo> {
        let key = object.key()?.strip_prefix(&self.settings.prefix)?;
        let modified = object.last_modified()?;
        let since = Duration::try_from_secs_f64(modified.as_secs_f64()).unwrap_or_default();
        Some(ObjectInfo { key: key.to_owned(), modified: UNIX_EPOCH + since })
    }
}

/// What speaks to S3, with the bucket in the path, or in the name of the host.
fn client(aws: &Aws, timeout: Duration, in_path: bool) -> Client {
    let config = Builder::from(aws.config())
        .force_path_style(in_path)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(answers::retries())
        .timeout_config(answers::timeouts(timeout));
    Client::from_conf(config.build())
}

#[async_trait]
impl Objects for S3Objects {
    async fn create(&self, key: &str) -> Result<Box<dyn ObjectWriter>, ObjectError> {
        Ok(Box::new(Writing::new(self.place(key)?)))
    }

    async fn open(&self, key: &str) -> Result<Option<Box<dyn ObjectReader>>, ObjectError> {
        let opened = Reading::open(self.place(key)?).await?;
        Ok(opened.map(|reading| Box::new(reading) as Box<dyn ObjectReader>))
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        let Place { client, bucket, key } = self.place(key)?;
        let delete = client.delete_object().bucket(bucket).key(key);
        delete.send().await.map_err(|error| told(&error))?;
        Ok(())
    }

    async fn list(&self, after: Option<&str>, most: usize) -> Result<Vec<ObjectInfo>, ObjectError> {
        let prefix = &self.settings.prefix;
        let mut listed = Vec::new();
        let mut after = after.map(|after| format!("{prefix}{after}"));
        while listed.len() < most {
            let wanted = i32::try_from((most - listed.len()).min(LISTED_MAX)).unwrap_or(i32::MAX);
            let list = self.client.list_objects_v2().bucket(&self.settings.bucket);
            let list = list.prefix(prefix).max_keys(wanted).set_start_after(after);
            let got = list.send().await.map_err(|error| told(&error))?;
            listed.extend(got.contents().iter().filter_map(|object| self.info(object)));
            after = got.contents().last().and_then(|last| last.key()).map(str::to_owned);
            if !got.is_truncated().unwrap_or_default() || after.is_none() {
                break;
            }
        }
        Ok(listed)
    }

    async fn link(&self, key: &str, head: &HeaderMap) -> Result<Option<String>, ObjectError> {
        if self.settings.link_for.is_zero() {
            return Ok(None);
        }
        let Place { client, bucket, key } = self.place(key)?;
        let field = |name| head.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let presigning = PresigningConfig::builder()
            .expires_in(self.settings.link_for)
            .start_time(SystemTime::now());
        let get = client
            .get_object()
            .bucket(bucket)
            .key(key)
            .set_response_content_type(field(CONTENT_TYPE))
            .set_response_content_encoding(field(CONTENT_ENCODING))
            .set_response_content_disposition(field(CONTENT_DISPOSITION));
        let signed = get.presigned(presigning.build().map_err(away)?).await;
        Ok(Some(signed.map_err(|error| told(&error))?.uri().to_owned()))
    }
}
