//! The configuration: one TOML file, checked as a whole before anything starts.
//!
//! # Decision: one file, one source of defaults
//!
//! `deploy/files/weighbridge.toml` is compiled in ([`Config::default_text`]), and the operator's
//! file is laid over it. There is no other default, so the file that documents the keys cannot
//! disagree with the program: tests compare its keys and ranges with the code. Cost: the file is
//! read twice at a start. Look again when a key's default depends on more than `"auto"` can say.

mod access_log;
mod acme;
mod address;
mod certificates;
mod clients;
pub mod contract;
mod cross_origin;
mod discovery;
pub mod films;
mod fleet;
mod jobs;
mod kubernetes;
mod lambda;
mod listeners;
mod machines;
mod overrides;
mod own_address;
mod policy;
mod proxy;
pub mod reader;
mod route_table;
mod routes;
mod store;
mod successor;
mod traces;
mod values;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use weighbridge_core::balancer::Policy;
use weighbridge_core::features::extractors::Extractor;
use weighbridge_core::host::Discipline;
use weighbridge_core::policy::{FunctionId, RoutePolicy};
use weighbridge_core::request::RouteId;
use weighbridge_core::share::ClassId;
use weighbridge_core::units::{Speed, Work};

pub use crate::tls::hosts::HostTls;
pub use access_log::{LogField, LogFormat, LogPart};
pub use acme::{AcmeChallenge, AcmeConfig};
pub use address::{AddressError, HostAddress};
pub use clients::{ClientsConfig, Whose};
pub use contract::Contract;
pub use discovery::{Discovery, DnsConfig, HealthCheck, NamedHosts, Target, Written};
pub use films::Films;
pub use jobs::{AwsJobsConfig, CallbacksConfig, JobsConfig, JobsKind, LedgerHome, RouteJobs};
pub use kubernetes::{KubernetesConfig, PodsConfig};
pub use listeners::{CertificateFiles, ClientCertificates, Listener, TlsConfig, TlsVersion};
pub use overrides::{OverrideError, Overrides, WorkerRange};
use proxy::{is_free_name, logged_query};
use reader::{Reader, Section};
pub(crate) use route_table::name_of;
pub use route_table::{RouteTable, Shown, Taken};
pub use store::{DynamoConfig, StoreConfig, StoreHome, StoreKind};
pub use successor::Successor;
pub use traces::{Endpoint, TracesConfig};
pub use values::{duration as parse_duration, size as parse_size};

/// Everything that an operator decides, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Every place where clients connect, the first one at `listen`.
    pub listeners: Vec<Listener>,
    /// Where operators and Prometheus connect; never the same as `listen`.
    pub admin: SocketAddr,
    /// Names by which operators and Prometheus may connect there, besides addresses and
    /// `localhost`; in lower case.
    pub admin_hosts: Vec<String>,
    /// The file of the token that changes need, where they come by TCP.
    pub admin_token_file: Option<PathBuf>,
    /// The Unix socket by which changes need no token.
    pub admin_socket: Option<PathBuf>,
    /// How TLS is spoken at `admin`; `None` where it is not.
    pub admin_tls: Option<TlsConfig>,
    /// Threads that carry requests; at least 1.
    pub threads: usize,
    /// Where the hosts come from.
    pub fleet: FleetConfig,
    /// The fleets beside that one.
    pub fleets: Vec<NamedFleet>,
    /// How the hosts of each fleet are found, in the order of [`FleetIndex`] and as many.
    pub discovery: Vec<Discovery>,
    /// Who is asked what the names of hosts stand for.
    pub dns: DnsConfig,
    /// Certificates that are got by ACME.
    pub acme: AcmeConfig,
    /// Where observations and models are kept.
    pub store: StoreConfig,
    /// Bounds of what one client, and all of them together, may ask for.
    pub limits: Limits,
    /// How long anything may take, and how often things are looked at.
    pub timeouts: Timeouts,
    /// What hosts are told of clients.
    pub forwarding: Forwarding,
    /// Who clients are.
    pub clients: ClientsConfig,
    /// The routes with hosts, in the order of `policy.routes` and as many.
    pub routes: Vec<Route>,
    /// The routes that are answered by the balancer itself.
    pub fixed: Vec<Fixed>,
    /// Which route takes a request.
    pub route_table: RouteTable,
    /// Routes of an earlier configuration of the same process, which take nothing any more.
    pub retired: BTreeSet<RouteId>,
    /// The least that the program's own log tells; the environment's `RUST_LOG` goes before it.
    pub log_level: LogLevel,
    /// How functions on Lambda are invoked; which, and what they may cost, is in the policy.
    pub lambda: LambdaConfig,
    /// Jobs: what is accepted now and answered later.
    pub jobs: JobsConfig,
    /// The cache of exact repeats.
    pub repeats: RepeatConfig,
    /// The access log.
    pub access_log: AccessLog,
    /// Traces.
    pub traces: TracesConfig,
    /// Who says how busy the CPUs of the hosts are.
    pub cpu_source: CpuSource,
    /// Kubernetes.
    pub kubernetes: KubernetesConfig,
    /// What steers the balancer.
    pub policy: Policy,
}

/// What the program's own log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// What failed and needs somebody.
    Error,
    /// Also what may be wrong.
    Warn,
    /// Also what happened: starts, ends, hosts that come and go.
    #[default]
    Info,
    /// Also what is of use to find a fault.
    Debug,
    /// Everything.
    Trace,
}

/// Where the hosts come from.
#[derive(Debug, Clone)]
pub enum FleetConfig {
    /// A list of addresses, never scaled; at least one.
    Static(Vec<StaticHost>),
    /// Worker processes on this machine.
    Local(LocalFleet),
    /// EC2 instances that the balancer launches and terminates itself.
    Ec2(Box<Ec2Fleet>),
    /// The instances of an existing Auto Scaling group.
    Asg(AsgFleet),
}

/// How a fleet gets its hosts. What the balancer does with a fleet depends on this alone, so that
/// another kind of rented machines is no news to it.
#[derive(Debug, Clone, Copy)]
pub enum FleetSource<'a> {
    /// The hosts are listed, and never scaled.
    Listed(&'a [StaticHost]),
    /// They are processes of this machine that live and die with the balancer.
    Processes(&'a LocalFleet),
    /// They are rented machines. Other balancers may scale the same ones.
    Rented(&'a MachineConfig),
}

/// What all rented machines have in common, whether the balancer or a group launches them.
#[derive(Debug, Clone)]
pub struct MachineConfig {
    /// Where a worker listens, unless its machine's tag says otherwise.
    pub port: u16,
    /// Cores that run requests, until it says how many run slots it has; at least 1.
    pub cores: u32,
    /// How it orders its requests; `None` where its load report says.
    pub discipline: Option<Discipline>,
    /// Price of a second of one core, relative to the reference core's.
    pub price: f64,
    /// Between two looks at which machines there are.
    pub poll: Duration,
    /// The longest that one call of AWS may take, each try for itself.
    pub timeout: Duration,
}

/// EC2 instances that the balancer launches and terminates itself.
#[derive(Debug, Clone)]
pub struct Ec2Fleet {
    /// What is true of each.
    pub machine: MachineConfig,
    /// Tells this fleet's instances from others: their `Name`, and their tag `weighbridge:fleet`.
    pub name: String,
    /// Name or id (`lt-…`) of a launch template.
    pub launch_template: Option<String>,
    /// Its version.
    pub launch_template_version: String,
    /// The image, in place of the template's; needed where there is none.
    pub image: Option<String>,
    /// The instance types, in place of the template's; at least one where there is none. The next
    /// one is tried where no subnet has capacity for the last.
    pub instance_types: Vec<String>,
    /// The key pair for SSH, in place of the template's.
    pub key_name: Option<String>,
    /// Ids of security groups, in place of the template's.
    pub security_groups: Vec<String>,
    /// Name of the instance profile whose role the instances have, in place of the template's.
    pub instance_profile: Option<String>,
    /// What an instance runs when it first boots, in place of the template's.
    pub user_data: Option<String>,
    /// Where instances are launched: the next one where the last has no capacity. Empty: where the
    /// template or the account says.
    pub subnets: Vec<String>,
    /// Whether spot instances are asked for.
    pub spot: bool,
    /// Drained instances that are kept stopped, to be started first.
    pub warm: usize,
}

/// The instances of an existing Auto Scaling group.
#[derive(Debug, Clone)]
pub struct AsgFleet {
    /// What is true of each.
    pub machine: MachineConfig,
    /// The group's name.
    pub group: String,
}

/// One host of a static fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct StaticHost {
    /// Where it listens.
    pub address: HostAddress,
    /// Cores that run requests, until it says how many run slots it has; at least 1.
    pub cores: u32,
    /// Speed of one core, until it has been learned.
    pub speed: Speed,
    /// How it orders its requests; `None` where its load report says.
    pub discipline: Option<Discipline>,
    /// What it speaks.
    pub protocol: Protocol,
    /// How it speaks TLS, if it does.
    pub tls: Option<HostTls>,
    /// Whether it is told whom a connection is from ahead of all else.
    pub proxy_protocol: Option<ProxyVersion>,
}

/// What is true of hosts, wherever they are.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTemplate {
    /// Cores that run requests, until a host says how many run slots it has; at least 1.
    pub cores: u32,
    /// Speed of one core, until it has been learned.
    pub speed: Speed,
    /// How it orders its requests; `None` where its load report says.
    pub discipline: Option<Discipline>,
    /// What it speaks.
    pub protocol: Protocol,
    /// How it speaks TLS, if it does.
    pub tls: Option<HostTls>,
    /// Whether it is told whom a connection is from ahead of all else.
    pub proxy_protocol: Option<ProxyVersion>,
}

/// A fleet beside the one in `[fleet]`: hosts at fixed addresses.
#[derive(Debug, Clone)]
pub struct NamedFleet {
    /// Unique name.
    pub name: String,
    /// Those that are listed by address.
    pub hosts: Vec<StaticHost>,
}

/// What a host speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2 without TLS, by prior knowledge (RFC 9113, section 3.3).
    H2c,
}

/// A version of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

/// How the worker processes of a local fleet are started.
#[derive(Debug, Clone)]
pub struct LocalFleet {
    /// Requests that one worker runs at once; at least 1.
    pub cores_per_worker: u32,
    /// How the workers order their requests.
    pub discipline: Discipline,
    /// The command that starts the server that they run; `None` for operations of their own.
    pub run: Option<String>,
    /// Further arguments of every worker: its limits.
    pub arguments: Vec<String>,
}

/// Who says how busy the CPUs of the hosts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuSource {
    /// The workers, in their load reports.
    Reports,
    /// CloudWatch; the workers while it says nothing.
    CloudWatch {
        /// Between two looks at it.
        interval: Duration,
    },
}

/// Bounds of what one client, and all of them together, may ask for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The largest body of a request.
    pub body_bytes: u64,
    /// The most bytes of bodies and responses held in memory, over all requests; at least
    /// `body_bytes`.
    pub buffer_bytes_total: u64,
    /// The fraction of `buffer_bytes_total` that one client may have, told by its address.
    pub buffer_fraction_client: f64,
    /// The fraction of `buffer_bytes_total` that one connection may have.
    pub buffer_fraction_connection: f64,
    /// The most bytes of one response held back, so that a host that fails in the middle can be
    /// hidden.
    pub response_buffer_bytes: u64,
    /// The largest head of a request.
    pub header_bytes: usize,
    /// The most connections of clients at once.
    pub connections_max: usize,
    /// The most requests at once, over all connections.
    pub requests_max: usize,
    /// What one client may have and do.
    pub client: ClientLimits,
    /// The least rate of bodies and answers, in bytes per second; at least 1.
    pub rate_min: u64,
}

/// What one client may have at once, and how often it may ask.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClientLimits {
    /// Its connections at once; `None`: as many as there may be.
    pub connections_max: Option<usize>,
    /// Its requests at once; `None`: as many as there may be.
    pub requests_max: Option<usize>,
    /// Its requests in a second, in the long run; above 0. `None`: any number.
    pub rate: Option<f64>,
    /// Requests that it may make at once before `rate` counts; at least 1.
    pub burst: u32,
    /// Networks of IPv6 with so many bits in common are one client; at most 128.
    pub ipv6_prefix: u8,
}

/// How long anything may take, and how often things are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect to a host.
    pub connect: Duration,
    /// From the request sent to a host until its response begins.
    pub response: Duration,
    /// From the first byte of a request to the end of its head.
    pub head_read: Duration,
    /// From the first moment of a connection to the end of its TLS handshake.
    pub handshake: Duration,
    /// Between two looks at the files of certificates.
    pub certificate_interval: Duration,
    /// A client's body without anything coming.
    pub body_read: Duration,
    /// All of a client's body.
    pub body_total: Duration,
    /// An answer of which the client takes nothing.
    pub answer_write: Duration,
    /// For requests in flight, when the balancer stops.
    pub drain: Duration,
    /// From saying that it is not ready to closing its sockets, when the balancer stops.
    pub lame_duck: Duration,
    /// For the new process of an upgrade to take requests.
    pub upgrade: Duration,
    /// A connection without a request is closed after this.
    pub idle: Duration,
    /// Between two looks at an idle host's load report.
    pub report_interval: Duration,
    /// Between two ticks of the balancer, each of which may plan the fleet's size.
    pub tick_interval: Duration,
}

/// What the proxy has to know of a route; the rest is in the policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Unique name, as in metrics: `blur`.
    pub name: String,
    /// The path that it takes, or the beginning of those that it takes.
    pub path: String,
    /// What happens to bodies.
    pub body: BodyMode,
    /// What happens to answers.
    pub answer: AnswerMode,
    /// Whether pages of any origin may use it: preflights are answered here, and answers say so.
    pub cors: bool,
    /// `Timing-Allow-Origin` of its answers; `None`: the hosts say it.
    pub timing_allow_origin: Option<HeaderValue>,
    /// `Access-Control-Expose-Headers` of its answers; `None`: the hosts say it.
    pub expose_headers: Option<HeaderValue>,
    /// From a request sent to a host until its answer begins.
    pub response: Duration,
    /// The largest body of a request.
    pub body_bytes: u64,
    /// The function that bursts spill over to, as Lambda has it; empty where there is none.
    pub function: String,
    /// Whose hosts answer.
    pub fleet: FleetIndex,
    /// Which requests become jobs; none where there are no jobs.
    pub jobs: RouteJobs,
    /// How its jobs look to clients, queues and buckets; `None`: as all jobs do.
    pub contract: Option<Arc<Contract>>,
    /// The pages of films, where it has them.
    pub films: Option<Arc<Films>>,
    /// A request of more predicted work than this becomes a job.
    pub async_above: Option<Work>,
    /// Whose requests are taken; anybody's where it is empty.
    pub allow: Vec<IpNet>,
    /// How its clients are told from each other.
    pub client: Whose,
    /// Their class, unless they are listed in another one.
    pub class: ClassId,
}

/// One of the fleets: 0 is the one in `[fleet]`, the others are in the order of
/// [`Config::fleets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FleetIndex(pub usize);

/// A route that is answered by the balancer itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// The status of every answer; from 400 on with a problem as body.
    pub status: http::StatusCode,
    /// The body of every answer with a status below 400; none where it is empty.
    pub text: String,
    /// See [`Route::cors`].
    pub cors: bool,
}

/// What happens to the answers of a route's hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerMode {
    /// As the host sends it: held where it says its length, passed on as it comes where it does
    /// not.
    Auto,
    /// Held back until it is whole, up to `limits.response_buffer_bytes`; the failure of a host in
    /// the middle of it is hidden. Only a stream of events is passed on as it comes.
    Hold,
    /// Passed on as it comes.
    Stream,
}

/// What happens to the bodies of a route's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyMode {
    /// Read whole before the host is chosen. It can be sent again to another host.
    Buffer,
    /// Passed on as it arrives. The client sees a failure of the host after the first byte.
    Stream,
}

/// What hosts are told of clients, and which proxies are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarding {
    /// By which headers.
    pub told: Told,
    /// Proxies in front of the balancer that say who their clients are.
    pub trusted: Vec<IpNet>,
    /// The header by which hosts are told the subject of the client's certificate.
    pub client_subject: Option<HeaderName>,
}

/// By which headers hosts are told of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Proto`.
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// All of them.
    Both,
    /// None: what clients send of them is passed on as it is.
    Nothing,
}

/// How functions on Lambda are invoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LambdaConfig {
    /// From an invocation until its result.
    pub timeout: Duration,
}

/// The cache of exact repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepeatConfig {
    /// The most requests remembered; 0 switches the cache off.
    pub entries_max: u64,
    /// How long one is remembered.
    pub ttl: Duration,
}

/// The access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// Where it goes.
    pub to: AccessLogTarget,
    /// The form of its lines.
    pub format: LogFormat,
    /// What is written of queries.
    pub query: LoggedQuery,
    /// The most lines that wait to be written; further ones are dropped.
    pub queue_max: usize,
}

/// What the access log says of a query. A query may carry secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedQuery {
    /// All of it.
    Whole,
    /// The names of its parameters.
    Names,
    /// Nothing.
    Nothing,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLogTarget {
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The end of a file.
    File(PathBuf),
}

/// One mistake in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{}{mistake}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct ConfigError {
    /// Its line, from 1; `None` where it stands in no file: it is an option of the command line.
    pub line: Option<usize>,
    /// What is wrong there.
    pub mistake: Mistake,
}

/// What is wrong with a line of a configuration file. The operator has to change it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Mistake {
    /// It is not TOML.
    #[error("not TOML: {0}")]
    Syntax(String),
    /// Nothing reads this key.
    #[error("`{key}` is not a key{hint}")]
    UnknownKey {
        /// The key with the names of its tables.
        key: String,
        /// The nearest key that there is, as a half sentence; empty where none is near.
        hint: String,
    },
    /// A value of the wrong type, unreadable or out of range.
    #[error("{key} is `{value}`: expected {expected}")]
    Value {
        /// The key with the names of its tables.
        key: String,
        /// As written.
        value: String,
        /// What belongs there.
        expected: String,
    },
    /// A key that has no default.
    #[error("{key} is missing: expected {expected}")]
    Missing {
        /// The key with the names of its tables.
        key: String,
        /// What belongs there.
        expected: String,
    },
    /// Two values that do not go together.
    #[error("{0}")]
    Conflict(String),
}

impl LogLevel {
    /// Every level with its name.
    pub const ALL: [(&'static str, LogLevel); 5] = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        LogLevel::ALL.iter().find(|(_, level)| *level == self).map_or("info", |(name, _)| name)
    }
}

impl Default for HostTemplate {
    fn default() -> HostTemplate {
        let (discipline, protocol) = (None, Protocol::default());
        let (tls, proxy_protocol) = (None, None);
        HostTemplate { cores: 1, speed: Speed::ONE, discipline, protocol, tls, proxy_protocol }
    }
}

impl NamedFleet {
    /// The same fleet when it is configured no longer.
    fn without_hosts(&self) -> NamedFleet {
        NamedFleet { name: self.name.clone(), hosts: Vec::new() }
    }
}

impl FleetConfig {
    /// How it gets its hosts.
    pub fn source(&self) -> FleetSource<'_> {
        match self {
            FleetConfig::Static(hosts) => FleetSource::Listed(hosts),
            FleetConfig::Local(local) => FleetSource::Processes(local),
            FleetConfig::Ec2(ec2) => FleetSource::Rented(&ec2.machine),
            FleetConfig::Asg(asg) => FleetSource::Rented(&asg.machine),
        }
    }

    /// Its name in `fleet.kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            FleetConfig::Static(_) => "static",
            FleetConfig::Local(_) => "local",
            FleetConfig::Ec2(_) => "ec2",
            FleetConfig::Asg(_) => "asg",
        }
    }
}

impl Config {
    /// Reads and checks the whole of `text`; tells of every mistake, in the order of lines.
    ///
    /// `"auto"` values are resolved for the machine that this runs on. `extractors` read what the
    /// routes' features name; those of the default file need the core's and the scene's.
    pub fn parse(
        text: &str,
        extractors: &[&'static dyn Extractor],
    ) -> Result<Config, Vec<ConfigError>> {
        let reader = Reader::new(text, Config::default_text());
        let config = Config::read(reader.root(), extractors);
        let errors = reader.into_errors();
        if errors.is_empty() { Ok(config) } else { Err(errors) }
    }

    /// Reads and checks `root`, which may be a table of a larger document: the simulator's
    /// scenarios have one. It needs the default file as its last layer. Where its reader has found
    /// a mistake, the result means nothing.
    pub fn read(root: Section<'_>, extractors: &[&'static dyn Extractor]) -> Config {
        proxy::read(root, extractors)
    }

    /// What is allowed and may not be meant, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.notes_of_certificates(SystemTime::now());
        let FleetSource::Listed(hosts) = self.fleet.source() else { return notes };
        let per_core = self.policy.hosts.in_flight_max_per_core;
        let alone = hosts.iter().filter(|host| host.cores == 1);
        let note = |host: &StaticHost| {
            format!(
                "fleet.static.hosts: `{}` has cores = 1, and gets {per_core} requests at once \
                 (hosts.in_flight_max_per_core), until it reports how many it can run",
                host.address
            )
        };
        notes.extend(alone.map(note));
        let others = self.fleets.iter().flat_map(|fleet| &fleet.hosts);
        let open = hosts.iter().chain(others);
        let open = open.filter(|host| host.tls.as_ref().is_some_and(|tls| !tls.is_verified()));
        notes.extend(open.map(|host| {
            format!(
                "`{}` has tls_verify = false: whoever answers there is taken for the host, and \
                 gets what clients send",
                host.address
            )
        }));
        notes
    }

    /// The default file, with a comment on every key: `weighbridge config` prints it.
    pub fn default_text() -> &'static str {
        include_str!("../../../deploy/files/weighbridge.toml")
    }

    /// The name of each fleet, in the order of [`FleetIndex`].
    pub fn fleet_names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(fleet::MAIN).chain(self.fleets.iter().map(|fleet| fleet.name.as_str()))
    }

    /// What the client of a request that no route takes is told of other origins: as routes are.
    pub fn any_cors(&self) -> bool {
        let of_hosts = self.route_ids().any(|route| self.route(route).cors);
        of_hosts || self.fixed.iter().any(|fixed| fixed.cors)
    }

    /// The longest that any route waits for an answer to begin.
    pub fn response_max(&self) -> Duration {
        let routes = self.route_ids().map(|route| self.route(route));
        routes.map(|route| route.response).max().unwrap_or_default()
    }

    /// The largest body that is held.
    pub fn held_body_bytes_max(&self) -> u64 {
        let routes = self.route_ids().map(|route| self.route(route));
        let held = routes.filter(|route| route.body == BodyMode::Buffer);
        held.map(|route| route.body_bytes).max().unwrap_or_default()
    }

    /// What the proxy knows of `route`, which must be one of these routes.
    pub fn route(&self, route: RouteId) -> &Route {
        &self.routes[usize::from(route.0)]
    }

    /// What the core knows of `route`, which must be one of these routes.
    pub fn policy_of(&self, route: RouteId) -> &RoutePolicy {
        &self.policy.routes[usize::from(route.0)]
    }

    /// Every route that takes requests.
    pub fn route_ids(&self) -> impl Iterator<Item = RouteId> + '_ {
        let all = (0..u16::try_from(self.routes.len()).unwrap_or(u16::MAX)).map(RouteId);
        all.filter(|route| !self.retired.contains(route))
    }

    /// The name of `function`, as Lambda has it; empty where the policy has no such function.
    pub fn function_name(&self, function: FunctionId) -> &str {
        let lambda = self.policy.lambda.as_ref();
        let known = lambda.and_then(|lambda| lambda.functions.get(usize::from(function.0)));
        known.map_or("", |known| known.name.as_str())
    }
}
