//! `weighbridge fleet`: hosts that an operator lets join, drain and come back, and how much they
//! are preferred.

use clap::Subcommand;
use serde_json::json;

use weighbridge_proxy::config::HostAddress;

use super::operate::Admin;
use super::{CommandError, run};

/// Let hosts join a running balancer, drain, come back, and have more or fewer requests.
///
/// For hosts that are listed: by the configuration, by a name, by a file or by this command. What
/// is asked for holds over reloads, until the balancer ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  weighbridge fleet join 10.0.0.7:8001 --cores 4
  weighbridge fleet drain 10.0.0.7:8001
  weighbridge fleet undrain 10.0.0.7:8001
  weighbridge fleet join unix:/run/app.sock
  weighbridge fleet weight 10.0.0.7:8001 0.5")]
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
        /// Its IP address and port, or unix:PATH.
        address: HostAddress,
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
        /// Its IP address and port, or unix:PATH.
        address: HostAddress,
    },
    /// A host that drains gets requests again, once it is ready.
    Undrain {
        /// Its IP address and port, or unix:PATH.
        address: HostAddress,
    },
    /// A host gets requests where they add less: with the weight 2, where they add up to twice as
    /// many seconds as on a host of 1.
    Weight {
        /// Its IP address and port, or unix:PATH.
        address: HostAddress,
        /// By what the seconds that a request adds there are divided. From 0.01 to 100; 1 is that
        /// of every host.
        weight: f64,
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
            Change::Weight { address, weight } => (
                "/fleet/weight",
                json!({ "address": address, "weight": weight }),
                format!("{address} has the weight {weight}"),
            ),
        };
        self.admin.post(path, body.to_string())?;
        run::say(&format!("{done}\n"));
        Ok(())
    }
}
