//! Where hosts come from, and where they are.
//!
//! The balancer knows hosts by number. Their addresses are here. A [`Fleet`] starts and ends hosts,
//! and decides nothing.

mod local;
pub mod machines;
pub(crate) mod probe;

pub use local::LocalProcesses;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use parking_lot::{Mutex, RwLock};

use crate::config::Protocol;
use weighbridge_core::host::HostId;
use weighbridge_instrument::ReportError;

/// Starts and ends hosts.
#[async_trait]
pub trait Fleet: Send + Sync {
    /// Starts one host called `name`. Returns once its address is known, not when it is ready.
    async fn launch(&self, name: &str) -> Result<Launched, FleetError>;

    /// Ends the host at `place`, which may take the time `grace` to finish what it has, and returns
    /// when it is gone.
    async fn terminate(&self, place: &Place, grace: Duration) -> Result<(), FleetError>;
}

/// A host that has been started.
pub struct Launched {
    /// Where it is.
    pub place: Place,
    /// Resolves when it ends, with the reason.
    pub gone: BoxFuture<'static, String>,
}

/// Where a host is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its name, unique.
    pub name: String,
    /// Where it answers.
    pub address: SocketAddr,
    /// What it speaks there.
    pub protocol: Protocol,
    /// Its process, where that runs on this machine.
    pub pid: Option<u32>,
}

/// Why a host could not be started or ended.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// Its process could not be started.
    #[error("cannot start `{program}`")]
    Spawn {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It ended before it printed its address.
    #[error("`{0}` ended before it listened")]
    EndedEarly(String),
    /// It printed something other than its address.
    #[error("`{name}` said `{said}`, expected `listening on ADDRESS`")]
    NoAddress {
        /// The host.
        name: String,
        /// What it printed.
        said: String,
    },
    /// No such host.
    #[error("there is no host `{0}`")]
    Unknown(String),
}

/// Where each host is.
#[derive(Debug, Default)]
pub(crate) struct AddressBook {
    places: RwLock<BTreeMap<HostId, Place>>,
    /// Hosts of which it was said why their load reports are rejected.
    rejected: Mutex<BTreeSet<HostId>>,
}

impl AddressBook {
    /// The address of `host`, if it is known.
    pub(crate) fn address(&self, host: HostId) -> Option<SocketAddr> {
        self.places.read().get(&host).map(|place| place.address)
    }

    /// The address of `host` and what it speaks there, if that is known.
    pub(crate) fn target(&self, host: HostId) -> Option<(SocketAddr, Protocol)> {
        self.places.read().get(&host).map(|place| (place.address, place.protocol))
    }

    /// Where `host` is, if that is known.
    pub(crate) fn place(&self, host: HostId) -> Option<Place> {
        self.places.read().get(&host).cloned()
    }

    /// Notes where `host` is.
    pub(crate) fn insert(&self, host: HostId, place: Place) {
        self.places.write().insert(host, place);
    }

    /// A load report of `host` was rejected. Says why in the log, once a host.
    pub(crate) fn report_rejected(&self, host: HostId, error: &ReportError) {
        let Some(place) = self.place(host) else { return };
        if self.rejected.lock().insert(host) {
            tracing::warn!(
                host = place.name,
                %error,
                "a load report of this host was rejected, and so are those like it"
            );
        }
    }

    /// Forgets `host`.
    pub(crate) fn remove(&self, host: HostId) -> Option<Place> {
        self.rejected.lock().remove(&host);
        self.places.write().remove(&host)
    }

    /// Every host.
    pub(crate) fn all(&self) -> Vec<(HostId, Place)> {
        self.places.read().iter().map(|(host, place)| (*host, place.clone())).collect()
    }
}
