//! Jobs as clients and operators see them: the program runs, hosts and balancers die, and what was
//! acknowledged is answered.

#[expect(dead_code, reason = "that suite needs more of it")]
#[path = "../http/client.rs"]
mod client;
#[expect(dead_code, reason = "that suite needs more of it")]
#[path = "../http/host.rs"]
mod host;
#[allow(dead_code, reason = "the other tests use all of it")]
#[path = "../it"]
mod it {
    pub(crate) mod harness;
}
mod service;

mod alone;
mod callbacks;
mod commands;
mod conformance;
mod failures;
mod followed;
mod keys;
mod large;
mod limits;
mod objects;
mod outcomes;
mod progress;
mod whose;

use it::harness;
// The harness uses libraries that are counted, and this is what they count with.
use weighbridge_instrument as _;
