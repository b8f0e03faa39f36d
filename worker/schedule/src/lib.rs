//! Which requests of a run queue run now.
//!
//! A [`Schedule`] is told what happens to requests and answers with [`Move`]s. It does no IO, reads
//! no clock and has no threads: the worker carries its moves out with threads, the simulator in
//! virtual time.
//!
//! ```text
//! arrive, reach, finish, abandon, decide ──► Schedule ──► start, ask, resume, yield ...
//!                                             │  │  │
//!                                  an order ──┘  │  └── checkpoints: what gives way, and when
//!                              the age guard ────┘
//! ```

pub mod defaults;
mod progress;
mod order;
mod age;
mod schedule;

pub use age::AgeGuard;
pub use order::{ORDERS, Order, UnknownOrder, order};
pub use progress::{Owner, Progress};
pub use schedule::{Bounds, Census, Move, Schedule};
