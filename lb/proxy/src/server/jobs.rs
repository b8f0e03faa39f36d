//! Starts and stops what is about jobs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Server;
use crate::config::Config;
use crate::dispatch::Dispatch;
use crate::jobs::callbacks::{Callbacks, Secret, SecretError, run as deliver};
use crate::jobs::contract::folder::BucketFolder;
use crate::jobs::contract::queues::queues;
use crate::jobs::contract::{self, Outside};
use crate::jobs::films::{self, folder::CustomersFolder};
use crate::jobs::folder::Folder;
use crate::jobs::ledger::{Bounds, JobLedger, LedgerError};
use crate::jobs::objects::{ObjectError, Objects};
use crate::jobs::sqlite::SqliteLedger;
use crate::jobs::{JobRoom, run, tend};
use crate::ledger::Ledger;

/// The folder of objects, in that of the jobs.
const OBJECTS: &str = "objects";

/// The folder of buckets, in that of the jobs.
const BUCKETS: &str = "buckets";

/// The folder of queues, in that of the jobs.
const QUEUES: &str = "queues";

/// The folder of customers, in that of the jobs.
const CUSTOMERS: &str = "customers";

/// So many ask a queue of answers at once: each waits for what it has taken to be handed on.
const ANSWERS_AT_ONCE: usize = 2;

/// How long attempts that are handed back may take to write that down.
const HAND_BACK: Duration = Duration::from_secs(5);

/// Where jobs are kept.
pub struct JobStore {
    /// Keeps jobs and their line.
    pub ledger: Arc<dyn JobLedger>,
    /// Keeps what is too long for that.
    pub objects: Arc<dyn Objects>,
}

/// Why there can be no jobs. The operator has to mend it.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// The ledger cannot be opened.
    #[error("cannot open the ledger")]
    Ledger(#[from] LedgerError),
    /// The folder of objects cannot be used.
    #[error("cannot use the folder of objects")]
    Objects(#[from] ObjectError),
    /// Callbacks cannot be signed.
    #[error("cannot sign callbacks")]
    Secret(#[from] SecretError),
}

/// The jobs that `config` wants, kept in `store`, or else embedded. Blocks for a moment.
pub(super) fn open(
    config: &Arc<Config>,
    (dispatch, ledger): (&Arc<Dispatch>, &Arc<Ledger>),
    (store, outside): (Option<JobStore>, Option<Outside>),
) -> Result<Option<Arc<JobRoom>>, JobsError> {
    let settings = &config.jobs;
    if !settings.enabled {
        return Ok(None);
    }
    let store = store.map_or_else(|| embedded(config), Ok)?;
    let callbacks = if settings.callbacks.hosts.is_empty() {
        None
    } else {
        let secret = Secret::read(&settings.callbacks.secret_file)?;
        Some(Callbacks { settings: settings.callbacks.clone(), secret })
    };
    let rooms = (Arc::clone(config), Arc::clone(dispatch), Arc::clone(ledger));
    let outside = outside.unwrap_or_else(|| embedded_buckets(config));
    let room = JobRoom::new(rooms, (store.ledger, store.objects), (callbacks, outside));
    Ok(Some(Arc::new(room)))
}

fn embedded(config: &Config) -> Result<JobStore, JobsError> {
    let settings = &config.jobs;
    let folder = settings.folder_in(&config.store.data_dir);
    let ledger = Arc::new(SqliteLedger::open(&folder, Bounds::of(settings))?);
    let objects = Arc::new(Folder::open(&folder.join(OBJECTS))?);
    Ok(JobStore { ledger, objects })
}

/// Buckets, queues and customers as folders.
fn embedded_buckets(config: &Config) -> Outside {
    let folder = config.jobs.folder_in(&config.store.data_dir);
    Outside {
        buckets: Arc::new(BucketFolder::new(&folder.join(BUCKETS))),
        messages: Some(queues(&folder.join(QUEUES))),
        customers: Arc::new(CustomersFolder::new(&folder.join(CUSTOMERS))),
    }
}

/// Waits until `deadline` for the jobs that run here, and hands back those that are left.
pub(super) async fn stop(room: Option<&JobRoom>, deadline: Instant) {
    let Some(room) = room else { return };
    room.drain(deadline.saturating_duration_since(Instant::now()));
    room.drained(deadline.saturating_duration_since(Instant::now())).await;
    if 0 < room.n_running() {
        tracing::info!(jobs = room.n_running(), "jobs are handed back");
        room.hand_back_all();
        room.drained(HAND_BACK).await;
    }
    room.given_back(HAND_BACK).await;
}

impl Server {
    /// Starts what looks after jobs, where there are any.
    pub(super) fn start_jobs(&mut self) {
        let Some(room) = self.front().jobs.clone() else { return };
        self.keep("jobs_line", run(room.clone()));
        self.keep("jobs_tend", tend(room.clone()));
        self.keep("jobs_callbacks", deliver(room.clone()));
        self.keep("jobs_deliver", contract::deliver::run(room.clone()));
        let rooms = room.rooms();
        for route in &rooms.config.routes {
            if route.films.as_ref().is_some_and(|films| films.desk.is_some()) {
                self.keep("jobs_films", films::worker::run(room.clone(), route.name.clone()));
            }
            let exchange = route.contract.as_ref().and_then(|one| one.exchange.as_ref());
            let Some(exchange) = exchange else { continue };
            let (name, part) = (&route.name, exchange.part);
            for _ in 0..if part.is_web() { ANSWERS_AT_ONCE } else { 0 } {
                self.keep("jobs_answers", contract::desk::run(room.clone(), name.clone()));
            }
            if part.is_workers() {
                self.keep("jobs_requests", contract::puller::run(room.clone(), name.clone()));
            }
        }
    }
}
