//! The page that operators leave open, and what it stands on: requests that are here, the stream of
//! events. Chromium looks at the running program's page, as people would.

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
#[expect(dead_code, reason = "that suite needs more of it")]
#[path = "../jobs/service.rs"]
mod service;

mod browser;
mod scene;

mod changes;
mod events;
mod looks;
mod many;
mod numbers;
mod requests;
mod top;
mod views;

use it::harness;
// The harness uses libraries that are counted, and this is what they count with.
use weighbridge_instrument as _;
