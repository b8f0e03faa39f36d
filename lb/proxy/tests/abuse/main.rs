//! Abuse: what one client, or one host, can take from all others. Each test measures what a second,
//! ordinary client gets meanwhile: every answer, and how long the slowest took, beside what it was
//! without the abuse. The margins are wide: what is looked for are seconds in which nothing goes.

mod balancer;
mod http2;
mod ordinary;
// The hosts and clients of the suite that looks at the wire.
#[expect(dead_code, reason = "that suite needs more of it")]
#[path = "../../../cli/tests/http/client.rs"]
mod client;
#[expect(dead_code, reason = "that suite needs more of it")]
#[path = "../../../cli/tests/http/host.rs"]
mod host;

mod admin;
mod framing;
mod heads;
mod hosts;
mod memory;
mod random;
mod shares;
mod slots;
