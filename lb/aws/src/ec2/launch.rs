//! `RunInstances`: one instance, in the first subnet that has capacity.

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
    /// Launches an instance in the first subnet that has capacity for one.
    pub(super) async fn run_new(&self, token: &str) -> Result<Machine, MachineError> {
        let subnets: Vec<Option<&str>> = match self.config.subnets.as_slice() {
            [] => vec![None],
            some => some.iter().map(|subnet| Some(subnet.as_str())).collect(),
        };
        let mut refused = None;
        for (nth, subnet) in subnets.into_iter().enumerate() {
            match self.run_in(subnet, token, nth).await {
                Err(MachineError::NoCapacity(cause)) => {
                    tracing::warn!(subnet, "there is no capacity for an instance");
                    refused = Some(MachineError::NoCapacity(cause));
                }
                done => return done,
            }
        }
        Err(refused.unwrap_or_else(|| MachineError::Refused("there is no subnet".into())))
    }

    async fn run_in(
        &self,
        subnet: Option<&str>,
        token: &str,
        nth: usize,
    ) -> Result<Machine, MachineError> {
        // A repeat must be the same in everything: each subnet has a token of its own.
        let ask = self.what(token).client_token(format!("{token}-{nth}"));
        let answer = ask.set_subnet_id(subnet.map(str::to_owned)).send().await;
        let instances = answer.map_err(answers::failure)?.instances.unwrap_or_default();
        let launched = instances.iter().find_map(|i| machine(i, self.config.machine.port));
        // Which it is will be seen, by its token.
        launched.ok_or_else(|| MachineError::Unavailable("EC2 told of no instance".into()))
    }

    /// What is launched, wherever that is.
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
            .set_instance_type(config.instance_type.as_deref().map(InstanceType::from))
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
