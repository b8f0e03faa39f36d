//! Tells clients of the end of their jobs: a `CloudEvent`, signed as Standard Webhooks has it, to
//! hosts that the configuration allows.
//!
//! A callback is kept in the same write that ends the job, so it is sent whoever dies. It may come
//! more than once: `webhook-id` is the same each time.

mod deliver;
mod sign;
mod target;

use serde_json::json;

use super::ledger::Kept;
use super::status;

pub(crate) use deliver::run;
pub use sign::{Secret, SecretError};
pub(crate) use target::Target;

use crate::config::CallbacksConfig;

/// What callbacks are sent with.
pub(crate) struct Callbacks {
    pub(crate) settings: CallbacksConfig,
    pub(crate) secret: Secret,
}

/// What the client of `kept`, which has ended, is told: a `CloudEvent`, as JSON.
pub(super) fn event(kept: &Kept) -> String {
    let job = &kept.job;
    let finished = job.finished.unwrap_or(job.received);
    let state = status::name(job.state.phase());
    let event = json!({
        "specversion": "1.0",
        "id": format!("{}.{}", job.id, job.generation),
        "source": "/weighbridge",
        "type": format!("weighbridge.job.{state}"),
        "subject": job.id.to_string(),
        "time": status::rfc_3339(finished),
        "datacontenttype": "application/json",
        "data": {
            "job": job.id.to_string(),
            "state": state,
            "status": job.outcome.map(|outcome| outcome.status),
            "reason": job.reason.map(|reason| reason.to_string()),
            "route": kept.route,
            "attempts": job.attempts,
            "result_bytes": kept.answer_bytes,
        },
    });
    event.to_string()
}
