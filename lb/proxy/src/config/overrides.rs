//! Options of the command line that win over the file.

use std::net::SocketAddr;
use std::num::ParseIntError;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Config, FleetSource, acme, own_address};

/// Options of the command line. `None`: as the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Instead of `listen`.
    pub listen: Option<SocketAddr>,
    /// Instead of `admin`.
    pub admin: Option<SocketAddr>,
    /// Instead of `store.data_dir`.
    pub data_dir: Option<PathBuf>,
    /// Instead of `scale.hosts_min` and `scale.hosts_max`.
    pub workers: Option<WorkerRange>,
}

/// `MIN..MAX`, or `N` for exactly that many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerRange {
    /// The least workers; at least 1.
    pub min: usize,
    /// The most workers; at least `min`.
    pub max: usize,
}

/// Why the command line does not fit. The operator has to change it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// Not a range of workers.
    #[error("workers are `{0}`: expected MIN..MAX, from 1 to 10000")]
    Workers(String),
    /// A static fleet cannot be given another size.
    #[error("the fleet is static: expected another kind, to say how many workers it has")]
    StaticFleet,
    /// Both listeners at one address.
    #[error("admin and listen are both `{0}`: expected two addresses")]
    SameAddress(SocketAddr),
    /// A host of a static fleet is the balancer itself.
    #[error("`{0}` of fleet.static.hosts is where the balancer itself is: expected a host")]
    OwnAddress(SocketAddr),
}

impl FromStr for WorkerRange {
    type Err = OverrideError;

    fn from_str(text: &str) -> Result<WorkerRange, OverrideError> {
        let (min, max) = text.split_once("..").unwrap_or((text, text));
        let parse = || Ok::<_, ParseIntError>((min.parse()?, max.parse()?));
        match parse() {
            Ok((min, max)) if 1 <= min && min <= max && max <= 10_000 => {
                Ok(WorkerRange { min, max })
            }
            Ok(_) | Err(_) => Err(OverrideError::Workers(text.to_owned())),
        }
    }
}

impl Config {
    /// This configuration, with the options of the command line in place of its own values.
    pub fn with(mut self, overrides: &Overrides) -> Result<Config, OverrideError> {
        self.listen = overrides.listen.unwrap_or(self.listen);
        if let Some(first) = self.listeners.first_mut() {
            first.address = self.listen;
        }
        self.admin = overrides.admin.unwrap_or(self.admin);
        if self.listen == self.admin && self.listen.port() != 0 {
            return Err(OverrideError::SameAddress(self.listen));
        }
        if let FleetSource::Listed(hosts) = self.fleet.source() {
            let listeners = self.listeners.iter().map(|listener| listener.address);
            let own: Vec<_> = listeners.chain([self.admin]).collect();
            let is_own = |host: SocketAddr| own.iter().any(|own| own_address::leads_to(host, *own));
            if let Some(host) =
                hosts.iter().filter_map(|host| host.address.tcp()).find(|at| is_own(*at))
            {
                return Err(OverrideError::OwnAddress(host));
            }
        }
        if let Some(data_dir) = &overrides.data_dir {
            self.store.data_dir.clone_from(data_dir);
            acme::place(&mut self.listeners, &self.acme, data_dir);
        }
        if let Some(workers) = overrides.workers {
            match self.fleet.source() {
                FleetSource::Listed(_) => return Err(OverrideError::StaticFleet),
                FleetSource::Processes(_) | FleetSource::Rented(_) => {
                    self.policy.scale.hosts_min = workers.min;
                    self.policy.scale.hosts_max = workers.max;
                }
            }
        }
        Ok(self)
    }
}
