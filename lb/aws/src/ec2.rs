//! A fleet of EC2 instances that the balancer launches and ends itself.
//!
//! An instance belongs to the fleet by its tag `weighbridge:fleet`, so that whoever launched it
//! every balancer finds it. `weighbridge:launch` has the token of its launch, `weighbridge:state`
//! says whether it drains, `weighbridge:address` where its worker answers, where that is not its
//! private IP.

pub(crate) mod instances;
mod launch;
mod warm;

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::{Builder, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_ec2::types::Filter;

use weighbridge_proxy::config::Ec2Fleet;
use weighbridge_proxy::fleet::machines::{Discovered, Machine, MachineError, Machines};

use crate::{Aws, answers};
pub(crate) use instances::{find, mark};

/// The tag that says which fleet an instance belongs to.
pub const TAG_FLEET: &str = "weighbridge:fleet";

/// The tag with the token of an instance's launch.
pub const TAG_LAUNCH: &str = "weighbridge:launch";

/// The tag that says whether an instance drains: [`DRAINING`] or anything else.
pub const TAG_STATE: &str = "weighbridge:state";

/// The tag that says where an instance's worker answers: an IP address and a port.
pub const TAG_ADDRESS: &str = "weighbridge:address";

/// The value of [`TAG_STATE`] of an instance that gets no further requests.
pub const DRAINING: &str = "draining";

/// The value of [`TAG_STATE`] of an instance that does, having been kept stopped.
const ACTIVE: &str = "active";

/// States of an instance that is on, or about to be.
pub(crate) const ON: [&str; 2] = ["pending", "running"];

/// A fleet of EC2 instances. See the module.
pub struct Ec2 {
    client: Client,
    config: Ec2Fleet,
    pool: warm::Pool,
}

impl Ec2 {
    /// The fleet that `config` describes.
    pub fn new(aws: &Aws, config: &Ec2Fleet) -> Arc<Ec2> {
        let client = client(aws, answers::retries(), answers::timeouts(config.machine.timeout));
        Arc::new(Ec2 { client, config: config.clone(), pool: warm::Pool::default() })
    }

    async fn terminate(&self, id: &str) -> Result<(), MachineError> {
        let asked = self.client.terminate_instances().instance_ids(id).send().await;
        match asked {
            Ok(_) => Ok(()),
            // Somebody else has terminated it, and it is forgotten already.
            Err(error) if answers::code(&error) == Some("InvalidInstanceID.NotFound") => Ok(()),
            Err(error) => Err(answers::failure(error)),
        }
    }

    /// What only instances of this fleet pass.
    fn own(&self) -> Filter {
        filter(&format!("tag:{TAG_FLEET}"), [self.config.name.as_str()])
    }
}

#[async_trait]
impl Machines for Ec2 {
    async fn launch(&self, token: &str) -> Result<Option<Machine>, MachineError> {
        if let Some(kept) = self.start_kept().await {
            return Ok(Some(kept));
        }
        self.run_new(token).await.map(Some)
    }

    async fn discover(&self) -> Result<Discovered, MachineError> {
        let filters = vec![self.own(), filter("instance-state-name", ON)];
        let instances = find(&self.client, filters).await?;
        let port = self.config.machine.port;
        let machines = instances.iter().filter_map(|i| instances::machine(i, port)).collect();
        Ok(Discovered { machines, bounds: None })
    }

    async fn mark_draining(&self, id: &str) -> Result<(), MachineError> {
        mark(&self.client, id, DRAINING).await
    }

    async fn end(&self, id: &str, well: bool) -> Result<(), MachineError> {
        if well && self.keep(id).await {
            return Ok(());
        }
        self.terminate(id).await
    }

    async fn tidy(&self) -> Result<usize, MachineError> {
        self.let_go().await
    }
}

/// A client of EC2 for a fleet.
pub(crate) fn client(aws: &Aws, retries: RetryConfig, timeouts: TimeoutConfig) -> Client {
    let config = Builder::from(aws.config())
        .retry_config(retries)
        .timeout_config(timeouts)
        .retry_classifier(launch::ElsewhereAtOnce);
    Client::from_conf(config.build())
}

/// Passes what has one of `values` for `name`.
pub(crate) fn filter<'v>(name: &str, values: impl IntoIterator<Item = &'v str>) -> Filter {
    let values = values.into_iter().map(str::to_owned).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}
