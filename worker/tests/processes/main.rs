//! A worker that runs somebody's own server: real processes of Python's standard library, over
//! sockets.

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../it/client.rs"]
mod client;
mod fixture;
#[path = "../it/running.rs"]
mod running;

mod cost;
mod ends;
mod health;
mod hang_up;
mod mistakes;
mod order;
mod passing;
mod servers;

use std::env;

/// Set for a process that is to be a guard.
const IS_GUARD: &str = "WEIGHBRIDGE_TEST_IS_GUARD";
/// Set for a process that is to be a worker: the command that it runs.
const IS_WORKER: &str = "WEIGHBRIDGE_TEST_WORKER_RUNS";

#[test]
fn a_guard_runs_here_where_a_worker_asks_for_it() {
    if env::var_os(IS_GUARD).is_some() {
        std::process::exit(i32::from(weighbridge_worker::guard()));
    }
}
