//! `RunInstances`: one instance, of the first type and in the first subnet that have capacity.
//!
//! # Decision: types are tried one after the other
//!
//! `CreateFleet` would let EC2 choose among types and zones. Here the operator's order counts: the
//! same call, rights and token serve on demand and on spot, with a launch template or without. A
//! type without capacity costs one refused call for each subnet. Cost: EC2's knowledge of where
//! spot instances will last is not used. Look again when interruptions hurt.

use aws_sdk_ec2::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    IamInstanceProfileSpecification, InstanceMarketOptionsRequest, InstanceType,
    LaunchTemplateSpecification, MarketType, ResourceType, ShutdownBehavior, TagSpecification,
};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::RetryClassifierPriority;
use aws_smithy_types::base64;

use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::operation::run_instances::RunInstancesError;

use weighbridge_proxy::fleet::machines::{Machine, MachineError};

use super::instances::{machine, tag};
use super::{Ec2, TAG_FLEET, TAG_LAUNCH};
use crate::answers;

/// Does not try a zone again that has no capacity: there are others, and later times.
#[derive(Debug)]
pub(super) struct ElsewhereAtOnce;

// === impl Ec2 ===

impl Ec2 {
    /// Launches an instance: of the first type that has capacity in a subnet, there.
    pub(super) async fn run_new(&self, token: &str) -> Result<Machine, MachineError> {
        let mut choices = Vec::new();
        for kind in or_none(&self.config.instance_types) {
            choices.extend(or_none(&self.config.subnets).into_iter().map(|subnet| (kind, subnet)));
        }
        let mut refused = None;
        for (nth, (kind, subnet)) in choices.into_iter().enumerate() {
            match self.run_in((kind, subnet), token, nth).await {
                Err(MachineError::NoCapacity(cause)) => {
                    tracing::warn!(kind, subnet, "there is no capacity for an instance");
                    refused = Some(MachineError::NoCapacity(cause));
                }
                done => return done,
            }
        }
        Err(refused.unwrap_or_else(|| MachineError::Refused("there is no subnet".into())))
    }

    async fn run_in(
        &self,
        (kind, subnet): (Option<&str>, Option<&str>),
        token: &str,
        nth: usize,
    ) -> Result<Machine, MachineError> {
        // A repeat must be the same in everything: each type in each subnet has a token of its own.
        let ask = self.what(token).client_token(format!("{token}-{nth}"));
        let ask = ask.set_instance_type(kind.map(InstanceType::from));
        let answer = ask.set_subnet_id(subnet.map(str::to_owned)).send().await;
        let instances = answer.map_err(answers::failure)?.instances.unwrap_or_default();
        let launched = instances.iter().find_map(|i| machine(i, self.config.machine.port));
        // Which it is will be seen, by its token.
        launched.ok_or_else(|| MachineError::Unavailable("EC2 told of no instance".into()))
    }

    /// What is launched, of whatever type and wherever that is.
    fn what(&self, token: &str) -> RunInstancesFluentBuilder {
        let config = &self.config;
        let template = config.launch_template.as_deref().map(|template| {
            let specification = LaunchTemplateSpecification::builder();
            let specification = if template.starts_with("lt-") {
                specification.launch_template_id(template)
            } else {
                specification.launch_template_name(template)
            };
            specification.version(&config.launch_template_version).build()
        });
        let profile = config.instance_profile.as_deref();
        let user_data = config.user_data.as_deref();
        let groups = Some(config.security_groups.clone()).filter(|groups| !groups.is_empty());
        let spot = || InstanceMarketOptionsRequest::builder().market_type(MarketType::Spot).build();
        self.client
            .run_instances()
            .min_count(1)
            .max_count(1)
            .set_launch_template(template)
            .set_image_id(config.image.clone())
            .set_key_name(config.key_name.clone())
            .set_security_group_ids(groups)
            .set_iam_instance_profile(
                profile.map(|name| IamInstanceProfileSpecification::builder().name(name).build()),
            )
            .set_user_data(user_data.map(base64::encode))
            .set_instance_market_options(config.spot.then(spot))
            .set_instance_initiated_shutdown_behavior(
                (config.warm == 0).then_some(ShutdownBehavior::Terminate),
            )
            .tag_specifications(self.tags(ResourceType::Instance, token))
            .tag_specifications(self.tags(ResourceType::Volume, token))
    }

    fn tags(&self, of: ResourceType, token: &str) -> TagSpecification {
        TagSpecification::builder()
            .resource_type(of)
            .tags(tag("Name", &self.config.name))
            .tags(tag(TAG_FLEET, &self.config.name))
            .tags(tag(TAG_LAUNCH, token))
            .build()
    }
}

/// Each of `choices`; where there are none, the one choice to leave it to EC2.
fn or_none(choices: &[String]) -> Vec<Option<&str>> {
    match choices {
        [] => vec![None],
        some => some.iter().map(|choice| Some(choice.as_str())).collect(),
    }
}

impl ClassifyRetry for ElsewhereAtOnce {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let failed = context.output_or_error().and_then(Result::err);
        let failed = failed.and_then(|failed| failed.as_operation_error());
        let code = failed
            .and_then(|failed| failed.downcast_ref::<RunInstancesError>())
            .and_then(ProvideErrorMetadata::code);
        if code.is_some_and(answers::is_no_capacity) {
            return RetryAction::RetryForbidden;
        }
        RetryAction::NoActionIndicated
    }

    fn name(&self) -> &'static str {
        "elsewhere at once"
    }

    fn priority(&self) -> RetryClassifierPriority {
        // The last one to be asked has the last word.
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}
