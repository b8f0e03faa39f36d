//! What of a configuration is on AWS: there with the feature `aws`, refused without it.

use weighbridge_proxy::config::Config;
use weighbridge_proxy::server::Services;

use super::CommandError;

/// Adds what `config` wants of AWS.
#[cfg(feature = "aws")]
#[expect(clippy::unused_async, reason = "filled in with each service")]
pub(crate) async fn add(_: &mut Services, _: &Config) -> Result<(), CommandError> {
    Ok(())
}

/// Refuses what `config` wants of AWS.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "with the feature it connects")]
pub(crate) async fn add(_: &mut Services, _: &Config) -> Result<(), CommandError> {
    Ok(())
}
