//! The page where people have films made of their photos, as Chromium and people see it: with the
//! file `deploy/files/animato.toml`, and films that our worker makes.

#[allow(dead_code, reason = "the page of operators needs more of it")]
#[path = "../page/browser.rs"]
mod browser;
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
#[allow(dead_code, reason = "that suite needs more of it")]
#[path = "../jobs/service.rs"]
mod service;

mod looks;
mod making;
mod scene;
mod trouble;

use it::harness;
// The harness uses libraries that are counted, and this is what they count with.
use weighbridge_instrument as _;
