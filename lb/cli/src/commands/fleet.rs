//! `weighbridge fleet`: hosts that an operator lets join, drain and come back.

use std::net::SocketAddr;

use clap::Subcommand;
use serde_json::json;

use super::operate::Admin;
use super::{CommandError, run};

/// Let hosts join a running balancer, drain, and come back.
///
/// For hosts that are listed: by the configuration, by a name, by a file or by this command. What
/// is asked for holds over reloads, until the balancer ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weighbridge fleet join 10.0.0.7:8001 --cores 4
  weighbridge fleet drain 10.0.0.7:8001
  weighbridge fleet undrain 10.0.0.7:8001")]
pub(crate) struct Fleet {
    #[command(subcommand)]
    change: Change,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Debug, Subcommand)]
enum Change {
    /// A host joins. It gets requests once it is ready.
    Join {
        /// Its IP address and port.
        address: SocketAddr,
        /// The fleet: `main`, or the NAME of a [fleets.NAME].
        #[arg(long, default_value = "main")]
        fleet: String,
        /// Its cores that run requests [default: `cores` of the fleet].
        #[arg(long)]
        cores: Option<u32>,
        /// The speed of one core, in reference cores [default: `speed` of the fleet].
        #[arg(long)]
        speed: Option<f64>,
    },
    /// A host gets no more requests, and finishes what it has. One that only `join` has named
    /// leaves then.
    Drain {
        /// Its IP address and port.
        address: SocketAddr,
    },
    /// A host that drains gets requests again, once it is ready.
    Undrain {
        /// Its IP address and port.
        address: SocketAddr,
    },
}

impl Fleet {
    pub(crate) fn run(self) -> Result<(), CommandError> {
        let (path, body, done) = match self.change {
            Change::Join { address, fleet, cores, speed } => (
                "/fleet/join",
                json!({ "address": address, "fleet": fleet, "cores": cores, "speed": speed }),
                format!("{address} joins {fleet}"),
            ),
            Change::Drain { address } => {
                ("/fleet/drain", json!({ "address": address }), format!("{address} drains"))
            }
            Change::Undrain { address } => {
                ("/fleet/undrain", json!({ "address": address }), format!("{address} comes back"))
            }
        };
        self.admin.post(path, body.to_string())?;
        run::say(&format!("{done}\n"));
        Ok(())
    }
}
