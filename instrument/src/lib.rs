//! Measures what one request cost, and speaks ORCA load reports.
//!
//! A [`Meter`] runs on the thread that runs the request and reads what was executed there: basic
//! blocks, methods and instructions of the code that was compiled to be counted, CPU time and bytes
//! allocated. Counts do not depend on the machine's load or speed: the same request costs the same
//! from run to run, whatever runs beside it.
//!
//! This is the only crate with `unsafe` code. So it has [`set_idle`] too, which is for the executor
//! of processes in the worker.

mod allocator;
mod checkpoint;
mod clock;
mod histogram;
mod idle;
mod meter;
mod report;
mod weights;

pub use allocator::{BySize, CountingAllocator, prepare_allocator};
pub use checkpoint::{Abandoned, Interrupt, checkpoint, interruptible};
pub use clock::{ProcessClock, ThreadClock};
pub use idle::set_idle;
pub use meter::{Counting, Meter, RequestCost, build_id, charge, counting, off_reason, prepare};
pub use report::{ENTRIES_MAX, LoadReport, NAME_BYTES_MAX, REPORT_BYTES_MAX, ReportError};
pub use weights::counted_functions;
