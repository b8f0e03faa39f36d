//! The worker: the operations, their run queue and their HTTP front.
//!
//! ```text
//! connection -> front -> operate -> receive (body) -> queue (slot, meter) -> operations::run -> response + load report
//! ```

pub mod defaults;
mod estimates;
mod front;
#[cfg(feature = "lambda")]
pub mod lambda;
mod load;
mod metrics;
mod operate;
pub mod operations;
mod queue;
mod receive;
mod respond;
mod serve;

pub use serve::{FrontLimits, SpotNotices, Worker, WorkerConfig, WorkerError, disciplines, serve};
