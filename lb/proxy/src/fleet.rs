//! Where hosts come from, and where they are.
//!
//! The balancer knows hosts by number. Their addresses are here. A [`Fleet`] starts and ends hosts,
//! and decides nothing.

mod local;
pub mod machines;
pub(crate) mod probe;

pub use local::LocalProcesses;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use parking_lot::{Mutex, RwLock};

use crate::config::{HostAddress, HostTls, Protocol, ProxyVersion};
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
    pub address: HostAddress,
    /// What it speaks there.
    pub protocol: Protocol,
    /// How it speaks TLS, if it does.
    pub tls: Option<HostTls>,
    /// Whether it is told whom a connection is from ahead of all else.
    pub proxy_protocol: Option<ProxyVersion>,
    /// Its process, where that runs on this machine.
    pub pid: Option<u32>,
}

/// How a host is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Where it answers.
    pub(crate) address: HostAddress,
    /// What it speaks there.
    pub(crate) protocol: Protocol,
    /// How it speaks TLS, if it does.
    pub(crate) tls: Option<HostTls>,
    /// Whether it is told whom a connection is from ahead of all else.
    pub(crate) proxy_protocol: Option<ProxyVersion>,
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

// === impl Place ===

impl Place {
    /// The place of the host `name` at `address`, which speaks HTTP/1.1 without TLS.
    pub fn plain(name: String, address: impl Into<HostAddress>, pid: Option<u32>) -> Place {
        let (address, protocol) = (address.into(), Protocol::Http1);
        Place { name, address, protocol, tls: None, proxy_protocol: None, pid }
    }

    /// How it is reached.
    pub(crate) fn target(&self) -> Target {
        let Place { protocol, proxy_protocol, .. } = *self;
        let (address, tls) = (self.address.clone(), self.tls.clone());
        Target { address, protocol, tls, proxy_protocol }
    }
}

/// Where each host is.
#[derive(Debug, Default)]
pub(crate) struct AddressBook {
    places: RwLock<BTreeMap<HostId, Place>>,
    /// Hosts of which it was said why their load reports are rejected.
    rejected: Mutex<BTreeSet<HostId>>,
}

impl AddressBook {
    /// How `host` is reached, if that is known.
    pub(crate) fn target(&self, host: HostId) -> Option<Target> {
        self.places.read().get(&host).map(Place::target)
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
