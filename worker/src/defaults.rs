//! What a worker takes and allows where nothing else is asked for: all of its defaults.

use std::thread;
use std::time::Duration;

pub use weighbridge_schedule::defaults::{AGE, ALARM_MIN, DISCIPLINE, STARTED_MAX, YIELDS_AFTER};

use crate::operations::Limits;
use crate::serve::FrontLimits;

/// Requests that wait for a slot; further ones get a 503.
pub const QUEUE_MAX: usize = 1024;

/// Requests that were started hold at most this part of the memory together: `memory /
/// STARTED_PART`.
pub(crate) const STARTED_PART: u64 = 2;

/// The same in bytes, where the system does not say how much memory there is.
pub(crate) const STARTED_BYTES_MAX: u64 = 1 << 30;

/// What a request may ask for.
pub const LIMITS: Limits = Limits {
    body_bytes: 32 << 20,
    image_pixels: 64 << 20,
    output_pixels: 16 << 20,
    shapes: 10_000,
    lights: 100,
    texture_bytes: 16 << 20,
    recursion_depth: Limits::RECURSION_DEPTH_NEEDED,
};

/// What connections may take.
pub const FRONT: FrontLimits = FrontLimits {
    connections: 4096,
    header_bytes: 64 << 10,
    header_read: Duration::from_mins(1),
    body_read: Duration::from_mins(2),
    bodies_bytes: 1 << 30,
    last_response: Duration::from_secs(10),
};

/// How long a process of somebody's own server may take until it is ready.
pub const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A face that is farther from every enrolled one is nobody's.
#[cfg(feature = "models")]
pub const FACE_DISTANCE: f32 = 0.5;

/// Between two looks for the notice of a spot instance, as AWS advises.
pub const SPOT_INTERVAL: Duration = Duration::from_secs(5);

/// Processes of somebody's own server: two for each core, so that a long request that is parked
/// leaves one for a shorter one, and two more for those of other lengths.
pub fn processes(cores: usize) -> usize {
    2 * cores + 2
}

/// Requests that run at once: one for each core of the machine.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
