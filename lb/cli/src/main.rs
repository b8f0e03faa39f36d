//! `weighbridge`: a load balancer that weighs every request before it routes it.

mod commands;
mod log;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;
use weighbridge_instrument::{BySize, CountingAllocator};

use commands::{check, config, explain, serve, up, worker};

/// Counts what the worker's operations allocate; the balancer's cost is a thread-local addition.
/// A request allocates dozens of small blocks on its way through the balancer. The long ones of the
/// operations stay with the system's allocator, which keeps them.
#[global_allocator]
static ALLOCATOR: CountingAllocator<BySize<MiMalloc>> = CountingAllocator(BySize(MiMalloc));

/// A load balancer that weighs every request before it routes it.
///
/// It predicts what each request will cost from what workers measured of earlier ones, sends it
/// where it adds the least delay to everybody, and sizes the fleet by the predicted backlog.
#[derive(Debug, Parser)]
#[command(version, about, long_about, max_term_width = 100)]
#[command(
    after_help = "Start with `weighbridge up`: balancer, autoscaler, workers and store, all local."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run everything on this machine: balancer, autoscaler, workers and store.
    Up(up::Up),
    /// Run the balancer as a configuration file says.
    Serve(serve::Serve),
    /// Run one worker: the operations behind HTTP.
    Worker(worker::RunWorker),
    /// Check a configuration file and tell of every mistake in it, with its line.
    Check(check::Check),
    /// Print the default configuration, with a comment on every key.
    Config,
    /// Say what a running balancer would do with a request, and why. Sends nothing to a host.
    Explain(explain::Explain),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Up(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Worker(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Config => config::run(),
        Command::Explain(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.print();
            ExitCode::FAILURE
        }
    }
}
