//! The worker: the operations, their run queue and their HTTP front.
//!
//! ```text
//! connection -> front -> operate -> receive (body) -> queue (slot, meter) -> operations::run -> response + load report
//!                     -> processes: somebody's own server, measured and parked from outside
//! ```

mod attempt;
pub mod defaults;
mod estimates;
mod front;
#[cfg(feature = "lambda")]
pub mod lambda;
mod load;
mod metrics;
mod operate;
pub mod operations;
#[cfg(feature = "models")]
mod people;
mod processes;
mod queue;
mod receive;
mod respond;
mod serve;

pub use processes::{
    GuardProgram, HANG_UP_SIGNALS, HangUpSignal, OnHangUp, ParkChoice, RunConfig, RunMistake,
    RunMistakes, guard, park_ways,
};
pub use serve::{FrontLimits, SpotNotices, Worker, WorkerConfig, WorkerError, disciplines, serve};
