//! The parts of a configuration that need AWS. Without the feature `aws` they are refused.

use weighbridge_proxy::config::{Config, FleetSource, JobsKind, StoreHome};
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
    if wants_jobs(config) {
        jobs::add(services, &aws, config).await?;
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
    let jobs = || wants_jobs(config).then(|| format!("jobs.kind is `{}`", config.jobs.kind.name()));
    store.or_else(fleet).or_else(functions).or_else(jobs)
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

fn wants_jobs(config: &Config) -> bool {
    let is_there = match config.jobs.kind {
        JobsKind::Aws => true,
        JobsKind::Embedded => false,
    };
    config.jobs.enabled && is_there
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
mod jobs {
    //! Jobs in DynamoDB and S3.

    use std::sync::Arc;

    use weighbridge_aws::Aws;
    use weighbridge_aws::dynamodb::customers::DynamoCustomers;
    use weighbridge_aws::dynamodb::jobs::{self as ledger, DynamoJobs};
    use weighbridge_aws::s3::buckets::S3Buckets;
    use weighbridge_aws::s3::{self, S3Objects};
    use weighbridge_aws::sqs::messages::SqsMessages;
    use weighbridge_aws::sqs::{self, QueuedJobs};
    use weighbridge_proxy::config::Config;
    use weighbridge_proxy::jobs::contract::Outside;
    use weighbridge_proxy::jobs::ledger::{Bounds, JobLedger, LedgerError};
    use weighbridge_proxy::server::{JobStore, JobsError, ServerError, Services};

    use super::CommandError;

    /// Adds the places of jobs that `config` names. The balancer starts without a ledger that is
    /// away. It does not start with one that is not ours or denies access, because the operator has
    /// to act.
    pub(super) async fn add(
        services: &mut Services,
        aws: &Aws,
        config: &Config,
    ) -> Result<(), CommandError> {
        let timeout = config.jobs.aws.timeout;
        services.outside = Some(Outside {
            buckets: Arc::new(S3Buckets::new(aws, timeout)),
            messages: Some(Arc::new(SqsMessages::new(aws, timeout))),
            customers: Arc::new(DynamoCustomers::new(aws, timeout)),
        });
        if !config.jobs.has_table() {
            return Ok(());
        }
        let ledger = DynamoJobs::new(aws, &settings(config));
        match ledger.prepare().await {
            Ok(()) => {}
            Err(error @ (LedgerError::Away(_) | LedgerError::Full(_))) => {
                tracing::warn!(%error, "jobs cannot be kept now: starting nevertheless");
            }
            Err(error) => return Err(ServerError::Jobs(JobsError::Ledger(error)).into()),
        }
        let keys = &config.jobs.aws;
        let objects = s3::Settings {
            bucket: keys.bucket.clone(),
            prefix: keys.prefix.clone(),
            timeout: keys.timeout,
            link_for: keys.link_for,
        };
        let objects = Arc::new(S3Objects::new(aws, objects));
        services.jobs = Some(JobStore { ledger: with_queues(aws, config, ledger), objects });
        Ok(())
    }

    /// `ledger`, with its line at the queues that `config` names.
    fn with_queues(aws: &Aws, config: &Config, ledger: DynamoJobs) -> Arc<dyn JobLedger> {
        let keys = &config.jobs.aws;
        if keys.queue.is_empty() {
            return Arc::new(ledger);
        }
        let queues = sqs::Settings {
            queue: keys.queue.clone(),
            main: config.fleet_names().next().unwrap_or_default().to_owned(),
            timeout: keys.timeout,
            window: keys.window,
            age_floor: config.jobs.age_floor,
            age_factor: config.jobs.age_factor,
        };
        Arc::new(QueuedJobs::new(aws, ledger, queues))
    }

    fn settings(config: &Config) -> ledger::Settings {
        let keys = &config.jobs.aws;
        ledger::Settings {
            table: keys.table.clone(),
            timeout: keys.timeout,
            look: keys.look,
            bounds: Bounds::of(&config.jobs),
        }
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
