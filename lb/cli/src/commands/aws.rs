//! The parts of a configuration that need AWS. Without the feature `aws` they are refused.

use weighbridge_proxy::config::{Config, FleetSource, StoreHome};
use weighbridge_proxy::server::Services;

use super::CommandError;

/// Adds the services of AWS that `config` names.
#[cfg(feature = "aws")]
pub(crate) async fn add(services: &mut Services, config: &Config) -> Result<(), CommandError> {
    if wants(config).is_none() {
        return Ok(());
    }
    let aws = weighbridge_aws::Aws::from_env().await;
    if wants_store(config) {
        store::add(services, &aws, config).await?;
    }
    if rents(config) {
        machines::add(services, &aws, config);
    }
    if wants_functions(config) {
        functions::add(services, &aws, config);
    }
    Ok(())
}

/// Refuses a configuration that needs AWS.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "with the feature it connects")]
pub(crate) async fn add(_: &mut Services, config: &Config) -> Result<(), CommandError> {
    wants(config).map_or(Ok(()), |what| Err(CommandError::NoAws(what)))
}

/// The first part of `config` that needs AWS.
fn wants(config: &Config) -> Option<String> {
    let store =
        wants_store(config).then(|| format!("store.kind is `{}`", config.store.kind.name()));
    let fleet = || rents(config).then(|| format!("fleet.kind is `{}`", config.fleet.kind()));
    let functions = || wants_functions(config).then(|| "lambda.enabled is true".to_owned());
    store.or_else(fleet).or_else(functions)
}

fn wants_store(config: &Config) -> bool {
    match config.store.kind.home() {
        StoreHome::Aws => true,
        StoreHome::DataFolder | StoreHome::Nowhere => false,
    }
}

fn rents(config: &Config) -> bool {
    matches!(config.fleet.source(), FleetSource::Rented(_))
}

fn wants_functions(config: &Config) -> bool {
    config.policy.lambda.is_some()
}

#[cfg(feature = "aws")]
mod store {
    //! DynamoDB: observations, models and leases.

    use std::sync::Arc;

    use weighbridge_aws::Aws;
    use weighbridge_aws::dynamodb::DynamoStore;
    use weighbridge_proxy::config::Config;
    use weighbridge_proxy::server::{ServerError, Services};

    use super::CommandError;

    /// Adds the store that `config` names. The balancer starts without a store that is away. It
    /// does not start with a store that is not ours or denies access, because the operator has to
    /// act.
    pub(super) async fn add(
        services: &mut Services,
        aws: &Aws,
        config: &Config,
    ) -> Result<(), CommandError> {
        let store = DynamoStore::new(aws, &config.store);
        match store.prepare().await {
            Err(error) if error.is_outage() => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the store is away: starting without it");
            }
            prepared => prepared.map_err(ServerError::Store)?,
        }
        services.leases = Some(Arc::new(store.leases()));
        services.store = Some(Arc::new(store));
        Ok(())
    }
}

#[cfg(feature = "aws")]
mod functions {
    //! Lambda.

    use std::sync::Arc;

    use weighbridge_aws::Aws;
    use weighbridge_aws::lambda::LambdaFunctions;
    use weighbridge_proxy::config::Config;
    use weighbridge_proxy::server::Services;

    /// Adds the client that invokes functions.
    pub(super) fn add(services: &mut Services, aws: &Aws, config: &Config) {
        let functions = LambdaFunctions::new(aws, config.timeouts.connect);
        services.functions = Some(Arc::new(functions));
    }
}

#[cfg(feature = "aws")]
mod machines {
    //! EC2, Auto Scaling and CloudWatch.

    use weighbridge_aws::{Aws, asg::Asg, cloudwatch::CloudWatch, ec2::Ec2};
    use weighbridge_proxy::config::{Config, CpuSource, FleetConfig};
    use weighbridge_proxy::server::Services;

    /// Adds the client that rents machines, and the one that measures their CPUs.
    pub(super) fn add(services: &mut Services, aws: &Aws, config: &Config) {
        match &config.fleet {
            FleetConfig::Ec2(ec2) => services.machines = Some(Ec2::new(aws, ec2)),
            FleetConfig::Asg(asg) => services.machines = Some(Asg::new(aws, asg)),
            FleetConfig::Local(_) | FleetConfig::Static(_) => {}
        }
        match config.cpu_source {
            CpuSource::CloudWatch { .. } => services.cpu = Some(CloudWatch::new(aws)),
            CpuSource::Reports => {}
        }
    }
}
