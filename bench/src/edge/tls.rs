//! `weighbridge-bench edge tls`: what TLS costs, beside nginx and `HAProxy`.
//!
//! Each proxy has one thread, on a core of its own; the clients and the host share another. What is
//! told is CPU time of the proxy, because clients cost as much as servers: a handshake per CPU
//! second is what one core could do.

mod drive;
mod rows;

use std::net::SocketAddr;
use std::time::Duration;

use super::certificate::Believer;
use crate::compare::overhead::still;
use crate::compare::present_and_missing;
use crate::compare::{Before, CompareError, Proxy, Purpose, RunningProxy};

use drive::Work;
use rows::Slice;

pub use rows::TlsRow;

/// The proxies that are compared: ours is the last.
const PROXIES: [Proxy; 3] = [Proxy::Nginx, Proxy::HaProxy, Proxy::Weighbridge];

/// What TLS costs, beside nginx and `HAProxy`.
///
/// Before a tiny static server in this process, each proxy in turn gets whole handshakes, resumed
/// ones, and requests on connections that stay, for answers of 10 kB and 1 MB. A handshake is
/// followed by one request for an empty answer. All by TLS 1.3, with a certificate of ECDSA P-256.
/// Prints one JSON object a line. `over_better` is the CPU time for each over that of the better of
/// nginx and `HAProxy` in the same round.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weighbridge-bench edge tls
  weighbridge-bench edge tls --rounds 9 --seconds 5")]
pub struct Tls {
    /// Each proxy is measured so often, in turn with the others.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// How long each proxy is measured in a round, for each kind of work.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// Connections at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub connections: u32,
}

/// A proxy that runs, and whom its clients believe.
struct Target {
    proxy: RunningProxy,
    believer: Believer,
}

impl Tls {
    /// Measures and prints.
    pub(super) fn run(&self) -> Result<(), CompareError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            for row in self.measure().await? {
                println!("{}", serde_json::to_string(&row)?);
            }
            Ok(())
        })
    }

    async fn measure(&self) -> Result<Vec<TlsRow>, CompareError> {
        let (present, _) = present_and_missing(&PROXIES)?;
        let (server, (_, proxies)) = still::start().await?;
        let targets: Result<Vec<Target>, _> =
            present.iter().map(|proxy| start(*proxy, server, proxies)).collect();
        let slices = self.slices(&targets?).await;
        Ok(Work::ALL.iter().flat_map(|work| rows::of(&slices, *work, &present)).collect())
    }

    async fn slices(&self, targets: &[Target]) -> Vec<Slice> {
        let mut slices = Vec::new();
        let length = Duration::from_secs(self.seconds);
        for round in 0..self.rounds {
            for work in Work::ALL {
                eprintln!("round {} of {}: {}", round + 1, self.rounds, work.name());
                for turn in 0..targets.len() {
                    let Target { proxy, believer } =
                        &targets[(turn + round as usize) % targets.len()];
                    let cpu = || proxy.process.cpu_seconds();
                    let to = (proxy.address, believer);
                    let driven = drive::drive(to, (work, self.connections, length), cpu).await;
                    slices.push(Slice { proxy: proxy.proxy, work, round, driven });
                }
            }
        }
        slices
    }
}

/// Starts `proxy` before `server`.
fn start(proxy: Proxy, server: SocketAddr, core: usize) -> Result<Target, CompareError> {
    let hosts = [server];
    let before = Before { purpose: Purpose::Tls, hosts: &hosts, cores: 1, pin: Some(core) };
    let proxy = RunningProxy::start(proxy, before)?;
    let believer = Believer::of(&proxy.file("tls.pem"))?;
    Ok(Target { proxy, believer })
}
