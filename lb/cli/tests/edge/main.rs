//! The edge as clients see it: curl, openssl, h2load and rustls speak to the running program.

#![expect(clippy::float_cmp, reason = "what the metrics count are whole numbers")]

// Certificates are made where they are needed.
use weighbridge_proxy::config;

#[expect(dead_code, reason = "that suite needs more of it")]
#[path = "../http/client.rs"]
mod client;
#[expect(dead_code, reason = "that suite needs more of it")]
#[path = "../http/host.rs"]
mod host;
#[path = "../../../proxy/src/tls/testing.rs"]
mod pki;

mod balancer;
mod frames;
mod pebble;
mod strict;
mod tools;

mod acme;
mod admin;
mod browser;
mod certificates;
mod checks;
mod clients;
mod handshakes;
mod hosts;
mod many;
mod proxied;
mod redirects;
mod served;
mod upgrades;
