//! Reads one object piece by piece.

use async_trait::async_trait;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use std::time::Duration;
use tokio::time::{sleep, timeout};

use weighbridge_proxy::backoff::Backoff;
use weighbridge_proxy::jobs::objects::{ObjectError, ObjectReader};

use super::Place;
use super::errors::{away, told};

/// A body of which nothing comes for so long is asked for again.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// A body that breaks off is asked for again so often in a row.
const TRIES_MAX: u64 = 5;

/// Between two tries.
const BACKOFF: Backoff = Backoff { base: Duration::from_millis(50), max: Duration::from_secs(2) };

/// An object that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    place: Place,
    tag: String,
    bytes: u64,
    read: u64,
    body: Option<ByteStream>,
}

// === impl Reading ===

impl Reading {
    /// Opens the object at `place`; `None` where there is none.
    pub(super) async fn open(place: Place) -> Result<Option<Reading>, ObjectError> {
        let get = place.client.get_object().bucket(&place.bucket).key(&place.key);
        let got = match get.send().await {
            Ok(got) => got,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Ok(None);
            }
            Err(error) => return Err(told(&error)),
        };
        let bytes = got.content_length.and_then(|length| u64::try_from(length).ok());
        let bytes = bytes.ok_or_else(|| away("S3: an object has no length"))?;
        let tag = got.e_tag.ok_or_else(|| away("S3: an object has no tag"))?;
        Ok(Some(Reading { place, tag, bytes, read: 0, body: Some(got.body) }))
    }

    /// The next piece of the body that there is; `None` where it has broken off.
    async fn piece(&mut self) -> Option<Bytes> {
        let body = self.body.as_mut()?;
        let piece = timeout(IDLE_MAX, body.next()).await;
        if let Ok(Some(Ok(piece))) = piece {
            return Some(piece);
        }
        self.body = None;
        None
    }

    /// Asks for what has not been read, of the same object.
    async fn go_on(&mut self) -> Result<(), ObjectError> {
        let Place { client, bucket, key } = &self.place;
        let get = client.get_object().bucket(bucket).key(key).if_match(&self.tag);
        let got = get.range(format!("bytes={}-", self.read)).send().await;
        self.body = Some(got.map_err(|error| told(&error))?.body);
        Ok(())
    }
}

#[async_trait]
impl ObjectReader for Reading {
    fn bytes(&self) -> u64 {
        self.bytes
    }

    async fn next(&mut self) -> Result<Option<Bytes>, ObjectError> {
        let mut tries = 0;
        while self.read < self.bytes {
            if let Some(piece) = self.piece().await {
                if piece.is_empty() {
                    continue;
                }
                self.read += piece.len() as u64;
                return Ok(Some(piece));
            }
            if TRIES_MAX <= tries {
                return Err(away("S3: a body breaks off again and again"));
            }
            if 0 < tries {
                sleep(BACKOFF.wait(tries)).await;
            }
            tries += 1;
            self.go_on().await?;
        }
        Ok(None)
    }
}
