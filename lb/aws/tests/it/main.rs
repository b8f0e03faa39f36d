//! The AWS services against servers that speak their protocols.

#[path = "../shared/emulators.rs"]
mod emulators;
#[path = "../shared/functions.rs"]
mod functions;
#[cfg(test)]
#[path = "../../../proxy/tests/shared/job_ledger.rs"]
mod job_ledger;
#[cfg(test)]
#[path = "../../../proxy/tests/shared/job_objects.rs"]
mod job_objects;
#[path = "../shared/wire.rs"]
mod wire;

mod cloudwatch;
mod dynamodb;
#[cfg(test)]
mod jobs;
mod lambda;
mod start;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use weighbridge_aws::Aws;

/// Where the SDK's own clients find `url`.
async fn sdk_config(url: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(url)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .load()
        .await
}

/// What speaks to `url`.
async fn aws(url: &str) -> Aws {
    Aws::new(sdk_config(url).await)
}
