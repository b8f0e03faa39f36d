//! The program with AWS, as its users and operators see it, against servers that speak AWS's
//! protocols.

#[allow(dead_code, reason = "the tests of HTTP use all of it")]
#[path = "../http/client.rs"]
mod client;
#[path = "../../../aws/tests/shared/emulators.rs"]
mod emulators;
#[allow(dead_code, reason = "the tests without AWS use all of it")]
#[path = "../it"]
mod it {
    pub(crate) mod harness;
}
#[path = "../../../aws/tests/shared/functions.rs"]
mod functions;
#[allow(dead_code, reason = "the tests of HTTP use all of it")]
#[path = "../http/host.rs"]
mod host;
#[allow(dead_code, reason = "the tests of jobs use all of it")]
#[path = "../jobs/service.rs"]
mod service;
#[allow(dead_code, reason = "the tests of the systems use all of it")]
#[path = "../queued/systems.rs"]
mod systems;
#[path = "../../../aws/tests/shared/wire.rs"]
mod wire;

mod fleet;
mod jobs;
mod lambda;
mod store;

use it::harness;
// The harness uses libraries that are counted, and this is what they count with.
use weighbridge_instrument as _;
