//! Starts and stops everything: listeners, the fleet, the store, the background loops.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use pingora::apps::{HttpServerOptions, ServerApp};
use pingora::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora::proxy::{HttpProxy, http_proxy};
use pingora::server::configuration::ServerConf;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::access_log::{AccessLogError, AccessWriter};
use crate::admin;
use crate::autoscale::Executor;
use crate::background::Background;
use crate::budget::{BudgetLimits, MemoryBudget};
use crate::config::{Config, CpuSource, StoreHome};
use crate::dispatch::Dispatch;
use crate::fleet::machines::{CpuMonitor, Machines};
use crate::fleet::probe::Probe;
use crate::fleet::{AddressBook, Fleet};
use crate::fleets::Fleets;
use crate::forward::Connections;
use crate::front::{Current, Front, Proxy};
use crate::gauges::Gauges;
use crate::lambda::Functions;
use crate::learn::{self, CurrentTrainer, Trainer};
use crate::lease::{Candidate, Leads, Leases};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::order::{self, Order};
use crate::places::Places;
use crate::repeats::Repeats;
use crate::roster::Roster;
use crate::store::{self, ObservationStore, Recorder, Spool, StoreError};
use crate::{descriptors, listen, loops};

mod executor;
mod reload;
mod run;
#[cfg(test)]
mod tests;
mod watchdog;

pub use crate::order::Reloaded;
pub use reload::Source;

/// Between two looks at whether everything is finished.
const DRAIN_LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Observations that the store has not taken, in the data folder.
const SPOOL_FOLDER: &str = "spool";

/// What of the answer of one stream of HTTP/2 has left the memory budget and not gone out.
const H2_SEND_BUFFER_BYTES: usize = 64 << 10;

/// The longest that a probe waits.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Why the balancer cannot start. Every one is the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// An address is taken or not ours.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The store cannot be opened or read.
    #[error("cannot use the store")]
    Store(#[from] StoreError),
    /// Two metrics have one name.
    #[error("cannot set up metrics")]
    Metrics(#[from] prometheus::Error),
    /// The access log cannot be written.
    #[error("cannot write the access log")]
    AccessLog(#[from] AccessLogError),
    /// The system gives no more threads or files.
    #[error("cannot start threads for background work")]
    Background(#[source] std::io::Error),
    /// A local fleet was configured and nothing can start its workers.
    #[error("the fleet is `local`, and nothing was given that starts workers")]
    NoFleet,
    /// A fleet of rented machines was configured and nothing can rent them.
    #[error("the fleet is rented, and nothing was given that rents machines")]
    NoMachines,
    /// CPUs are to be measured from outside and nothing can.
    #[error("scale.cpu_source is `cloudwatch`, and nothing was given that asks it")]
    NoCpuMonitor,
    /// Lambda was configured and nothing can invoke functions.
    #[error("lambda is enabled, and nothing was given that invokes functions")]
    NoFunctions,
    /// A store elsewhere was configured and nothing can reach it.
    #[error("the store is `{0}`, and nothing was given that reaches it")]
    NoStore(&'static str),
}

/// What a balancer is given beside its configuration: what the proxy does not make itself.
#[derive(Default)]
pub struct Services {
    /// Where the configuration can be read anew; without it, it holds until the end.
    pub source: Option<Arc<dyn Source>>,
    /// Starts and ends hosts; needed where they are processes of this machine.
    pub fleet: Option<Arc<dyn Fleet>>,
    /// Rents hosts; needed where they are machines.
    pub machines: Option<Arc<dyn Machines>>,
    /// Measures from outside how busy hosts are; needed where the configuration says so.
    pub cpu: Option<Arc<dyn CpuMonitor>>,
    /// Keeps observations and models, instead of the embedded store.
    pub store: Option<Arc<dyn ObservationStore>>,
    /// Keeps leases; needed where there are several balancers.
    pub leases: Option<Arc<dyn Leases>>,
    /// Runs requests on Lambda; needed where bursts spill over to it.
    pub functions: Option<Arc<dyn Functions>>,
}

/// A balancer that is running.
pub struct Server {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Where operators connect.
    pub admin: SocketAddr,
    /// What clients meet, by the configuration in use.
    current: Current,
    trainer: CurrentTrainer,
    source: Option<Arc<dyn Source>>,
    /// For connections of clients.
    room: Places,
    orders: mpsc::Receiver<Order>,
    /// Configurations that have been in use, the present one included.
    generation: u64,
    executor: Option<Executor>,
    /// For the leases that this balancer wants.
    candidates: Vec<Arc<Candidate>>,
    proxy: Arc<HttpProxy<Proxy>>,
    shutdown: watch::Sender<bool>,
    loops: JoinSet<()>,
    /// Those of the loops that end with the balancer only, with their names.
    vital: Vec<(&'static str, AbortHandle)>,
    /// For the recorder, until it has ended.
    _background: Background,
}

impl Server {
    /// Starts a balancer by `config`, on `services`.
    pub async fn start(config: Config, services: Services) -> Result<Server, ServerError> {
        let config = Arc::new(config);
        let room = Places::new(prepare(&config));
        if config.policy.lambda.is_some() && services.functions.is_none() {
            return Err(ServerError::NoFunctions);
        }
        let listener = bind(config.listen).await?;
        let admin_listener = bind(config.admin).await?;
        let listen = listener.local_addr().unwrap_or(config.listen);
        let admin = admin_listener.local_addr().unwrap_or(config.admin);
        let metrics = Metrics::new()?;
        let shared = services.leases.is_some();
        let store = open_store(services.store, &config)?;
        let leads = Leads::new(services.leases.as_ref(), &config, listen, &metrics);
        let fleets = Arc::new(Fleets::new(&config, seed()));
        let background = Background::start().map_err(ServerError::Background)?;
        let trainer = Trainer {
            config: config.clone(),
            fleets: fleets.clone(),
            metrics: metrics.clone(),
            store: store.clone(),
            leadership: leads.train,
            in_use: Arc::default(),
        };
        trainer.restore().await?;
        let recorder = recorder(store, &config, &background, &metrics)?;
        let hosts = Arc::new(AddressBook::default());
        let ledger = Arc::new(Ledger {
            access_log: Arc::new(AccessWriter::open(&config.access_log, metrics.registry())?),
            gauges: Arc::new(Gauges::new(metrics.registry())?),
            feature_names: feature_names(&config),
            repeats: Arc::new(Repeats::new(&config.repeats, metrics.registry())?),
            hosts: hosts.clone(),
            fleets: fleets.clone(),
            recorder,
            metrics,
            config: config.clone(),
        });
        let dispatch = Arc::new(Dispatch {
            connections: Arc::new(Connections::new(config.limits.connections_max)),
            budget: MemoryBudget::new(budget_limits(&config)),
            functions: services.functions,
            roster: Arc::new(Roster::new(hosts.clone(), Probe::new(PROBE_TIMEOUT), &config)),
            hosts,
            fleets,
            config: config.clone(),
        });
        let (ordering, orders) = mpsc::channel(order::ORDERS_MAX);
        let front = Front::new(config, dispatch, ledger, ordering);
        let current = Arc::new(ArcSwap::new(front.clone()));
        let (shutdown, _) = watch::channel(false);
        let mut server = Server {
            listen,
            admin,
            executor: executor::of(&front, services.fleet, services.machines, shared, leads.scale)?,
            candidates: leads.candidates,
            proxy: Arc::new(proxy(&current)),
            current,
            trainer: Arc::new(ArcSwap::new(Arc::new(trainer))),
            source: services.source,
            room: room.clone(),
            orders,
            generation: 1,
            shutdown,
            loops: JoinSet::new(),
            vital: Vec::new(),
            _background: background,
        };
        server.tell_roster();
        server.start_loops();
        server.start_machines(services.cpu)?;
        server.keep("admin", admin::serve(admin_listener, server.current.clone()));
        let shutdown = server.shutdown.subscribe();
        let (proxy, current) = (server.proxy.clone(), server.current.clone());
        server.keep("listen", listen::serve((listener, room), proxy, current, shutdown));
        Ok(server)
    }

    /// Where it keeps what it writes.
    pub fn data_dir(&self) -> PathBuf {
        self.front().config.store.data_dir.clone()
    }

    /// What clients meet.
    pub(crate) fn front(&self) -> Arc<Front> {
        self.current.load_full()
    }

    /// Starts a loop that ends with the balancer only.
    fn keep(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let handle = self.loops.spawn(task);
        self.vital.push((name, handle));
    }

    /// Stops taking connections, finishes what is there within the drain timeout, and ends every
    /// host that it started. Returns how many requests were cut off because that was not enough.
    pub async fn stop(mut self) -> usize {
        tracing::info!("draining");
        let front = self.front();
        front.drain();
        let _ = self.shutdown.send(true);
        self.proxy.cleanup().await;
        let deadline = Instant::now() + front.config.timeouts.drain;
        while 0 < front.in_flight() && Instant::now() < deadline {
            tokio::time::sleep(DRAIN_LOOK_INTERVAL).await;
        }
        let left = front.in_flight();
        if 0 < left {
            tracing::warn!(requests = left, "requests are cut off");
        }
        self.loops.shutdown().await;
        front.dispatch.roster.stop();
        if let Some(executor) = &self.executor {
            executor.stop(0 < left).await;
        }
        if let Some(recorder) = &front.ledger.recorder {
            recorder.close().await;
        }
        for candidate in &self.candidates {
            candidate.give_back().await;
        }
        front.ledger.access_log.close();
        tracing::info!("stopped");
        left
    }

    fn start_loops(&mut self) {
        let front = self.front();
        let current = self.current.clone();
        self.keep("expire_waiting", loops::expire_waiting(current.clone()));
        self.keep("close_idle", loops::close_idle(front.dispatch.connections.clone()));
        self.start_ticks(0);
        let probe = Probe::new(PROBE_TIMEOUT);
        self.keep("load_report", loops::ask_for_load(current, self.executor.clone(), probe));
        for candidate in &self.candidates {
            self.loops.spawn(candidate.clone().run());
        }
        if !self.candidates.is_empty() {
            let every = front.config.store.share_interval;
            self.loops.spawn(learn::share(self.trainer.clone(), every));
        }
    }

    /// Starts to tick the fleets from the place `first` on.
    fn start_ticks(&mut self, first: usize) {
        for (nth, fleet) in self.front().dispatch.fleets.all().iter().enumerate().skip(first) {
            // Only the main one scales.
            let executor = self.executor.clone().filter(|_| nth == 0);
            self.keep("tick", loops::tick(fleet.clone(), executor, self.trainer.clone()));
        }
    }

    /// Starts what looks after rented machines, where there are any.
    fn start_machines(&mut self, cpu: Option<Arc<dyn CpuMonitor>>) -> Result<(), ServerError> {
        let Some(Executor::Machines(executor)) = &self.executor else { return Ok(()) };
        self.loops.spawn(executor.clone().follow());
        let front = self.front();
        match front.config.cpu_source {
            CpuSource::Reports => {}
            CpuSource::CloudWatch { interval } => {
                let monitor = cpu.ok_or(ServerError::NoCpuMonitor)?;
                let rooms = (front.dispatch.fleets.main().clone(), front.ledger.metrics.clone());
                self.loops.spawn(loops::ask_for_cpu(rooms, executor.clone(), monitor, interval));
            }
        }
        Ok(())
    }
}

/// Gets what `config` needs of the system, and tells of what is allowed and seldom meant. Returns
/// how many connections of clients there may be.
fn prepare(config: &Config) -> usize {
    for note in config.notes() {
        tracing::warn!("{note}");
    }
    if rustix::process::geteuid().is_root() {
        tracing::warn!("this runs as root, which it does not need: give it a user of its own");
    }
    descriptors::allow(&config.limits)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address).await.map_err(|source| ServerError::Listen { address, source })
}

/// The store that was given, else what `config` says.
fn open_store(
    given: Option<Arc<dyn ObservationStore>>,
    config: &Config,
) -> Result<Option<Arc<dyn ObservationStore>>, ServerError> {
    let kind = config.store.kind;
    match (given, kind.home()) {
        (Some(given), _) => Ok(Some(given)),
        (None, StoreHome::DataFolder | StoreHome::Nowhere) => {
            Ok(store::open(&config.store, false)?)
        }
        (None, StoreHome::Aws) => Err(ServerError::NoStore(kind.name())),
    }
}

fn recorder(
    store: Option<Arc<dyn ObservationStore>>,
    config: &Config,
    background: &Background,
    metrics: &Metrics,
) -> Result<Option<Arc<Recorder>>, ServerError> {
    let Some(store) = store else { return Ok(None) };
    let bytes_max = config.store.spool_bytes_max;
    let spool = match bytes_max {
        0 => None,
        _ => Some(Spool::open(&config.store.data_dir.join(SPOOL_FOLDER), bytes_max)?),
    };
    let _entered = background.handle().enter();
    let recorder = Recorder::start(store, spool, &config.store, metrics.registry())?;
    Ok(Some(Arc::new(recorder)))
}

fn budget_limits(config: &Config) -> BudgetLimits {
    BudgetLimits::by(&config.limits, config.held_body_bytes_max())
}

fn feature_names(config: &Config) -> Vec<Arc<[String]>> {
    config.policy.routes.iter().map(|route| route.features.names().into()).collect()
}

fn proxy(current: &Current) -> HttpProxy<Proxy> {
    let front = current.load_full();
    let mut proxy = http_proxy(&Arc::new(ServerConf::default()), Proxy(current.clone()));
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
fn seed() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64 ^ u64::from(std::process::id()).rotate_left(32)
}
