//! What a balancer is put together of.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pingora::apps::HttpServerOptions;
use pingora::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora::proxy::{HttpProxy, http_proxy};
use pingora::server::configuration::ServerConf;
use pingora::time::fast_timeout::set_fast_timeout_to_tokio_threshold;
use tokio::sync::mpsc;

use super::jobs::{self, JobStore};
use super::{PROBE_TIMEOUT, ServerError};
use crate::access_log::AccessWriter;
use crate::acme::challenges::Challenges;
use crate::background::Background;
use crate::budget::{BudgetLimits, MemoryBudget};
use crate::config::{Config, StoreHome};
use crate::descriptors;
use crate::dispatch::Dispatch;
use crate::fleet::AddressBook;
use crate::fleet::probe::Probe;
use crate::fleets::Fleets;
use crate::forward::Connections;
use crate::front::{Current, Front, Proxy};
use crate::gauges::Gauges;
use crate::jobs::contract::Outside;
use crate::lambda::Functions;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::order::Order;
use crate::repeats::Repeats;
use crate::roster::Roster;
use crate::store::{self, ObservationStore, Recorder, Spool};
use crate::traces::Traces;

/// Observations that the store has not taken, in the data folder.
const SPOOL_FOLDER: &str = "spool";

/// What of the answer of one stream of HTTP/2 has left the memory budget and not gone out.
const H2_SEND_BUFFER_BYTES: usize = 64 << 10;

/// Gets what `config` needs of the system, and tells of what is allowed and seldom meant. Returns
/// how many connections of clients there may be.
pub(super) fn prepare(config: &Config) -> usize {
    // pingora's own timer wakes a hundred times a second, also when nothing happens. Only what
    // takes less than a second goes by it now, and the idle time of HTTP/2.
    set_fast_timeout_to_tokio_threshold(Some(Duration::ZERO));
    for note in config.notes() {
        tracing::warn!("{note}");
    }
    if rustix::process::geteuid().is_root() {
        tracing::warn!("this runs as root, which it does not need: give it a user of its own");
    }
    descriptors::allow(&config.limits)
}

/// What the rooms that requests share are made of.
pub(super) struct Rooms {
    pub(super) config: Arc<Config>,
    pub(super) fleets: Arc<Fleets>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) recorder: Option<Arc<Recorder>>,
    pub(super) functions: Option<Arc<dyn Functions>>,
}

impl Rooms {
    /// The first front, with the rooms behind it.
    pub(super) fn front(
        self,
        store: (Option<JobStore>, Option<Outside>),
        ends: (mpsc::Sender<Order>, Arc<Challenges>),
    ) -> Result<Arc<Front>, ServerError> {
        let Rooms { config, fleets, metrics, recorder, functions } = self;
        let hosts = Arc::new(AddressBook::default());
        let ledger = Arc::new(Ledger {
            access_log: Arc::new(AccessWriter::open(&config.access_log, metrics.registry())?),
            traces: Traces::open(&config.traces, metrics.registry())?,
            gauges: Arc::new(Gauges::new(metrics.registry())?),
            feature_names: feature_names(&config),
            repeats: Arc::new(Repeats::new(&config.repeats, metrics.registry())?),
            hosts: hosts.clone(),
            fleets: fleets.clone(),
            recorder,
            metrics,
            config: config.clone(),
        });
        let roster = Roster::new(hosts.clone(), Probe::new(PROBE_TIMEOUT), &config);
        let dispatch = Arc::new(Dispatch {
            connections: Arc::new(Connections::new(config.limits.connections_max)),
            budget: MemoryBudget::new(budget_limits(&config)),
            functions,
            roster: Arc::new(roster),
            hosts,
            fleets,
            config: config.clone(),
        });
        let jobs = jobs::open(&config, (&dispatch, &ledger), store)?;
        Ok(Front::new(config, (dispatch, ledger), jobs, ends))
    }
}

/// The store that was given, else what `config` says.
pub(super) fn open_store(
    given: Option<Arc<dyn ObservationStore>>,
    config: &Config,
    as_heir: bool,
) -> Result<Option<Arc<dyn ObservationStore>>, ServerError> {
    let kind = config.store.kind;
    match (given, kind.home()) {
        (Some(given), _) => Ok(Some(given)),
        (None, StoreHome::DataFolder | StoreHome::Nowhere) => {
            Ok(store::open(&config.store, as_heir)?)
        }
        (None, StoreHome::Aws) => Err(ServerError::NoStore(kind.name())),
    }
}

pub(super) fn recorder(
    (store, as_heir): (Option<Arc<dyn ObservationStore>>, bool),
    config: &Config,
    background: &Background,
    metrics: &Metrics,
) -> Result<Option<Arc<Recorder>>, ServerError> {
    let Some(store) = store else { return Ok(None) };
    let bytes_max = config.store.spool_bytes_max;
    let open = if as_heir { Spool::inherit } else { Spool::open };
    let folder = config.store.data_dir.join(SPOOL_FOLDER);
    let spool = if bytes_max == 0 { None } else { Some(open(&folder, bytes_max)?) };
    let _entered = background.handle().enter();
    let recorder = Recorder::start(store, spool, &config.store, metrics.registry())?;
    Ok(Some(Arc::new(recorder)))
}

pub(super) fn budget_limits(config: &Config) -> BudgetLimits {
    BudgetLimits::by(&config.limits, config.held_body_bytes_max())
}

pub(super) fn feature_names(config: &Config) -> Vec<Arc<[String]>> {
    config.policy.routes.iter().map(|route| route.features.names().into()).collect()
}

/// What serves the connections of the listener with the number `listener`.
pub(super) fn proxy(current: &Current, listener: usize) -> HttpProxy<Proxy> {
    let front = current.load_full();
    let proxy = Proxy { current: current.clone(), listener };
    let mut proxy = http_proxy(&Arc::new(ServerConf::default()), proxy);
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    options.h2_idle_timeout = Some(front.config.timeouts.idle);
    // It is refused like any other request that cannot be served, rather than by pingora.
    options.allow_connect_method_proxying = true;
    proxy.server_options = Some(options);
    proxy.h2_options = Some(h2_options(&front));
    proxy
}

fn h2_options(front: &Front) -> H2Options {
    // HTTP/2 counts 32 bytes more for each header, and answers by itself what is over its limit:
    // what is a little over ours is to get ours.
    let header_bytes_max = front.config.limits.header_bytes.saturating_mul(2);
    let mut options = default_h2_options();
    options.max_header_list_size(u32::try_from(header_bytes_max).unwrap_or(u32::MAX));
    options.max_send_buffer_size(H2_SEND_BUFFER_BYTES);
    options
}

/// Differs from start to start, so that several balancers do not pick alike.
pub(super) fn seed() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64 ^ u64::from(std::process::id()).rotate_left(32)
}
