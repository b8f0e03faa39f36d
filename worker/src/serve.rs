//! The life of a worker: bind, serve, drain.

mod connect;
mod spot;
mod stop;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use weighbridge_instrument::{build_id, counting, off_reason};
use weighbridge_schedule::{AgeGuard, Bounds, ORDERS, UnknownOrder, order};

use crate::defaults;
use crate::estimates::Estimates;
use crate::front::{Drain, Front, Service};
use crate::load::{self, Load};
use crate::metrics::Metrics;
use crate::operate::Operations;
#[cfg(feature = "models")]
use crate::operations::models::{self, ModelsConfig};
use crate::operations::{Kept, Limits};
use crate::processes::{Processes, RunConfig, RunMistakes, Usage};
use crate::queue::{Host, QueueConfig, RunQueue};
use crate::receive::{BodyBounds, Budget};
use connect::Connections;

/// What a worker is told.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Where to listen; port 0 for any free port.
    pub listen: SocketAddr,
    /// Requests that run at once; at least 1.
    pub cores: usize,
    /// What a request may ask for.
    pub limits: Limits,
    /// The most requests that wait for a slot; further ones get a 503.
    pub queue_max: usize,
    /// The order in which they get one: one of [`disciplines`].
    pub discipline: String,
    /// The most requests that are started and have not ended; never less than `cores`. Each holds
    /// memory and a thread, even while it is parked for a shorter one.
    pub started_max: usize,
    /// How long `srpt` lets a request wait, as a multiple of the request's cost; not negative.
    pub age_factor: f64,
    /// Added to that time. A request that has waited longer runs before all that have not.
    pub age_floor: Duration,
    /// What connections may take.
    pub front: FrontLimits,
    /// Whether to end when standard input ends. A parent holds the other end of that pipe, so that
    /// the worker does not outlive it.
    pub exit_with_stdin: bool,
    /// Somebody's own server, which is run instead of the operations.
    pub run: Option<RunConfig>,
    /// Where its machine says that it is taken back; `None` for a machine that is not.
    pub spot_notices: Option<SpotNotices>,
    /// The models of the operations that need some.
    #[cfg(feature = "models")]
    pub models: Option<ModelsConfig>,
}

/// Where a spot instance says that it is taken back, and how often to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpotNotices {
    /// Of the instance metadata service.
    pub address: SocketAddr,
    /// Between two looks.
    pub interval: Duration,
}

/// What connections may take.
#[derive(Debug, Clone)]
pub struct FrontLimits {
    /// The most connections; further ones wait to be accepted.
    pub connections: usize,
    /// The most bytes of a request's head.
    pub header_bytes: usize,
    /// From a connection's start, or its last response, to the end of a request's head.
    pub header_read: Duration,
    /// From the head to the end of the body.
    pub body_read: Duration,
    /// The most bytes that the bodies of all requests have together.
    pub bodies_bytes: u64,
    /// How long a response may take to be sent once the worker has drained.
    pub last_response: Duration,
}

/// A worker that listens.
#[derive(Debug)]
pub struct Worker {
    listener: TcpListener,
    address: SocketAddr,
    front: Arc<Front>,
    connections: Connections,
    last_response: Duration,
    spot_notices: Option<SpotNotices>,
}

/// Why a worker cannot start, or did not end by a drain.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The configuration's fault.
    #[error("a worker needs at least one core")]
    NoCores,
    /// The configuration's fault.
    #[error(transparent)]
    UnknownDiscipline(#[from] UnknownOrder),
    /// The configuration's fault.
    #[error("the age factor is `{0}`: expected a number that is not negative")]
    AgeFactor(f64),
    /// The configuration's fault.
    #[error(transparent)]
    Run(#[from] RunMistakes),
    /// The address is taken, or is not ours.
    #[error("cannot listen on `{0}`")]
    Listen(SocketAddr, #[source] io::Error),
    /// The system refuses a thread.
    #[error("cannot start the threads of `{0}` slots")]
    Threads(usize, #[source] io::Error),
    /// The system refuses signals.
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
    /// A mistake of ours.
    #[error("cannot register the metrics")]
    Metrics(#[from] prometheus::Error),
    /// The process that started this one is gone.
    #[error("standard input has ended, so the parent is gone")]
    ParentGone,
    /// A second signal came before the drain's end.
    #[error("told to stop again while requests were still in flight")]
    Impatient,
}

/// The orders that a worker's requests may run in, each with what it does in a few words.
pub fn disciplines() -> impl Iterator<Item = (&'static str, &'static str)> {
    ORDERS.iter().map(|order| (order.name(), order.about()))
}

/// Runs a worker until it has drained after a SIGTERM or SIGINT. Prints one line on standard output
/// once it listens: `listening on 127.0.0.1:43211`.
pub async fn serve(config: WorkerConfig) -> Result<(), WorkerError> {
    let mut signals = stop::Signals::new().map_err(WorkerError::Signals)?;
    let exit_with_stdin = config.exit_with_stdin;
    let worker = Worker::bind(config).await?;
    announce(worker.address);

    let (told, stop) = tokio::sync::oneshot::channel();
    let run = worker.run(async move {
        // Fails only without a sender, and then there is nothing to wait for.
        let _ = stop.await;
    });
    let impatient = async move {
        signals.next().await;
        tracing::info!("told to stop: drains");
        // Fails only where the worker has ended already.
        let _ = told.send(());
        signals.next().await;
    };
    tokio::select! {
        () = run => Ok(()),
        () = impatient => Err(WorkerError::Impatient),
        () = stop::stdin_end(), if exit_with_stdin => Err(WorkerError::ParentGone),
    }
}

// === impl WorkerConfig ===

impl WorkerConfig {
    /// A worker at `listen`, and otherwise as the [`defaults`] have it.
    pub fn new(listen: SocketAddr) -> WorkerConfig {
        WorkerConfig {
            listen,
            cores: defaults::cores(),
            limits: defaults::LIMITS,
            queue_max: defaults::QUEUE_MAX,
            discipline: defaults::DISCIPLINE.to_owned(),
            started_max: defaults::STARTED_MAX,
            age_factor: defaults::AGE.factor,
            age_floor: defaults::AGE.floor,
            front: defaults::FRONT,
            exit_with_stdin: false,
            run: None,
            spot_notices: None,
            #[cfg(feature = "models")]
            models: None,
        }
    }
}

impl WorkerConfig {
    /// The queue that it asks for.
    fn check(&self) -> Result<QueueConfig, WorkerError> {
        if self.cores == 0 {
            return Err(WorkerError::NoCores);
        }
        if !self.age_factor.is_finite() || self.age_factor < 0.0 {
            return Err(WorkerError::AgeFactor(self.age_factor));
        }
        let bounds = Bounds {
            started_max: self.started_max.max(self.cores),
            started_bytes_max: load::memory_bytes()
                .map_or(defaults::STARTED_BYTES_MAX, |bytes| bytes / defaults::STARTED_PART),
            age: AgeGuard { factor: self.age_factor, floor: self.age_floor },
            ..Bounds::new(self.cores)
        };
        let order = order(&self.discipline)?;
        Ok(QueueConfig { order, bounds, waiting_max: self.queue_max, host: self.host() })
    }

    /// What the life of a thread that runs requests runs in.
    fn host(&self) -> Host {
        #[cfg(feature = "models")]
        if self.models.is_some() {
            return models::threads::host;
        }
        |life| life()
    }

    /// Reads what the operations keep from request to request.
    fn keep(&self) -> Kept {
        Kept {
            #[cfg(feature = "models")]
            models: self.models.as_ref().map(|config| Arc::new(models::Models::read(config))),
        }
    }
}

// === impl Worker ===

impl Worker {
    /// Listens; connections are accepted once it runs.
    pub async fn bind(config: WorkerConfig) -> Result<Worker, WorkerError> {
        let queue = config.check()?;
        if config.run.is_none() {
            prepare();
        }
        let listen_error = |error| WorkerError::Listen(config.listen, error);
        let listener = TcpListener::bind(config.listen).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let estimates = Arc::new(Estimates::default());
        let metrics = Metrics::new(config.cores, queue.order.name())?;
        let service = match config.run {
            Some(run) => Service::Processes(Processes::start(
                run,
                queue,
                Arc::clone(&estimates),
                metrics.process_starts(),
            )?),
            None => Service::Operations(Operations {
                limits: config.limits,
                kept: config.keep(),
                queue: RunQueue::start(queue, Arc::clone(&estimates))
                    .map_err(|error| WorkerError::Threads(config.cores, error))?,
            }),
        };
        let front = Front {
            bodies: BodyBounds {
                body_bytes: config.limits.body_bytes as u64,
                body_read: config.front.body_read,
                budget: Budget::new(config.front.bodies_bytes),
            },
            header_bytes: config.front.header_bytes,
            service,
            estimates,
            load: Load::new(config.cores),
            metrics,
            drain: Drain::new(),
        };
        let (connections, last_response) =
            (Connections::new(&config.front), config.front.last_response);
        let spot_notices = config.spot_notices;
        let front = Arc::new(front);
        Ok(Worker { listener, address, front, connections, last_response, spot_notices })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then drains: new work is refused, on connections old and new, until all
    /// that was taken is answered. A notice that its machine is taken back lets it refuse new work
    /// too, and go on: the machine ends it.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Worker { listener, front, connections, last_response, spot_notices, .. } = self;
        let drained = async {
            stop.await;
            front.drain.begin();
            front.drain.drained().await;
        };
        tokio::select! {
            () = drained => {}
            () = connections.accept(&listener, &front) => {}
            () = tick(&front) => {}
            () = spot::drain_on_notice(spot_notices, &front.drain) => {}
        }
        drop(listener);
        if !connections.finish(last_response).await {
            tracing::warn!(
                ?last_response,
                "drained; cuts connections that do not take their answer"
            );
        }
        if let Service::Processes(processes) = &front.service {
            processes.stop().await;
        }
        tracing::info!("drained");
    }
}

fn prepare() {
    weighbridge_instrument::prepare();
    match off_reason() {
        None => tracing::info!(counting = ?counting(), build = build_id(), "counts requests"),
        Some(reason) => tracing::warn!(reason, "measures CPU time and bytes, but counts nothing"),
    }
}

fn announce(address: SocketAddr) {
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "listening on {address}").and_then(|()| stdout.flush());
    if let Err(error) = written {
        tracing::warn!(%error, "cannot write to standard output");
    }
    tracing::info!(%address, "listens");
}

async fn tick(front: &Front) {
    let mut ticks = tokio::time::interval(load::TICK);
    loop {
        ticks.tick().await;
        front.load.tick(match &front.service {
            Service::Operations(_) => Usage::default(),
            Service::Processes(processes) => processes.usage(),
        });
    }
}
