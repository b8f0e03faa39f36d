//! Weighbridge's decisions: predict, rank, admit, queue, learn, scale.
//!
//! Sans-IO: no clock, thread, async or socket. Time and seed are arguments, so the same events give
//! the same verdicts, in production and in simulation. The modules stand in the order in which a
//! request meets them.

pub mod units;
pub mod request;
pub mod features;
pub mod policy;
pub mod share;
pub mod cost;
pub mod estimate;
mod discipline;
pub mod host;
pub mod fleet;
pub mod schedule;
pub mod admit;
pub mod lambda;
pub mod queue;
pub mod observe;
pub mod learn;
pub mod jobs;
pub mod scale;
pub mod balancer;
pub mod random;
pub mod statistics;
