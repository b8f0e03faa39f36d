//! Where requests can go: the balancer that decides, the hosts, the connections to them, Lambda.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;

use weighbridge_core::admit::ShedReason;
use weighbridge_core::observe::Failure;
use weighbridge_core::request::RouteId;

use crate::answer::{Problem, Whole};
use crate::budget::MemoryBudget;
use crate::config::Config;
use crate::fleet::AddressBook;
use crate::fleets::Fleets;
use crate::forward::{Connections, TryLimits};
use crate::lambda::{self, Functions, InvokeError};
use crate::roster::Roster;

/// The longest that a client is told to stay away.
const RETRY_AFTER_MAX_SECS: u64 = 60;

/// See the module.
pub(crate) struct Dispatch {
    pub(crate) config: Arc<Config>,
    pub(crate) fleets: Arc<Fleets>,
    pub(crate) hosts: Arc<AddressBook>,
    /// The hosts that are listed.
    pub(crate) roster: Arc<Roster>,
    pub(crate) connections: Arc<Connections>,
    /// For what is held of requests and answers.
    pub(crate) budget: MemoryBudget,
    /// Runs requests on Lambda; there where the policy has any.
    pub(crate) functions: Option<Arc<dyn Functions>>,
}

impl Dispatch {
    /// How long one try of a request of `route` may take, and what of its answer is held.
    pub(crate) fn try_limits(&self, route: RouteId) -> TryLimits {
        let route = self.config.route(route);
        TryLimits {
            connect: self.config.timeouts.connect,
            response: route.response,
            idle: self.config.timeouts.idle,
            held_bytes_max: self.config.limits.response_buffer_bytes,
            answer: route.answer,
        }
    }

    /// How long the event would be that carries a request of `route`; `None` where it cannot go to
    /// Lambda.
    pub(crate) fn event_bytes(&self, route: RouteId, request: &Parts, body: &[u8]) -> Option<u64> {
        let function = self.config.policy_of(route).function?;
        let lambda = self.config.policy.lambda.as_ref()?;
        let most = lambda.functions.get(usize::from(function.0))?.payload_bytes_max;
        // What is too long by itself is not looked at.
        (body.len() as u64 <= most).then(|| lambda::event_bytes(request, body))
    }

    /// Runs a request, as it would go to a host, on `function`.
    pub(crate) async fn invoke(
        &self,
        function: &str,
        request: &Parts,
        body: &Bytes,
    ) -> Result<Whole, InvokeError> {
        let functions = self.functions.as_deref();
        lambda::run(functions, function, (request, body), self.config.lambda.timeout).await
    }

    /// What the client of a shed request of `route` is told. `failure`: how the last host failed
    /// it, if one did.
    pub(crate) fn shed(
        &self,
        route: RouteId,
        reason: ShedReason,
        failure: Option<Failure>,
    ) -> Problem {
        let status = match failure {
            Some(Failure::Timeout) => StatusCode::GATEWAY_TIMEOUT,
            Some(_) | None => StatusCode::BAD_GATEWAY,
        };
        match (reason, failure) {
            (ShedReason::NotRetriable, _) => {
                let detail = "a host failed the request, which must not be sent twice";
                Problem::new(status, detail)
            }
            (ShedReason::TriesExhausted, Some(_)) => {
                Problem::new(status, "every host that was tried failed the request")
            }
            (ShedReason::Quota { retry_secs }, _) => {
                let detail =
                    "its client or its class has used the CPU seconds or cores that it may";
                let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).at("client");
                problem.retry_after(u64::from(retry_secs))
            }
            (ShedReason::Deadline, _) => {
                let detail = "deadline: the answer would come later than the client waits for it";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).at("deadline")
            }
            _ => Problem::new(StatusCode::SERVICE_UNAVAILABLE, reason.to_string())
                .retry_after(self.retry_after_secs(route)),
        }
    }

    /// What the client of a host is told whose answer has more fields than can be carried.
    pub(crate) fn too_long_head() -> Problem {
        let detail = "the head of the host's answer has too many fields to be passed on";
        Problem::new(StatusCode::BAD_GATEWAY, detail)
    }

    /// In how many seconds a refused client may try again.
    fn retry_after_secs(&self, route: RouteId) -> u64 {
        let after = self.fleets.of(route).look(|balancer, _| balancer.retry_after());
        (after.as_secs_f64().ceil() as u64).clamp(1, RETRY_AFTER_MAX_SECS)
    }
}
