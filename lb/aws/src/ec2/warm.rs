//! Instances that are kept stopped, and started before new ones are launched: they boot faster, and
//! cost only their disks.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::Instance;
use tokio::sync::Mutex;

use weighbridge_proxy::fleet::machines::{Machine, MachineError};

use super::{ACTIVE, Ec2, filter, find, instances, mark};
use crate::answers;

/// Instances that were started and may still be listed as stopped.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<BTreeSet<String>>);

// === impl Ec2 ===

impl Ec2 {
    /// Starts one of the instances that are kept; `None` where there is none, or none can be
    /// started, which is not worth more than a warning: a new one will do.
    pub(super) async fn start_kept(&self) -> Option<Machine> {
        if self.config.warm == 0 {
            return None;
        }
        // One at a time, or two launches start the same instance.
        let mut started = self.pool.0.lock().await;
        let kept = match self.kept(["stopped"].as_slice()).await {
            Ok(kept) => kept,
            Err(error) => {
                warn(&error, "the stopped instances cannot be listed");
                return None;
            }
        };
        let ids: BTreeSet<&str> = kept.iter().filter_map(Instance::instance_id).collect();
        started.retain(|id| ids.contains(id.as_str()));
        for instance in &kept {
            let Some(machine) = instances::machine(instance, self.config.machine.port) else {
                continue;
            };
            if started.contains(&machine.id) {
                continue;
            }
            match self.start(&machine.id).await {
                Ok(()) => {
                    started.insert(machine.id.clone());
                    return Some(Machine { draining: false, ..machine });
                }
                Err(error) => warn(&error, "a stopped instance cannot be started"),
            }
        }
        None
    }

    /// Stops the instance `id`, if there is a place for it among those that are kept. Returns
    /// whether it did.
    pub(super) async fn keep(&self, id: &str) -> bool {
        if self.config.warm == 0 {
            return false;
        }
        let mut started = self.pool.0.lock().await;
        match self.kept(["stopping", "stopped"].as_slice()).await {
            Ok(kept) if kept.len() < self.config.warm => {}
            Ok(_) => return false,
            Err(error) => {
                warn(&error, "the stopped instances cannot be listed");
                return false;
            }
        }
        match self.client.stop_instances().instance_ids(id).send().await {
            Ok(_) => {
                started.remove(id);
                true
            }
            Err(error) => {
                warn(&answers::failure(error), "an instance cannot be stopped");
                false
            }
        }
    }

    /// Terminates those that are kept beyond what is wanted; says how many.
    pub(super) async fn let_go(&self) -> Result<usize, MachineError> {
        // None of them is started meanwhile.
        let started = self.pool.0.lock().await;
        let kept = self.kept(["stopped"].as_slice()).await?;
        let ids = kept.iter().filter_map(Instance::instance_id);
        let surplus: Vec<&str> =
            ids.filter(|id| !started.contains(*id)).skip(self.config.warm).collect();
        for id in &surplus {
            self.terminate(id).await?;
        }
        Ok(surplus.len())
    }

    async fn start(&self, id: &str) -> Result<(), MachineError> {
        // First, or other balancers drain it as soon as they see it.
        mark(&self.client, id, ACTIVE).await?;
        let asked = self.client.start_instances().instance_ids(id).send().await;
        asked.map(|_| ()).map_err(answers::failure)
    }

    async fn kept(&self, states: &[&str]) -> Result<Vec<Instance>, MachineError> {
        let states = filter("instance-state-name", states.iter().copied());
        find(&self.client, vec![self.own(), states]).await
    }
}

fn warn(error: &MachineError, what: &'static str) {
    tracing::warn!(error = error as &dyn std::error::Error, "{what}");
}
