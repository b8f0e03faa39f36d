//! Carries requests from clients to hosts as the core decides: pingora, the admin API, the local
//! fleet and the embedded store. No arithmetic about hosts.
//!
//! The modules stand in the order in which a request meets them: [`config`] first, then listen,
//! stream (pingora's callbacks), receive, decide, queue, forward, observe, respond; beside them the
//! fleet, the loops and what tells of it all.

pub mod config;
pub mod server;
mod listen;
mod stream;
mod gateway;
mod held;
mod linger;
mod account;
mod receive;
pub mod repeats;
mod decide;
mod queue;
mod forward;
pub mod lambda;
mod observe;
mod respond;
mod record;
mod learn;
pub mod store;
pub mod lease;
pub mod background;
pub mod backoff;
pub mod fleet;
mod autoscale;
mod loops;
pub mod access_log;
mod metrics;
mod gauges;
mod admin;
