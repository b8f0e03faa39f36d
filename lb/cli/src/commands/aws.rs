//! What of a configuration is on AWS: there with the feature `aws`, refused without it.

use weighbridge_proxy::config::Config;
use weighbridge_proxy::server::Services;

use super::CommandError;

/// Adds what `config` wants of AWS.
#[cfg(feature = "aws")]
pub(crate) async fn add(services: &mut Services, config: &Config) -> Result<(), CommandError> {
    let Some(_) = first_wish(config) else { return Ok(()) };
    let aws = weighbridge_aws::Aws::from_env().await;
    add_machines(services, config, &aws);
    Ok(())
}

/// Refuses what `config` wants of AWS.
#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "with the feature it connects")]
pub(crate) async fn add(_: &mut Services, config: &Config) -> Result<(), CommandError> {
    first_wish(config).map_or(Ok(()), |wish| Err(CommandError::NoAws(wish)))
}

/// The first part of `config` that is on AWS, as the file says it.
fn first_wish(config: &Config) -> Option<&'static str> {
    use weighbridge_proxy::config::FleetConfig;
    match config.fleet {
        FleetConfig::Ec2(_) => Some("fleet.kind is `ec2`"),
        FleetConfig::Asg(_) => Some("fleet.kind is `asg`"),
        FleetConfig::Local(_) | FleetConfig::Static(_) => None,
    }
}

/// What rents the machines of the fleet, and measures their CPUs.
#[cfg(feature = "aws")]
fn add_machines(services: &mut Services, config: &Config, aws: &weighbridge_aws::Aws) {
    use weighbridge_aws::{asg::Asg, cloudwatch::CloudWatch, ec2::Ec2};
    use weighbridge_proxy::config::{CpuSource, FleetConfig};
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
