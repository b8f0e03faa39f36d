//! What of a configuration is on AWS: there with the feature `aws`, refused without it.

use weighbridge_proxy::config::{Config, FleetConfig};
use weighbridge_proxy::server::Services;

use super::CommandError;

/// Adds what `config` wants of AWS.
#[cfg(feature = "aws")]
pub(crate) async fn add(services: &mut Services, config: &Config) -> Result<(), CommandError> {
    let (wants_machines, wants_functions) =
        (wish_of_fleet(config).is_some(), wants_functions(config));
    if !(wants_machines || wants_functions) {
        return Ok(());
    }
    let aws = weighbridge_aws::Aws::from_env().await;
    if wants_machines {
        machines::add(services, &aws, config);
    }
    if wants_functions {
        functions::add(services, &aws, config);
    }
    Ok(())
}

/// Refuses what `config` wants of AWS.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "with the feature it connects")]
pub(crate) async fn add(_: &mut Services, config: &Config) -> Result<(), CommandError> {
    if let Some(wish) = wish_of_fleet(config) {
        return Err(CommandError::NoAws(wish));
    }
    if wants_functions(config) {
        return Err(CommandError::NoAws("lambda.enabled is true"));
    }
    Ok(())
}

/// What the fleet wants of AWS.
fn wish_of_fleet(config: &Config) -> Option<&'static str> {
    match config.fleet {
        FleetConfig::Ec2(_) => Some("fleet.kind is `ec2`"),
        FleetConfig::Asg(_) => Some("fleet.kind is `asg`"),
        FleetConfig::Local(_) | FleetConfig::Static(_) => None,
    }
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

#[cfg(feature = "aws")]
mod machines {
    //! EC2, Auto Scaling and CloudWatch.

    use weighbridge_aws::{Aws, asg::Asg, cloudwatch::CloudWatch, ec2::Ec2};
    use weighbridge_proxy::config::{Config, CpuSource, FleetConfig};
    use weighbridge_proxy::server::Services;

    /// Adds what rents the machines of the fleet, and what measures their CPUs.
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
