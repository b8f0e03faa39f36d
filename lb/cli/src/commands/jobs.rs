//! `weighbridge jobs`: the jobs of a running balancer.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request};
use serde_json::Value;

use super::CommandError;
use super::operate::Admin;

/// List, show, cancel, retry and purge the jobs of a running balancer.
///
/// A job is a request that was accepted to be answered later (`jobs.enabled` in the configuration).
/// Jobs are named by their ids, as `Location` gives them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weighbridge jobs list --state dead
  weighbridge jobs show 4bf92f3577b34da6a3ce929d0e0e4736
  weighbridge jobs retry 4bf92f3577b34da6a3ce929d0e0e4736
  weighbridge jobs purge --state succeeded --older-than 1h")]
pub(crate) struct Jobs {
    #[command(subcommand)]
    command: JobsCommand,
    #[command(flatten)]
    admin: Admin,
    /// Print the balancer's answer as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum JobsCommand {
    /// List jobs, the newest first, and how many there are of each state.
    List {
        /// Only those in this state: queued, running, succeeded, failed, cancelled, expired, dead.
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// Only those of this route.
        #[arg(long, value_name = "NAME")]
        route: Option<String>,
        /// At most so many.
        #[arg(long, value_name = "N", default_value_t = 100)]
        most: usize,
    },
    /// Show one job: its state, place in the line, predicted end, and what the ledger has of it.
    Show {
        /// The job's id.
        id: String,
    },
    /// Cancel a job. One that runs is given up by its host at once.
    Cancel {
        /// The job's id.
        id: String,
    },
    /// Run a dead job anew, with all its attempts.
    Retry {
        /// The job's id.
        id: String,
    },
    /// Forget ended jobs, with their results. Clients that ask for them get 410.
    Purge {
        /// Those in this state: succeeded, failed, cancelled, expired or dead.
        #[arg(long, value_name = "STATE")]
        state: String,
        /// Only those that ended longer ago than this, such as 30m or 2h.
        #[arg(long, value_name = "SPAN", default_value = "0s")]
        older_than: String,
    },
    /// List the callbacks that were given up.
    Callbacks,
}

impl Jobs {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        let text = self.ask()?;
        if self.json {
            print!("{text}");
            return Ok(());
        }
        let value: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        print!("{}", self.command.in_words(&value));
        Ok(())
    }
}

impl Jobs {
    /// What the balancer answers. An error where that is no success.
    fn ask(&self) -> Result<String, CommandError> {
        let (method, target) = self.command.question();
        let request = Request::builder().method(method).uri(format!("/{target}"));
        let request = request.body(Full::new(Bytes::new()));
        self.admin.ask(request.map_err(|error| self.admin.failed(&error))?)
    }
}

impl JobsCommand {
    /// The method, and path and query without the first `/`.
    fn question(&self) -> (Method, String) {
        match self {
            JobsCommand::List { state, route, most } => {
                let mut target = format!("jobs?most={most}");
                for (name, value) in [("state", state), ("route", route)] {
                    if let Some(value) = value {
                        target = format!("{target}&{name}={}", escaped(value));
                    }
                }
                (Method::GET, target)
            }
            JobsCommand::Show { id } => (Method::GET, format!("jobs/{}", escaped(id))),
            JobsCommand::Cancel { id } => (Method::DELETE, format!("jobs/{}", escaped(id))),
            JobsCommand::Retry { id } => (Method::POST, format!("jobs/{}/retry", escaped(id))),
            JobsCommand::Purge { state, older_than } => {
                let (state, older_than) = (escaped(state), escaped(older_than));
                (Method::POST, format!("jobs/purge?state={state}&older_than={older_than}"))
            }
            JobsCommand::Callbacks => (Method::GET, "jobs/callbacks".to_owned()),
        }
    }

    fn in_words(&self, told: &Value) -> String {
        match self {
            JobsCommand::List { .. } => list(told),
            JobsCommand::Show { .. } => format!("{told:#}\n"),
            JobsCommand::Cancel { .. } => format!("{} is cancelled\n", text(&told["id"])),
            JobsCommand::Retry { .. } => format!("{} is queued again\n", text(&told["id"])),
            JobsCommand::Purge { .. } => format!("{} jobs are forgotten\n", told["purged"]),
            JobsCommand::Callbacks => callbacks(told),
        }
    }
}

/// A table of jobs, and the numbers of each state.
fn list(told: &Value) -> String {
    let columns = format!(
        "{:<32}  {:<10}  {:<16}  {:>8}  {:>10}  {:<24}  {}\n",
        "id", "state", "route", "attempts", "work s", "received", "reason"
    );
    let jobs = told["jobs"].as_array().into_iter().flatten().map(|job| {
        let (id, state, route) = (text(&job["id"]), text(&job["state"]), text(&job["route"]));
        let (attempts, received) = (&job["attempts"], text(&job["received"]));
        let work = job["work_seconds"].as_f64().unwrap_or_default();
        let reason = text(&job["reason"]);
        let line = format!(
            "{id:<32}  {state:<10}  {route:<16}  {attempts:>8}  {work:>10.3}  {received:<24}  {reason}"
        );
        format!("{}\n", line.trim_end())
    });
    let jobs: String = jobs.collect();
    let numbers = told["by_state"].as_object().into_iter().flatten();
    let numbers = numbers.filter(|(_, n)| n.as_u64() != Some(0));
    let numbers: Vec<String> = numbers.map(|(state, n)| format!("{n} {state}")).collect();
    let numbers = if numbers.is_empty() { "no jobs".to_owned() } else { numbers.join(", ") };
    let dead = told["callbacks"]["dead"].as_u64().unwrap_or_default();
    let dead = if dead == 0 { String::new() } else { format!(", {dead} dead callbacks") };
    let jobs = if jobs.is_empty() { jobs } else { format!("{columns}{jobs}") };
    format!("{jobs}{numbers}{dead}\n")
}

fn callbacks(told: &Value) -> String {
    let dead = told["dead"].as_array().into_iter().flatten().map(|one| {
        let (job, url, reason) = (text(&one["job"]), text(&one["url"]), text(&one["reason"]));
        format!("{job}  {url}  {} tries: {reason}\n", one["tries"])
    });
    let dead: String = dead.collect();
    if dead.is_empty() { "no dead callbacks\n".to_owned() } else { dead }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// `text` as a part of a path or a query.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().fold(String::new(), |escaped, byte| {
        if plain(byte) {
            format!("{escaped}{}", char::from(byte))
        } else {
            format!("{escaped}%{byte:02X}")
        }
    })
}
