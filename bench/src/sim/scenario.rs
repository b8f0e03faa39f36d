//! A scenario: what is simulated, as a TOML file.
//!
//! Every key has a default, and `scenario/defaults.toml` says what each one is. Files are read as
//! Weighbridge's configuration is: all mistakes are told of at once, with their lines.

mod read;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use weighbridge_core::host::Discipline;
use weighbridge_core::random::Random;
use weighbridge_proxy::config::ConfigError;

use super::arrivals::Arrivals;
use super::functions::FunctionKind;
use super::host::{HostKind, Preemption};
use super::predict::ErrorKind;
use super::sizes::Sizes;
use super::weighbridge::Settings;

/// The most hosts that there may be: as many as Weighbridge's configuration allows.
pub(super) const HOSTS_MAX: usize = 10_000;

/// A scenario, checked.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name: that of its file.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// The policies that are compared where the command line names none.
    pub policies: Vec<String>,
    /// How many requests are measured.
    pub requests: usize,
    /// So many more come before them, as a part of them.
    pub warm_up: f64,
    /// The source of everything that is random.
    pub seed: u64,
    /// Work that arrives per second over what the hosts at the start do in a second.
    pub load: f64,
    /// How many balancers share the fleet; each request comes to one of them at random.
    pub balancers: usize,
    /// The hosts.
    pub hosts: Hosts,
    /// The functions on Lambda that Weighbridge may use, in the order of their routes; none: it
    /// does without.
    pub functions: Vec<FunctionKind>,
    /// Who sends the requests; none: they are not told apart.
    pub clients: Vec<Client>,
    /// Whether Weighbridge is told until when requests are of use.
    pub tells_deadlines: bool,
    /// When requests come.
    pub arrivals: Arrivals,
    /// What they take.
    pub sizes: Sizes,
    /// What kind of error predictions have.
    pub errors: ErrorKind,
    /// How large it is, where it is log-normal.
    pub sigma: f64,
    /// Where Weighbridge's models come from.
    pub learning: Learning,
    /// From a balancer to a host and back, in seconds.
    pub round_trip: f64,
    /// How load reports come.
    pub reports: Reports,
    /// What goes wrong.
    pub faults: Faults,
    /// How the fleet is sized; `None`: not at all.
    pub scale: Option<Scale>,
    /// Weighbridge's configuration: its defaults with what the scenario lays over them, as an
    /// operator's file does.
    pub weighbridge: Settings,
}

/// The hosts at the start; further ones are like them.
#[derive(Debug, Clone, PartialEq)]
pub struct Hosts {
    /// How many.
    pub count: usize,
    /// Cores of each.
    pub cores: u32,
    /// Speeds of a core, dealt out in turn; at least one.
    pub speeds: Vec<f64>,
    /// How they order their requests; `None`: as each policy has it.
    pub discipline: Option<Discipline>,
    /// How those that run the shortest first do so, in seconds.
    pub preemption: Preemption,
    /// Seconds from a launch until a host is ready.
    pub boot: f64,
}

/// One that sends requests.
#[derive(Debug, Clone, PartialEq)]
pub struct Client {
    /// Unique name.
    pub name: String,
    /// Part of all requests; the shares need not sum to 1.
    pub share: f64,
    /// The name of its class, as Weighbridge's configuration has it.
    pub class: String,
    /// After so many seconds, and as many times its work beside, an answer is of no use; `None`: it
    /// always is.
    pub time_left: Option<(f64, f64)>,
}

/// Where Weighbridge's models come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learning {
    /// One that passes on what is predicted, trained beforehand and never again: the error is
    /// exactly the scenario's.
    Frozen,
    /// Trained beforehand on requests with the scenario's error, and again as in production.
    Live,
    /// As in production from the first request on.
    Cold,
}

/// How load reports come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reports {
    /// Seconds between two looks of a balancer at each host's report.
    pub interval: f64,
    /// Part of the reports that are lost.
    pub lost: f64,
    /// Part of the reports that are late.
    pub late: f64,
    /// How late they are, in seconds.
    pub late_by: f64,
}

/// What goes wrong. All times are in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    /// Mean time between crashes in the fleet; infinite: none.
    pub crash_every: f64,
    /// How long a crashed host is down.
    pub crash_for: f64,
    /// Mean time between slow spells in the fleet; infinite: none.
    pub slow_every: f64,
    /// How long one lasts.
    pub slow_for: f64,
    /// The part of its speed that a slow host has.
    pub slow_part: f64,
    /// After so long an ordinary proxy's health check notices that a host is down, or up again.
    pub detect: f64,
}

/// How the fleet is sized.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The least hosts.
    pub hosts_min: usize,
    /// The most hosts.
    pub hosts_max: usize,
    /// Seconds between two ticks of the autoscalers.
    pub tick: f64,
}

/// Why a scenario cannot be used. The file's fault.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("cannot read the scenario {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It has mistakes: all of them.
    #[error("the scenario {path} has mistakes:\n  {}", lines(mistakes))]
    Mistakes {
        /// The file.
        path: PathBuf,
        /// What is wrong, in the order of lines.
        mistakes: Vec<ConfigError>,
    },
}

/// What the command line has in place of a file's keys.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// See [`Scenario::load`].
    pub load: Option<f64>,
    /// See [`Scenario::sigma`].
    pub sigma: Option<f64>,
    /// See [`Scenario::seed`].
    pub seed: Option<u64>,
    /// Recorded sizes.
    pub trace: Option<PathBuf>,
}

// === impl Scenario ===

impl Scenario {
    /// The values that a file need not say, with a comment on every key.
    pub fn default_text() -> &'static str {
        include_str!("scenario/defaults.toml")
    }

    /// Reads a file.
    pub fn read(path: &Path) -> Result<Scenario, ScenarioError> {
        Scenario::read_with(path, &Overrides::default())
    }

    /// Reads a file, some of whose keys are replaced.
    pub fn read_with(path: &Path, overrides: &Overrides) -> Result<Scenario, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ScenarioError::Read { path: path.to_owned(), source })?;
        read::scenario(&text, path, overrides)
            .map_err(|mistakes| ScenarioError::Mistakes { path: path.to_owned(), mistakes })
    }

    /// Reads and checks `text`; paths in it are relative to the folder of `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Scenario, ScenarioError> {
        read::scenario(text, path, &Overrides::default())
            .map_err(|mistakes| ScenarioError::Mistakes { path: path.to_owned(), mistakes })
    }
}

impl Scenario {
    /// The client of a request, by their shares.
    pub(super) fn draw_client(&self, random: &mut Random) -> u16 {
        let shares: f64 = self.clients.iter().map(|client| client.share).sum();
        let mut left = random.unit() * shares;
        let drawn = self.clients.iter().position(|client| {
            left -= client.share;
            left < 0.0
        });
        drawn.unwrap_or(self.clients.len().saturating_sub(1)) as u16
    }

    /// Index of the client with the largest share; 0 where there is none.
    pub(super) fn largest_client(&self) -> u16 {
        let clients = self.clients.iter().enumerate();
        let largest = clients.max_by(|a, b| a.1.share.total_cmp(&b.1.share));
        largest.map_or(0, |(index, _)| index as u16)
    }
}

/// Each mistake on a line of its own.
fn lines(mistakes: &[ConfigError]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ")
}

// === impl Hosts ===

impl Hosts {
    /// Work that all of them do in a second.
    pub fn capacity(&self) -> f64 {
        (0..self.count).map(|host| self.speed(host)).sum::<f64>() * f64::from(self.cores)
    }

    /// The host of that number, with the discipline that `policy` asks for unless the scenario
    /// does.
    pub fn kind(&self, host: usize, policy: Discipline) -> HostKind {
        HostKind {
            cores: self.cores,
            speed: self.speed(host),
            discipline: self.discipline.unwrap_or(policy),
            preemption: self.preemption,
        }
    }

    fn speed(&self, host: usize) -> f64 {
        self.speeds.get(host % self.speeds.len().max(1)).copied().unwrap_or(1.0)
    }
}
