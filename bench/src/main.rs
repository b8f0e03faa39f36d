//! `weighbridge-bench`: measures Weighbridge.

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use weighbridge_bench::accuracy::Accuracy;
use weighbridge_bench::classify::Classify;
use weighbridge_bench::compare::Compare;
use weighbridge_bench::edge::Edge;
use weighbridge_bench::jobs::Jobs;
use weighbridge_bench::load::Load;
use weighbridge_bench::recognise::Recognise;
use weighbridge_bench::services::Services;
use weighbridge_bench::sim::Sim;

/// Measures Weighbridge: what it claims, on this machine.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
#[command(after_help = "Start with `weighbridge-bench accuracy`: it needs nothing that runs.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// How well the balancer predicts what requests cost, and how long predicting takes.
    Accuracy(Accuracy),
    /// How well the balancer predicts services of others, without a line of features.
    Services(Services),
    /// How often the worker names what photos show.
    Classify(Classify),
    /// How often the worker takes somebody for another, or knows nobody.
    Recognise(Recognise),
    /// Response times under load that does not wait for answers.
    Load(Load),
    /// Weighbridge beside other proxies, before the same servers.
    #[command(subcommand)]
    Compare(Compare),
    /// What is lost while a balancer reloads and is upgraded.
    Edge(Edge),
    /// Jobs: whether any are lost or done twice, how many a second, and in which order.
    #[command(subcommand)]
    Jobs(Jobs),
    /// Compares policies in virtual time, with the production balancer among them.
    Sim(Sim),
}

fn main() -> ExitCode {
    let result: Result<(), Box<dyn Error>> = match Arguments::parse().command {
        Command::Accuracy(command) => command.run().map_err(Into::into),
        Command::Services(command) => command.run().map_err(Into::into),
        Command::Classify(command) => command.run().map_err(Into::into),
        Command::Recognise(command) => command.run().map_err(Into::into),
        Command::Load(command) => command.run().map_err(Into::into),
        Command::Compare(command) => command.run().map_err(Into::into),
        Command::Edge(command) => command.run().map_err(Into::into),
        Command::Jobs(command) => command.run().map_err(Into::into),
        Command::Sim(command) => command.run().map_err(Into::into),
    };
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("weighbridge-bench: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because {error}");
        cause = error.source();
    }
    ExitCode::FAILURE
}
