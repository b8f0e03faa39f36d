//! A fleet that is an Auto Scaling group: the group launches, the balancer says how many there are
//! to be and which one is to go.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_autoscaling::types::{AutoScalingGroup, LifecycleState};
use tokio::sync::Mutex;

use weighbridge_proxy::config::AsgFleet;
use weighbridge_proxy::fleet::machines::{Discovered, Machine, MachineError, Machines};

use crate::ec2::{self, DRAINING, filter, find, mark};
use crate::{Aws, answers};

/// Instances that are asked for in one call: a filter takes 200 values.
const IDS_MAX: usize = 200;

/// The instances of an Auto Scaling group. See the module.
pub struct Asg {
    groups: aws_sdk_autoscaling::Client,
    instances: aws_sdk_ec2::Client,
    config: AsgFleet,
    /// One change of the group's size at a time: each rests on the size that the last one left.
    changing: Mutex<()>,
}

impl Asg {
    /// The group that `config` names.
    pub fn new(aws: &Aws, config: &AsgFleet) -> Arc<Asg> {
        let (retries, timeouts) = (answers::retries(), answers::timeouts(config.machine.timeout));
        let groups = aws_sdk_autoscaling::config::Builder::from(aws.config())
            .retry_config(retries.clone())
            .timeout_config(timeouts.clone());
        Arc::new(Asg {
            groups: aws_sdk_autoscaling::Client::from_conf(groups.build()),
            instances: ec2::client(aws, retries, timeouts),
            config: config.clone(),
            changing: Mutex::default(),
        })
    }

    async fn group(&self) -> Result<AutoScalingGroup, MachineError> {
        let name = &self.config.group;
        let ask = self.groups.describe_auto_scaling_groups().auto_scaling_group_names(name);
        let answer = ask.send().await.map_err(answers::failure)?;
        let group = answer.auto_scaling_groups.unwrap_or_default().into_iter().next();
        group.ok_or_else(|| MachineError::Refused(format!("there is no group `{name}`").into()))
    }
}

#[async_trait]
impl Machines for Asg {
    /// One more. Which instance that is will be seen.
    async fn launch(&self, _: &str) -> Result<Option<Machine>, MachineError> {
        let _alone = self.changing.lock().await;
        let group = self.group().await?;
        let (desired, most) = (size(group.desired_capacity), size(group.max_size));
        if most <= desired {
            return Err(MachineError::Full(most));
        }
        let asked = self
            .groups
            .set_desired_capacity()
            .auto_scaling_group_name(&self.config.group)
            .desired_capacity(i32::try_from(desired + 1).unwrap_or(i32::MAX))
            .honor_cooldown(false)
            .send()
            .await;
        asked.map_err(answers::failure)?;
        Ok(None)
    }

    async fn discover(&self) -> Result<Discovered, MachineError> {
        let group = self.group().await?;
        let bounds = Some((size(group.min_size), size(group.max_size)));
        let ids: Vec<&str> = group
            .instances()
            .iter()
            .filter(|instance| stays(instance.lifecycle_state()))
            .filter_map(aws_sdk_autoscaling::types::Instance::instance_id)
            .collect();
        let mut machines = Vec::new();
        for ids in ids.chunks(IDS_MAX) {
            let filters = vec![
                filter("instance-id", ids.iter().copied()),
                filter("instance-state-name", ec2::ON),
            ];
            let found = find(&self.instances, filters).await?;
            let port = self.config.machine.port;
            machines.extend(found.iter().filter_map(|i| ec2::instances::machine(i, port)));
        }
        Ok(Discovered { machines, bounds })
    }

    async fn mark_draining(&self, id: &str) -> Result<(), MachineError> {
        mark(&self.instances, id, DRAINING).await
    }

    /// Terminates the instance, and lets the group be smaller by one, unless it is as small as it
    /// may be: then the group launches another one.
    async fn end(&self, id: &str, _: bool) -> Result<(), MachineError> {
        let _alone = self.changing.lock().await;
        let group = self.group().await?;
        if !group.instances().iter().any(|instance| instance.instance_id() == Some(id)) {
            return Ok(());
        }
        let smaller = size(group.min_size) < size(group.desired_capacity);
        let asked = self
            .groups
            .terminate_instance_in_auto_scaling_group()
            .instance_id(id)
            .should_decrement_desired_capacity(smaller)
            .send()
            .await;
        asked.map(|_| ()).map_err(answers::failure)
    }
}

/// Whether an instance in that part of its life is one that takes requests, or will.
fn stays(state: Option<&LifecycleState>) -> bool {
    let leaves = state.is_some_and(|state| {
        let name = state.as_str();
        name.starts_with("Terminat") || name.starts_with("Detach") || name.starts_with("Warmed")
    });
    !leaves
}

fn size(size: Option<i32>) -> usize {
    usize::try_from(size.unwrap_or(0)).unwrap_or(0)
}
