//! What of a configuration is on AWS: there with the feature `aws`, refused without it.

use weighbridge_proxy::config::Config;
use weighbridge_proxy::server::Services;

use super::CommandError;

/// Adds what `config` wants of AWS.
#[cfg(feature = "aws")]
pub(crate) async fn add(services: &mut Services, config: &Config) -> Result<(), CommandError> {
    if wants_functions(config) {
        let aws = weighbridge_aws::Aws::from_env().await;
        functions::add(services, &aws, config);
    }
    Ok(())
}

/// Refuses what `config` wants of AWS.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "with the feature it connects")]
pub(crate) async fn add(_: &mut Services, config: &Config) -> Result<(), CommandError> {
    if wants_functions(config) {
        return Err(CommandError::NoAws("lambda.enabled is true"));
    }
    Ok(())
}

fn wants_functions(config: &Config) -> bool {
    config.policy.lambda.is_some()
}

#[cfg(feature = "aws")]
mod functions {
    //! Lambda.

    use std::sync::Arc;

    use weighbridge_aws::Aws;
    use weighbridge_aws::lambda::LambdaFunctions;
    use weighbridge_proxy::config::Config;
    use weighbridge_proxy::server::Services;

    /// Adds what invokes functions.
    pub(super) fn add(services: &mut Services, aws: &Aws, config: &Config) {
        let functions = LambdaFunctions::new(aws, config.timeouts.connect);
        services.functions = Some(Arc::new(functions));
    }
}
