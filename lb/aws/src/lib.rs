//! EC2 fleet, Lambda, DynamoDB, S3 and SQS of Weighbridge: the proxy's traits on the AWS SDKs.
//!
//! Region, credentials and endpoints come from where every AWS tool takes them: `AWS_REGION`,
//! profiles, the role of the instance or container, `AWS_ENDPOINT_URL_EC2` and its like. HTTP goes
//! through hyper, TLS through rustls with ring, of which pingora has its own use.

mod answers;
pub mod asg;
pub mod cloudwatch;
pub mod dynamodb;
pub mod ec2;
mod errors;
pub mod lambda;
pub mod s3;
pub mod sqs;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// What all clients share. Made on the runtime that is to use them: a pooled connection that nobody
/// drives stalls the next call.
#[derive(Debug, Clone)]
pub struct Aws {
    config: SdkConfig,
}

impl Aws {
    /// As the environment says. Connects to nothing yet, but for credentials.
    pub async fn from_env() -> Aws {
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
        Aws { config }
    }

    /// As `config` says, for those who have one.
    pub fn new(config: SdkConfig) -> Aws {
        Aws { config }
    }

    /// The region, where one is known.
    pub fn region(&self) -> Option<&str> {
        self.config.region().map(AsRef::as_ref)
    }

    /// Whether calls go elsewhere than to AWS.
    pub(crate) fn has_endpoint(&self) -> bool {
        let of_s3 = || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        self.config.endpoint_url().is_some() || of_s3()
    }

    /// What a service's client is made from.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }
}
