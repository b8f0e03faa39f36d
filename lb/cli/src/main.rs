//! `weighbridge`: a load balancer that predicts what every request will cost.

mod commands;
mod log;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use mimalloc::MiMalloc;
use weighbridge_instrument::{BySize, CountingAllocator};

use commands::{
    check, completions, config, explain, fleet, jobs, man, reload, serve, top, up, upgrade, worker,
};

const EXAMPLES: &str = "\
Examples:
  weighbridge up                             Balancer, workers and store on this machine
  weighbridge config > my.toml               A configuration to start from
  weighbridge check my.toml                  Its mistakes, with their lines
  weighbridge serve -c my.toml               A balancer for your own service
  weighbridge worker --listen 0.0.0.0:8080   One worker, on a machine of its own
  weighbridge explain /blurimage -b in.png   What would happen to this request, and why
  weighbridge top                            Hosts, requests and routes of a running balancer
  weighbridge jobs list --state dead         Jobs that were given up
  weighbridge fleet drain 10.0.0.7:8001      A host gets no more requests
  weighbridge reload                         A running balancer reads its configuration anew
  weighbridge upgrade                        A new process takes over from it

`weighbridge COMMAND --help` says more about each command.";

/// Counts what the worker's operations allocate. In the balancer this costs one addition to a
/// thread-local number. Which blocks come from where: see [`BySize`].
#[global_allocator]
static ALLOCATOR: CountingAllocator<BySize<MiMalloc>> = CountingAllocator(BySize(MiMalloc));

/// A load balancer that predicts what every request will cost.
///
/// Workers measure what each request cost. From these measurements the balancer learns to predict
/// the cost of the next one. It sends each request where it adds the least delay, and sizes the
/// fleet by the predicted work.
#[derive(Debug, Parser)]
#[command(version, about, long_about, max_term_width = 100, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::Up),
    Serve(serve::Serve),
    Worker(Box<worker::RunWorker>),
    Check(check::Check),
    Config(config::Print),
    Explain(explain::Explain),
    Top(top::Top),
    Jobs(jobs::Jobs),
    Fleet(fleet::Fleet),
    Reload(reload::Reload),
    Upgrade(upgrade::Upgrade),
    Completions(completions::Completions),
    Man(man::Man),
    #[command(hide = true)]
    Guard(worker::Guard),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Up(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Worker(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Top(command) => command.run(),
        Command::Jobs(command) => command.run(),
        Command::Fleet(command) => command.run(),
        Command::Reload(command) => command.run(),
        Command::Upgrade(command) => command.run(),
        Command::Completions(command) => command.run(Arguments::command()),
        Command::Man(command) => command.run(Arguments::command()),
        Command::Guard(command) => return command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.print();
            error.code()
        }
    }
}
