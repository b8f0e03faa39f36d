//! Gets certificates from an authority by ACME (RFC 8555), and new ones before they expire.
//!
//! ```text
//! [acme], listeners' names -> due? -> order -> challenge, shown by TLS or HTTP -> certificate
//!   -> a file in the data folder -> the keepers of the listeners look at it
//! ```
//!
//! A name whose certificate is not there yet is refused by TLS; everything else is served. One that
//! cannot be got or renewed is tried again, ever more seldom, and a metric counts that. Of several
//! processes with one data folder, one asks: an upgrade's, once it has taken over.

pub(crate) mod challenges;
mod https;
mod order;
pub(crate) mod state;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep};

use crate::backoff::Backoff;
use crate::config::{AcmeConfig, Config};
use crate::front::Current;
use crate::tls::keeper::Keeper;
use challenges::Challenges;
use order::Names;
use state::State;

/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_hours(1);

/// The least time between two looks at what is due.
const LOOK_MIN: Duration = Duration::from_millis(10);

/// What the loop needs.
pub(crate) struct Acme {
    /// What says which names, and what is counted.
    pub(crate) current: Current,
    /// Where challenges are shown.
    pub(crate) challenges: Arc<Challenges>,
    /// What shows the certificates.
    pub(crate) keepers: Vec<Arc<Keeper>>,
}

/// What went wrong with one name.
struct Failed {
    in_row: u64,
    /// No other try before this.
    until: Instant,
}

/// Keeps the certificates of all names, until the balancer drains.
pub(crate) async fn keep(acme: Acme) {
    let mut failed = BTreeMap::new();
    let mut state: Option<State> = None;
    loop {
        let front = acme.current.load_full();
        if front.is_draining() {
            return;
        }
        let config = &front.config;
        if !config.acme.names.is_empty() {
            let folder = config.acme.folder_in(&config.store.data_dir);
            // Another authority's has a folder of its own.
            let held = state.take().filter(|held| held.is_at(&folder));
            state = held.or_else(|| acme.open(&folder));
            if let Some(state) = &state {
                acme.round(config, state, &mut failed).await;
            }
        }
        sleep(config.timeouts.certificate_interval.max(LOOK_MIN)).await;
    }
}

impl Acme {
    /// What is kept in `folder`; `None` while another process has it, or it cannot be used.
    fn open(&self, folder: &Path) -> Option<State> {
        let opened = State::open(folder);
        opened.unwrap_or_else(|error| {
            self.current.load().ledger.metrics.loop_failed("acme");
            tracing::warn!(folder = %folder.display(), %error, "no certificates can be kept there");
            None
        })
    }

    /// Gets the certificates that are due, one after the other.
    async fn round(&self, config: &Config, state: &State, failed: &mut BTreeMap<String, Failed>) {
        failed.retain(|name, _| config.acme.names.contains(name));
        for name in &config.acme.names {
            let waits = failed.get(name).is_some_and(|failed| Instant::now() < failed.until);
            if waits || !state.is_due(name, SystemTime::now()) {
                continue;
            }
            let metrics = &self.current.load().ledger.metrics.edge;
            let names = Names { config: &config.acme, state, challenges: &self.challenges };
            match names.order(name).await {
                Ok(()) => {
                    metrics.ordered(true);
                    tracing::info!(name, "a certificate has been got");
                    failed.remove(name);
                    self.show().await;
                }
                Err(error) => {
                    metrics.ordered(false);
                    let wait = note(failed, name, &config.acme);
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(name, error, ?wait, "no certificate has been got");
                }
            }
        }
    }

    /// Lets the listeners show what is new.
    async fn show(&self) {
        let keepers = self.keepers.clone();
        let looked = tokio::task::spawn_blocking(move || {
            for keeper in keepers {
                keeper.look();
            }
        });
        if looked.await.is_err() {
            self.current.load().ledger.metrics.loop_failed("certificates");
        }
    }
}

/// Notes that `name` has failed once more. Returns how long it waits.
fn note(failed: &mut BTreeMap<String, Failed>, name: &str, config: &AcmeConfig) -> Duration {
    let begin = || Failed { in_row: 0, until: Instant::now() };
    let failed = failed.entry(name.to_owned()).or_insert_with(begin);
    failed.in_row += 1;
    let backoff = Backoff { base: config.retry_min, max: RETRY_MAX.max(config.retry_min) };
    let wait = backoff.wait(failed.in_row);
    failed.until = Instant::now() + wait;
    wait
}
