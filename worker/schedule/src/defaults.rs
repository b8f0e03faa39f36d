//! What a schedule takes where nothing else is asked for.

use std::time::Duration;

use crate::age::AgeGuard;

/// The order in which requests run.
pub const DISCIPLINE: &str = "srpt";

/// Requests that are started and have not ended: each holds its memory and a thread.
pub const STARTED_MAX: usize = 64;

/// How long requests may wait for shorter ones.
pub const AGE: AgeGuard = AgeGuard { factor: 10.0, floor: Duration::from_secs(5) };

/// How long a request that was asked to park keeps its slot before it has to share it. Where there
/// are checkpoints, it is mostly a fifth of that from one to the next.
pub const YIELDS_AFTER: Duration = Duration::from_micros(250);

/// No alarm rings earlier than this after a decision.
pub const ALARM_MIN: Duration = Duration::from_micros(200);
