//! Somebody's own HTTP server, run several times, one request at a time each, in the order of the
//! run queue.
//!
//! ```text
//!            requests ──► forward ──► executor ── Schedule (which requests run)
//!                            │           │
//!                  HTTP over loopback    ├─ park     what does not run gives its core away
//!                            │           └─ measure  what it cost, from outside
//!                            ▼
//!  worker ─ pipe ─► guard ─► process ─► whatever it forks
//!                     ▲         │
//!                  start      output ──► log
//! ```
//!
//! # Decision: processes are parked, not requests
//!
//! A server that takes one request at a time is a thread with a process around it: parking the
//! process parks the request, in whatever language and library. So shortest remaining first needs
//! no change to the server. Cost: the memory of several processes, and a connection for each
//! request (a server of one thread would keep serving a connection that stays open). Servers that
//! run many requests in one process cannot be parked one by one: with `concurrency` what waits is
//! put in order, and nothing more. Look again when a server offers checkpoints of its own.

mod config;
mod address;
mod start;
mod guard;
mod ready;
mod output;
mod forward;
mod ticket;
mod executor;
mod alarm;
mod room;
mod process;
mod settle;
mod park;
mod measure;
mod tree;

pub use config::{
    GuardProgram, HANG_UP_SIGNALS, HangUpSignal, OnHangUp, ParkChoice, RunConfig, RunMistake,
    RunMistakes,
};
pub use guard::guard;
pub use park::park_ways;

pub(crate) use executor::Processes;
pub(crate) use forward::{Streamed, forward};
pub(crate) use room::Usage;
