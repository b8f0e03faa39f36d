//! Starts and stops everything: listeners, the fleet, the store, the background loops.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use pingora::proxy::HttpProxy;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use crate::access_log::AccessLogError;
use crate::acme::challenges::Challenges;
use crate::acme::{self, Acme};
use crate::admin::live::Live;
use crate::admin::{self, door::Door};
use crate::autoscale::Executor;
use crate::background::Background;
use crate::config::{Config, CpuSource, FleetIndex};
use crate::fleet::Fleet;
use crate::fleet::machines::{CpuMonitor, Machines};
use crate::fleet::probe::Probe;
use crate::fleets::Fleets;
use crate::front::{Current, Front, Proxy};
use crate::jobs::contract::Outside;
use crate::lambda::Functions;
use crate::learn::{self, CurrentTrainer, Trainer};
use crate::lease::{Candidate, Leads, Leases};
use crate::listen::Gate;
use crate::metrics::Metrics;
use crate::order::{self, Order};
use crate::places::Places;
use crate::store::{ObservationStore, StoreError};
use crate::tls::keeper::{Keeper, watch as watch_certificates};
use crate::{discover, keda, listen, loops, pods};

mod executor;
mod jobs;
mod listeners;
mod reload;
mod run;
mod setup;
mod sockets;
mod stop;
#[cfg(test)]
mod tests;
mod upgrade;
mod watchdog;

pub use crate::order::{Reloaded, Upgraded};
pub use jobs::{JobStore, JobsError};
pub use listeners::Listens;
pub use reload::Source;
pub use sockets::Inherited;
pub use upgrade::Program;

use listeners::{Open, open};
use setup::{Rooms, open_store, prepare, proxy, recorder, seed};
use upgrade::Handed;

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
    /// The Unix socket for operators cannot be made.
    #[error("cannot listen on `{}`", .path.display())]
    Socket {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A listener's certificates cannot be used.
    #[error("cannot speak TLS on `{address}`")]
    Certificates {
        /// The listener's address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store cannot be opened or read.
    #[error("cannot use the store")]
    Store(#[from] StoreError),
    /// Jobs cannot be kept, or their callbacks not be signed.
    #[error("cannot use the jobs")]
    Jobs(#[from] JobsError),
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
    /// Sockets that somebody else has opened.
    pub inherited: Inherited,
    /// What starts this program once more, for an upgrade.
    pub program: Option<Program>,
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
    /// Keeps jobs, instead of the embedded store.
    pub jobs: Option<JobStore>,
    /// What contracts of routes reach, instead of folders.
    pub outside: Option<Outside>,
}

/// A balancer that is running.
pub struct Server {
    /// Where clients connect first.
    pub listen: SocketAddr,
    /// Every place where clients connect, that one first.
    pub listeners: Vec<Listens>,
    /// Where operators connect.
    pub admin: SocketAddr,
    /// Whether they speak TLS there.
    pub admin_has_tls: bool,
    /// What clients meet, by the configuration in use.
    current: Current,
    trainer: CurrentTrainer,
    source: Option<Arc<dyn Source>>,
    /// For connections of clients.
    room: Places,
    orders: mpsc::Receiver<Order>,
    inherited: Inherited,
    program: Option<Program>,
    /// The listening sockets, to be handed over.
    sockets: Vec<Handed>,
    ends: Ends,
    /// What waits for the process that is to follow.
    upgrading: Option<JoinHandle<()>>,
    /// Configurations that have been in use, the present one included.
    generation: u64,
    executor: Option<Executor>,
    /// For the leases that this balancer wants.
    candidates: Vec<Arc<Candidate>>,
    /// One for each listener.
    proxies: Vec<Arc<HttpProxy<Proxy>>>,
    /// What keeps the certificates of each listener, and then those of operators.
    keepers: Vec<Option<Arc<Keeper>>>,
    loops: JoinSet<()>,
    /// Those of the loops that end with the balancer only, with their names.
    vital: Vec<(&'static str, AbortHandle)>,
    /// For the recorder, until it has ended.
    _background: Background,
}

/// Tells what goes on that it is to end.
#[derive(Default)]
struct Ends {
    /// What accepts connections of clients.
    closing: watch::Sender<bool>,
    /// What accepts connections of operators.
    handing_over: watch::Sender<bool>,
    /// What serves connections of clients.
    shutdown: watch::Sender<bool>,
}

impl Server {
    /// Starts a balancer by `config`, on `services`.
    pub async fn start(config: Config, services: Services) -> Result<Server, ServerError> {
        let config = Arc::new(config);
        let room = Places::new(prepare(&config));
        if config.policy.lambda.is_some() && services.functions.is_none() {
            return Err(ServerError::NoFunctions);
        }
        let mut inherited = services.inherited;
        let metrics = Metrics::new()?;
        let challenges = Arc::new(Challenges::default());
        let Open { listeners, admin, clients, keepers, keda, doors, sockets } =
            open(&config, (&metrics, &challenges), &mut inherited).await?;
        let listen = listeners.first().map_or(config.listen, |first| first.address);
        let shared = services.leases.is_some();
        let store = open_store(services.store, &config, inherited.is_heir())?;
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
        let recorder = recorder((store, inherited.is_heir()), &config, &background, &metrics)?;
        let (ordering, orders) = mpsc::channel(order::ORDERS_MAX);
        let rooms = Rooms { config, fleets, metrics, recorder, functions: services.functions };
        let front =
            rooms.front((services.jobs, services.outside), (ordering, challenges.clone()))?;
        let current = Arc::new(ArcSwap::new(front.clone()));
        let mut server = Server {
            listen,
            listeners,
            admin,
            admin_has_tls: front.config.admin_tls.is_some(),
            executor: executor::of(&front, services.fleet, services.machines, shared, leads.scale)?,
            candidates: leads.candidates,
            proxies: Vec::new(),
            keepers,
            current,
            trainer: Arc::new(ArcSwap::new(Arc::new(trainer))),
            source: services.source,
            room,
            orders,
            generation: 1,
            inherited,
            program: services.program,
            sockets,
            ends: Ends::default(),
            upgrading: None,
            loops: JoinSet::new(),
            vital: Vec::new(),
            _background: background,
        };
        server.tell_roster();
        server.start_loops();
        server.start_machines(services.cpu)?;
        server.accept(clients, doors);
        server.keep_certificates(challenges);
        server.serve_kubernetes(keda)?;
        Ok(server)
    }

    /// Starts to take connections; an heir does once it has a host for requests.
    fn accept(&mut self, clients: Vec<TcpListener>, doors: Vec<Door>) {
        let is_heir = self.inherited.is_heir();
        let live = Live::new(self.current.clone());
        for door in doors {
            let hands_over = self.ends.handing_over.subscribe();
            let (current, live) = (self.current.clone(), live.clone());
            self.keep(sockets::ADMIN, async move {
                upgrade::may_accept(&current, is_heir).await;
                admin::serve(door, (current, live), hands_over).await;
            });
        }
        for (listener, (socket, tls)) in clients.into_iter().zip(self.keepers.clone()).enumerate() {
            let ends = (self.ends.closing.subscribe(), self.ends.shutdown.subscribe());
            let (current, room) = (self.current.clone(), self.room.clone());
            let proxy = Arc::new(proxy(&current, listener));
            self.proxies.push(proxy.clone());
            let gate = Arc::new(Gate { proxy, tls, current: current.clone(), listener });
            self.keep("listen", async move {
                upgrade::may_accept(&current, is_heir).await;
                listen::serve((socket, room), gate, ends).await;
            });
        }
    }

    /// Starts what looks after certificates, where any are shown.
    fn keep_certificates(&mut self, challenges: Arc<Challenges>) {
        let keepers: Vec<_> = self.keepers.iter().flatten().cloned().collect();
        if keepers.is_empty() {
            return;
        }
        let (current, is_heir) = (self.current.clone(), self.inherited.is_heir());
        self.keep("certificates", watch_certificates(keepers.clone(), current.clone()));
        // It ends before the balancer does, where that hands over.
        self.loops.spawn(async move {
            // Until then no authority would find it.
            upgrade::may_accept(&current, is_heir).await;
            acme::keep(Acme { current, challenges, keepers }).await;
        });
    }

    /// Starts what Kubernetes asks, and is told, where it does and is.
    fn serve_kubernetes(&mut self, keda: Option<TcpListener>) -> Result<(), ServerError> {
        if let Some(listener) = keda {
            let ends = self.ends.handing_over.subscribe();
            let (current, is_heir) = (self.current.clone(), self.inherited.is_heir());
            self.keep(sockets::KEDA, async move {
                upgrade::may_accept(&current, is_heir).await;
                keda::serve(listener, current, ends).await;
            });
        }
        let front = self.front();
        if let Some(pods) = front.config.kubernetes.pods.clone() {
            let told = pods::counter(front.ledger.metrics.registry())?;
            self.keep("pods", pods::tell(pods, self.current.clone(), told));
        }
        Ok(())
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

    fn start_loops(&mut self) {
        self.start_jobs();
        let front = self.front();
        let current = self.current.clone();
        self.keep("expire_waiting", loops::expire_waiting(current.clone()));
        self.keep("sample", loops::sample(current.clone()));
        self.keep("close_idle", loops::close_idle(front.dispatch.connections.clone()));
        if let Some(exporter) = front.ledger.traces.exporter() {
            self.keep("traces", exporter.run(front.ledger.metrics.clone()));
        }
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

    /// Starts to tick the fleets from the place `first` on, and to look for their hosts.
    fn start_ticks(&mut self, first: usize) {
        for (nth, fleet) in self.front().dispatch.fleets.all().iter().enumerate().skip(first) {
            // Only the main one scales.
            let executor = self.executor.clone().filter(|_| nth == 0);
            self.keep("tick", loops::tick(fleet.clone(), executor, self.trainer.clone()));
            let follow = discover::follow(self.current.clone(), FleetIndex(nth));
            self.keep("discover", follow);
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
