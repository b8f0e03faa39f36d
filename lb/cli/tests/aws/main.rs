//! The program with AWS, as its users and operators see it, against servers that speak AWS's
//! protocols.

#[path = "../../../aws/tests/shared/emulators.rs"]
mod emulators;
#[allow(dead_code, reason = "the tests without AWS use all of it")]
#[path = "../it"]
mod it {
    pub(crate) mod harness;
}
#[path = "../../../aws/tests/shared/functions.rs"]
mod functions;
#[path = "../../../aws/tests/shared/wire.rs"]
mod wire;

mod fleet;
mod lambda;
mod store;

use it::harness;
// The harness uses libraries that are counted, and this is what they count with.
use weighbridge_instrument as _;
