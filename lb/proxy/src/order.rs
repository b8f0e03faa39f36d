//! What operators ask of the balancer as a whole, and what they are told.

use serde::Serialize;
use tokio::sync::oneshot;

/// Orders that wait; a further one is refused.
pub(crate) const ORDERS_MAX: usize = 4;

/// What is to be done. The answer is given when it has been done.
#[derive(Debug)]
pub(crate) enum Order {
    /// Read the configuration anew.
    Reload(oneshot::Sender<Result<Reloaded, Vec<String>>>),
    /// Start another process that takes over.
    Upgrade(oneshot::Sender<Result<Upgraded, String>>),
    /// That process takes requests: leave the rest to it.
    HandOver {
        /// Its id.
        pid: u32,
        /// Who asked for the upgrade.
        told: oneshot::Sender<Result<Upgraded, String>>,
    },
}

/// Another process has taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Upgraded {
    /// Its id.
    pub pid: u32,
}

/// A configuration has been taken up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// Configurations that have been in use since the start, this one included; the first is 1.
    pub generation: u64,
    /// What was changed in the file and stays as it was until a restart, by key.
    pub needs_restart: Vec<&'static str>,
}
