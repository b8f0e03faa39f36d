//! Benchmarks and comparisons of a running balancer; each command of `weighbridge-bench` is a
//! module here.

// The image codecs are built as counted code here, and the counters have to be linked.
use weighbridge_instrument as _;

pub mod accuracy;
pub mod balancer;
mod chart;
pub mod classify;
pub mod client;
pub mod compare;
pub mod edge;
pub mod jobs;
pub mod load;
mod photos;
pub mod recognise;
pub mod requests;
pub mod services;
pub mod sim;
mod units;
