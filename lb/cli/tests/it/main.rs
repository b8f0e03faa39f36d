//! The program `weighbridge` as its users and operators see it: real processes, real sockets, and
//! all that goes wrong with them.

#[path = "../../../aws/tests/shared/emulators.rs"]
mod emulators;
mod harness;
#[expect(dead_code, reason = "the suite of HTTP needs more of it")]
#[path = "../http/host.rs"]
mod host;

mod balancer_killed;
mod commands;
mod counted;
mod discovery;
mod drain;
mod drift;
mod hang_up;
mod headers;
mod helm;
mod keda;
mod main_job;
mod no_host;
mod openmetrics;
mod own_server;
mod package;
mod pods;
mod reload;
mod scaling;
mod signals;
mod sockets;
mod static_fleet;
mod traces;
mod two_balancers;
mod upgrade;
mod worker_hangs;
mod worker_killed;
