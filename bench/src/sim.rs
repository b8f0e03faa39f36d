//! `weighbridge-bench sim`: the production balancer and its rivals in virtual time.
//!
//! A discrete-event simulation, deterministic by seed. Every policy gets the same requests.
//!
//! # Decision: the simulator drives the production balancer
//!
//! It runs with the shipped configuration, and a scenario's `[weighbridge]` laid over it, beside
//! thirteen policies from papers and projects. It is held against M/M/1, M/M/k, processor sharing,
//! power of two choices and SRPT before its results are believed. Its functions start cold,
//! throttle, crash and cost list prices. Debug builds check limits, budget and claims at each
//! event. Cost: a simulated event takes as long as a real decision. Look again when fleets of
//! 100,000 hosts are to be simulated.

pub mod random;
pub mod arrivals;
pub mod sizes;
pub mod predict;
pub mod scenario;
pub mod workload;
pub mod host;
pub mod functions;
pub mod policies;
mod choose;
pub mod autoscalers;
mod proxy;
pub mod weighbridge;
mod world;
pub mod run;
pub mod theory;
pub mod measure;
pub mod cost;
pub mod report;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use measure::Measured;
use report::clients::{self, ClientRow};
use report::folder::{self, FolderError};
use report::{Row, markdown};
use run::{PolicyError, PolicySpec};
use scenario::{Overrides, Scenario, ScenarioError};
use workload::Workload;

/// Compares policies in virtual time.
///
/// Prints a row a policy: response times in seconds, slowdown (response over the service time alone
/// on the reference core), and what the hosts cost. The same scenario and seed give the same
/// numbers.
#[derive(Debug, clap::Args)]
#[command(after_help = run::listing())]
pub struct Sim {
    /// The scenario: a TOML file.
    #[arg(long, value_name = "FILE")]
    pub scenario: PathBuf,
    /// Policies, in place of those of the scenario: NAME, NAME@DISCIPLINE to choose how hosts order
    /// their requests, NAME+AUTOSCALER, or `all`. A policy that ends with `:hosts=N` starts with so
    /// many hosts, one with `:lambda=off` has no functions, one with `:clients=off` or
    /// `:deadlines=off` is not told of them, in one with `:without=CLIENT` that one sends nothing,
    /// and `:rule=NAME`, `:half_life=SPAN` and `:slack=X` are in place of the configuration's.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub policy: Vec<String>,
    /// Recorded sizes, in place of the scenario's: lines of `route,work`, or an access log.
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Load, in place of the scenario's.
    #[arg(long, value_name = "LOAD")]
    pub load: Option<f64>,
    /// Error of predictions, in place of the scenario's.
    #[arg(long, value_name = "SIGMA")]
    pub sigma: Option<f64>,
    /// Seed, in place of the scenario's; decimal or 0x and hexadecimal.
    #[arg(long, value_name = "N", value_parser = seed)]
    pub seed: Option<u64>,
    /// Folder for a report with pictures, and CSV; made where there is none.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print JSON, an object a line for each policy, each followed by one for each of its clients,
    /// instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// Why nothing could be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The scenario cannot be used.
    #[error("there is no scenario to simulate")]
    Scenario(#[from] ScenarioError),
    /// A policy cannot be used.
    #[error("there is no such policy")]
    Policy(#[from] PolicyError),
    /// The report cannot be written.
    #[error("the report is not whole")]
    Folder(#[from] FolderError),
    /// The result cannot be written as JSON.
    #[error("the result is not JSON")]
    Json(#[from] serde_json::Error),
}

// === impl Sim ===

impl Sim {
    /// Simulates and prints.
    pub fn run(&self) -> Result<(), SimError> {
        let scenario = self.scenario()?;
        let workload = Workload::draw(&scenario);
        let (mut rows, mut results) = (Vec::new(), Vec::new());
        let mut client_rows = Vec::new();
        for policy in self.policies(&scenario)? {
            let measured = simulate(&policy, &scenario, &workload);
            warn(&measured);
            let row = Row::of(&scenario, &measured);
            let of_clients = ClientRow::all(&measured);
            if self.json {
                println!("{}", serde_json::to_string(&row)?);
                for of_client in &of_clients {
                    println!("{}", serde_json::to_string(of_client)?);
                }
            }
            client_rows.extend(of_clients);
            rows.push(row);
            if self.out.is_some() {
                results.push(measured);
            }
        }
        if !self.json {
            print!("{}", markdown::table(&rows));
            if !client_rows.is_empty() {
                print!("\n{}", clients::table(&client_rows));
            }
        }
        if let Some(folder) = &self.out {
            folder::write(folder, &scenario, &rows, &results)?;
        }
        Ok(())
    }

    fn scenario(&self) -> Result<Scenario, ScenarioError> {
        let overrides = Overrides {
            load: self.load,
            sigma: self.sigma,
            seed: self.seed,
            trace: self.trace.clone(),
        };
        Scenario::read_with(&self.scenario, &overrides)
    }

    fn policies(&self, scenario: &Scenario) -> Result<Vec<PolicySpec>, PolicyError> {
        let asked = if self.policy.is_empty() { &scenario.policies } else { &self.policy };
        if asked.iter().any(|name| name == "all") {
            return Ok(PolicySpec::all());
        }
        asked.iter().map(|text| PolicySpec::parse(text)).collect()
    }
}

/// Runs one policy, with progress on standard error.
fn simulate(policy: &PolicySpec, scenario: &Scenario, workload: &Workload) -> Measured {
    const EVERY: usize = 100_000;

    let mut out = std::io::stderr();
    let is_terminal = out.is_terminal();
    let mut shown = 0;
    policy.run(scenario, workload, &mut |n_done, n_all| {
        if n_done < shown + EVERY && (n_done < n_all || n_all < EVERY) {
            return;
        }
        shown = n_done;
        let end = if is_terminal && n_done < n_all { "\r" } else { "\n" };
        // Progress that cannot be shown is no reason to stop.
        let _ = write!(out, "{}: {n_done} of {n_all} requests{end}", policy.text);
    })
}

/// Requests without an answer are in no mean: that has to be said.
fn warn(measured: &Measured) {
    let unanswered = measured.unanswered();
    if 0 < unanswered {
        let (policy, n_all) = (&measured.policy, measured.records.len());
        eprintln!("{policy}: {unanswered} of {n_all} requests were refused or failed");
    }
}

fn seed(text: &str) -> Result<u64, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16),
        None => text.parse(),
    }
}
