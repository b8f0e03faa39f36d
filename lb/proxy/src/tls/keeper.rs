//! Keeps what a listener shows: its certificates are read again when their files change.
//!
//! What is new counts for connections that come; those that are there keep what they have. Files
//! that cannot be used change nothing: whoever renews a certificate writes two files, one after the
//! other, and the second makes them fit.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::{Mutex, RwLock};
use rustls::ServerConfig;
use rustls::crypto::ring::Ticketer;
use rustls::server::ProducesTickets;
use tokio_rustls::TlsAcceptor;
use xxhash_rust::xxh3::xxh3_64;

use super::files::{self, Certificate, FileError};
use super::server;
use crate::acme::challenges::Challenges;
use crate::config::TlsConfig;
use crate::front::Current;
use crate::metrics::Metrics;

/// See the module.
pub(crate) struct Keeper {
    config: RwLock<TlsConfig>,
    /// Where it is shown: for the log and for metrics.
    place: String,
    shown: RwLock<Arc<ServerConfig>>,
    seen: Mutex<Seen>,
    /// Outlives certificates, so that clients can go on where they were.
    tickets: Arc<dyn ProducesTickets>,
    challenges: Arc<Challenges>,
    metrics: Arc<Metrics>,
}

/// The files as they were looked at last.
#[derive(Debug, Default)]
struct Seen {
    /// What stood in all of them; changes with any byte.
    digest: u64,
    /// What was wrong with them, if anything.
    wrong: Option<String>,
    /// The names of the certificates in use, as metrics have them.
    names: Vec<String>,
}

impl Keeper {
    /// What `config` says, for the listener at `place`.
    pub(crate) fn open(
        config: &TlsConfig,
        place: String,
        (metrics, challenges): (Arc<Metrics>, Arc<Challenges>),
    ) -> Result<Arc<Keeper>, FileError> {
        let tickets = Ticketer::new().map_err(|error| FileError::Tls(Box::new(error)))?;
        let digest = digest(config)?;
        let (shown, certificates) = server::read(config, (&tickets, &challenges))?;
        let keeper = Keeper {
            config: RwLock::new(config.clone()),
            place,
            shown: RwLock::new(shown),
            seen: Mutex::new(Seen { digest, ..Seen::default() }),
            tickets,
            challenges,
            metrics,
        };
        keeper.tell(&certificates);
        Ok(Arc::new(keeper))
    }

    /// What takes the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.shown.read().clone())
    }

    /// Goes by `config` from now on, and looks at its files as [`Keeper::look`] does.
    pub(crate) fn follow(&self, config: &TlsConfig) {
        if *self.config.read() != *config {
            self.config.write().clone_from(config);
            // They are other files, or are shown otherwise.
            self.seen.lock().digest = 0;
        }
        self.look();
    }

    /// Looks at the files, and shows what is new of them. It reads files: not for a thread that
    /// carries requests.
    pub(crate) fn look(&self) {
        let mut seen = self.seen.lock();
        let config = self.config.read().clone();
        let looked = digest(&config).and_then(|digest| {
            if digest == seen.digest && seen.wrong.is_none() {
                return Ok(None);
            }
            let read = server::read(&config, (&self.tickets, &self.challenges))?;
            Ok(Some((digest, read)))
        });
        match looked {
            Ok(None) => {}
            Ok(Some((digest, (shown, certificates)))) => {
                let is_new = digest != seen.digest;
                *self.shown.write() = shown;
                (seen.digest, seen.wrong) = (digest, None);
                drop(seen);
                self.tell(&certificates);
                if is_new {
                    self.metrics.edge.certificates_read(true);
                    tracing::info!(listener = self.place, "shows the certificates that are new");
                }
            }
            Err(error) => self.keeps(&mut seen, &error),
        }
    }

    /// The old certificates stay, because of `error`.
    fn keeps(&self, seen: &mut Seen, error: &FileError) {
        let wrong = error.in_full();
        if seen.wrong.as_ref() != Some(&wrong) {
            self.metrics.edge.certificates_read(false);
            tracing::warn!(
                listener = self.place,
                error = wrong,
                "the certificates that are new cannot be used; the old ones are kept"
            );
        }
        seen.wrong = Some(wrong);
        self.metrics.edge.certificates_stale(&self.place, true);
    }

    /// Tells of `certificates`, which are in use from now on.
    fn tell(&self, certificates: &[Certificate]) {
        let now = SystemTime::now();
        let names = certificates.iter().map(|certificate| certificate.said.names[0].clone());
        let names: Vec<String> = names.collect();
        let before = std::mem::replace(&mut self.seen.lock().names, names.clone());
        for gone in before.iter().filter(|name| !names.contains(name)) {
            self.metrics.edge.certificate_gone(&self.place, gone);
        }
        for (certificate, name) in certificates.iter().zip(&names) {
            let said = &certificate.said;
            self.metrics.edge.certificate(&self.place, name, said.not_after_secs());
            if said.has_expired(now) {
                tracing::warn!(listener = self.place, name, "the certificate has expired");
            }
        }
        self.metrics.edge.certificates_stale(&self.place, false);
    }
}

/// Looks at the files of all `keepers`, as often as the configuration in use says.
pub(crate) async fn watch(keepers: Vec<Arc<Keeper>>, current: Current) {
    loop {
        let every = current.load().config.timeouts.certificate_interval;
        tokio::time::sleep(every.max(Duration::from_millis(1))).await;
        for keeper in &keepers {
            let keeper = keeper.clone();
            if tokio::task::spawn_blocking(move || keeper.look()).await.is_err() {
                current.load().ledger.metrics.loop_failed("certificates");
            }
        }
    }
}

/// What stands in all files of `config`, as a number.
fn digest(config: &TlsConfig) -> Result<u64, FileError> {
    let certificates = config.certificates.iter().flat_map(|files| [&files.chain, &files.key]);
    let mut digests = Vec::new();
    for path in certificates.chain(&config.client_ca).map(PathBuf::as_path) {
        digests.extend_from_slice(&of_file(path)?.to_le_bytes());
    }
    for path in &config.managed {
        // Those that are not there yet come to be.
        digests.extend_from_slice(&of_file(path).unwrap_or_default().to_le_bytes());
    }
    Ok(xxh3_64(&digests))
}

fn of_file(path: &Path) -> Result<u64, FileError> {
    files::read(path).map(|bytes| xxh3_64(&bytes))
}
