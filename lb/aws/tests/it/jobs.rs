//! Jobs against roto: the contract of every ledger and every store of objects, and what is
//! particular to these.

mod faults;
mod ledger;
mod objects;
mod queues;

use std::sync::Arc;
use std::time::Duration;

use weighbridge_aws::dynamodb::jobs::{DynamoJobs, Settings};
use weighbridge_aws::s3::{self, S3Objects};
use weighbridge_proxy::jobs::ledger::Bounds;

use crate::{aws, sdk_config};

/// The bucket of objects.
pub(crate) const BUCKET: &str = "jobs";

/// A ledger at `url` that counts each time that somebody asks.
pub(crate) async fn ledger(url: &str, bounds: Bounds) -> Arc<DynamoJobs> {
    ledger_with(url, bounds, Duration::ZERO).await
}

pub(crate) async fn ledger_with(url: &str, bounds: Bounds, look: Duration) -> Arc<DynamoJobs> {
    let settings =
        Settings { table: "test".to_owned(), timeout: Duration::from_secs(20), look, bounds };
    Arc::new(DynamoJobs::new(&aws(url).await, &settings))
}

/// Objects at `url`, in a bucket that is made.
pub(crate) async fn objects(url: &str) -> Arc<S3Objects> {
    let client = s3_client(url).await;
    client.create_bucket().bucket(BUCKET).send().await.expect("it is made");
    Arc::new(S3Objects::new(&aws(url).await, settings()))
}

fn settings() -> s3::Settings {
    s3::Settings {
        bucket: BUCKET.to_owned(),
        prefix: "a/".to_owned(),
        timeout: Duration::from_secs(20),
        link_for: Duration::from_mins(1),
    }
}

/// A client of its own.
pub(crate) async fn s3_client(url: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(&sdk_config(url).await);
    aws_sdk_s3::Client::from_conf(config.force_path_style(true).build())
}
