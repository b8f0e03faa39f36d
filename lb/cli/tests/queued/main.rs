//! The queue-driven systems, each by its file in `deploy/files`, as their public clients see them:
//! here on this machine, without queues.

#[allow(dead_code, reason = "that suite needs more of it")]
#[path = "../http/client.rs"]
mod client;
#[allow(dead_code, reason = "that suite needs more of it")]
#[path = "../http/host.rs"]
mod host;
#[allow(dead_code, reason = "the other tests use all of it")]
#[path = "../it"]
mod it {
    pub(crate) mod harness;
}
#[allow(dead_code, reason = "the tests of jobs use all of it")]
#[path = "../jobs/service.rs"]
mod service;
#[allow(dead_code, reason = "the tests with AWS use all of it")]
mod systems;

mod animato;
mod embedded;

use it::harness;
// The harness uses libraries that are counted, and this is what they count with.
use weighbridge_instrument as _;
