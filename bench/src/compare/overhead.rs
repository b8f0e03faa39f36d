//! `compare overhead`: what a request costs in each proxy, and how much later its answer comes.
//!
//! Each proxy has one core for itself. The client and the server share another.

mod hammer;
mod rows;
pub(crate) mod still;
mod table;
pub(crate) mod wire;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::Serialize;

use super::proxies::Purpose;
use super::running::{Before, RunningProxy};
use super::{CompareArguments, CompareError, Proxy, plot, present_and_missing, process};

use hammer::{Shape, hammer};
use rows::Slice;

pub use rows::OverheadRow;

/// What a request costs in each proxy, and how much later its answer comes.
///
/// Before a tiny static server in this process, every proxy gets requests in a closed loop, in
/// turn, for each of the settings; and so does the server without a proxy. Each proxy has one
/// thread, on a core of its own. CPU time is what the system accounts to the proxy's processes.
/// Weighbridge has everything switched on: features, estimates, scheduling, metrics, observations,
/// access log.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weighbridge-bench compare overhead
  weighbridge-bench compare overhead --proxies pingora,weighbridge --connections 32 --bodies 0
  weighbridge-bench compare overhead --direction request --rounds 5 --json")]
pub struct Overhead {
    /// Which proxies, and what becomes of the results.
    #[command(flatten)]
    pub compare: CompareArguments,
    /// How long each proxy is measured in a round and setting.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// Connections at once.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1, 32, 256], value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub connections: Vec<u32>,
    /// Bytes of a body: 0, 10kB, 1MB.
    #[arg(long, value_name = "SIZE", value_delimiter = ',', default_values = ["0", "10kB", "1MB"], value_parser = body_bytes)]
    pub bodies: Vec<usize>,
    /// Who sends the body.
    #[arg(long, value_enum, default_value_t = Direction::Answer)]
    pub direction: Direction,
}

/// Who sends the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The server, in its answer.
    Answer,
    /// The client, in its request.
    Request,
}

/// The server without a proxy, or a proxy before it.
#[derive(Debug)]
struct Target {
    name: &'static str,
    address: SocketAddr,
    proxy: Option<RunningProxy>,
}

/// A comparison as it was measured.
#[derive(Debug)]
struct Measured {
    /// What it was measured with, in words.
    setting: String,
    rows: Vec<OverheadRow>,
    missing: Vec<Proxy>,
}

/// The name of the server without a proxy.
const DIRECT: &str = "direct";

/// A right answer is waited for so long, with so much time between two tries.
const READY_MAX: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

impl Overhead {
    /// Measures and prints.
    pub(super) async fn run(&self) -> Result<(), CompareError> {
        let measured = self.measure().await?;
        let text = table::markdown(&measured);
        let results = (&measured.rows[..], &measured.missing[..]);
        self.compare.results.tell("overhead", &text, results, plot::overhead)
    }

    async fn measure(&self) -> Result<Measured, CompareError> {
        let (present, missing) = present_and_missing(&self.compare.proxies)?;
        let (server, (own, proxies)) = still::start().await?;
        let mut targets = vec![Target { name: DIRECT, address: server, proxy: None }];
        for proxy in present {
            targets.push(start(proxy, server, proxies).await?);
        }
        let slices = self.slices(&targets).await;
        let setting = format!(
            "Each proxy has one thread on core {proxies}; sender and server have core {own}. The body is in \
             the {}. Rounds: {} of {} s; medians (least–most).",
            match self.direction {
                Direction::Answer => "answer",
                Direction::Request => "request",
            },
            self.compare.results.rounds,
            self.seconds
        );
        let names: Vec<&'static str> = targets.iter().map(|target| target.name).collect();
        let rows = self.shapes().flat_map(|shape| rows::of(&slices, shape, &names)).collect();
        Ok(Measured { setting, rows, missing })
    }

    async fn slices(&self, targets: &[Target]) -> Vec<Slice> {
        let mut slices = Vec::new();
        for round in 0..self.compare.results.rounds {
            for shape in self.shapes() {
                eprintln!(
                    "round {} of {}: {} connections, {} bytes",
                    round + 1,
                    self.compare.results.rounds,
                    shape.connections,
                    shape.body_bytes
                );
                for turn in 0..targets.len() {
                    let target = &targets[(turn + round as usize) % targets.len()];
                    let process = target.proxy.as_ref().map(|proxy| &proxy.process);
                    let cpu = || process.map_or(0.0, process::Process::cpu_seconds);
                    let length = Duration::from_secs(self.seconds);
                    let hammered = hammer(target.address, shape, length, cpu).await;
                    slices.push(Slice { target: target.name, shape, round, hammered });
                }
            }
        }
        slices
    }

    /// Every setting.
    fn shapes(&self) -> impl Iterator<Item = Shape> {
        let direction = self.direction;
        self.bodies.iter().flat_map(move |&body_bytes| {
            let shape = move |&connections| Shape { direction, body_bytes, connections };
            self.connections.iter().map(shape)
        })
    }
}

/// Starts `proxy` before `server` and waits for a right answer.
async fn start(proxy: Proxy, server: SocketAddr, core: usize) -> Result<Target, CompareError> {
    let hosts = [server];
    let before = Before { purpose: Purpose::Overhead, hosts: &hosts, cores: 1, pin: Some(core) };
    let running = RunningProxy::start(proxy, before)?;
    let first = Shape { direction: Direction::Answer, body_bytes: 3, connections: 1 };
    let deadline = Instant::now() + READY_MAX;
    while !hammer::answers(running.address, first).await {
        if deadline <= Instant::now() {
            let failure = "no right answer in time".to_owned();
            return Err(CompareError::NoAnswer { proxy: proxy.name(), failure });
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(Target { name: proxy.name(), address: running.address, proxy: Some(running) })
}

/// `0`, `500B`, `10kB`, `1MB`, up to what the server answers.
fn body_bytes(text: &str) -> Result<usize, String> {
    let (number, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(end) => text.split_at(end),
        None => (text, "B"),
    };
    let unit = match unit {
        "B" => Some(1),
        "kB" => Some(1000),
        "MB" => Some(1_000_000),
        _ => None,
    };
    let bytes = number.parse::<usize>().ok().zip(unit).and_then(|(n, unit)| n.checked_mul(unit));
    let bytes = bytes.filter(|bytes| *bytes <= still::BYTES_MAX);
    bytes.ok_or_else(|| "expected a size such as 0, 10kB or 1MB, at most 16 MiB".to_owned())
}
