//! Asks DNS what stands for hosts.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError as AnswerError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, Record, RecordType};

use crate::config::{DnsConfig, Target};

/// The most names of one service that are asked for.
const NAMES_MAX: usize = 256;

/// What stands for hosts at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Each once, in order.
    pub(super) hosts: Vec<SocketAddr>,
    /// For how long it holds.
    pub(super) ttl: Duration,
}

/// Why it is not known what stands for hosts.
#[derive(Debug, thiserror::Error)]
pub(super) enum DnsError {
    /// The answer is that there is nothing.
    #[error("there is no such name, or it has no address")]
    Nothing,
    /// Nobody has answered in time.
    #[error("nobody has answered in time")]
    Timeout,
    /// A server failed, or cannot be reached.
    #[error("{0}")]
    Failed(NetError),
    /// The system's own configuration cannot be read.
    #[error("the system's configuration of DNS cannot be read: {0}")]
    Unconfigured(String),
}

/// Asks as the configuration says.
#[derive(Default)]
pub(super) struct Resolver {
    /// Made by this configuration.
    made: Option<(DnsConfig, Result<TokioResolver, String>)>,
}

impl Resolver {
    /// The same one, by `config`.
    pub(super) fn by(&mut self, config: &DnsConfig) -> &Resolver {
        if self.made.as_ref().is_none_or(|(by, made)| by != config || made.is_err()) {
            let made = make(config).map_err(|error| error.to_string());
            self.made = Some((config.clone(), made));
        }
        self
    }

    /// What `target` stands for.
    pub(super) async fn hosts(&self, target: &Target) -> Result<Answer, DnsError> {
        let mut answer = match target {
            Target::Name(name, port) => self.addresses(name, *port).await,
            Target::Service(name) => self.service(name).await,
        }?;
        answer.hosts.sort_unstable();
        answer.hosts.dedup();
        Ok(answer)
    }

    /// Every address of `name`, with `port`.
    async fn addresses(&self, name: &str, port: u16) -> Result<Answer, DnsError> {
        let (four, six) =
            join(self.records(name, RecordType::A), self.records(name, RecordType::AAAA)).await;
        let records = match (four, six) {
            (Ok(four), Ok(six)) => [four, six].concat(),
            (Ok(some), Err(DnsError::Nothing)) | (Err(DnsError::Nothing), Ok(some)) => some,
            // Half of an answer would let the other half of the hosts drain.
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        let address = |record: &Record| match &record.data {
            RData::A(a) => Some(IpAddr::V4(a.0)),
            RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
            _ => None,
        };
        let hosts = records.iter().filter_map(address);
        let hosts = hosts.map(|ip| SocketAddr::new(ip, port)).collect();
        answer(hosts, ttl(&records))
    }

    /// The names and ports of a service that have the lowest priority, and their addresses.
    async fn service(&self, name: &str) -> Result<Answer, DnsError> {
        let records = self.records(name, RecordType::SRV).await?;
        let services = records.iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(srv),
            _ => None,
        });
        let services: Vec<_> = services.collect();
        let best = services.iter().map(|srv| srv.priority).min();
        let best = services.iter().filter(|srv| Some(srv.priority) == best).take(NAMES_MAX);
        let (mut hosts, mut least) = (Vec::new(), ttl(&records));
        for srv in best {
            match self.addresses(&srv.target.to_ascii(), srv.port).await {
                Ok(found) => {
                    hosts.extend(found.hosts);
                    least = least.min(found.ttl);
                }
                // A name that has gone takes only its own hosts with it.
                Err(DnsError::Nothing) => {}
                Err(error) => return Err(error),
            }
        }
        answer(hosts, least)
    }

    async fn records(&self, name: &str, kind: RecordType) -> Result<Vec<Record>, DnsError> {
        let resolver = match &self.made {
            Some((_, Ok(resolver))) => resolver,
            Some((_, Err(why))) => return Err(DnsError::Unconfigured(why.clone())),
            None => return Err(DnsError::Unconfigured(String::new())),
        };
        let lookup = resolver.lookup(name, kind).await.map_err(DnsError::of)?;
        let records = lookup.answers().iter().filter(|record| record.record_type() == kind);
        Ok(records.cloned().collect())
    }
}

impl DnsError {
    fn of(error: NetError) -> DnsError {
        let is_nothing = |code| matches!(code, ResponseCode::NXDomain | ResponseCode::NoError);
        match error {
            NetError::Dns(AnswerError::NoRecordsFound(none)) if is_nothing(none.response_code) => {
                DnsError::Nothing
            }
            NetError::Timeout => DnsError::Timeout,
            other => DnsError::Failed(other),
        }
    }
}

fn answer(hosts: Vec<SocketAddr>, ttl: Duration) -> Result<Answer, DnsError> {
    if hosts.is_empty() { Err(DnsError::Nothing) } else { Ok(Answer { hosts, ttl }) }
}

/// For how long all of `records` hold.
fn ttl(records: &[Record]) -> Duration {
    let least = records.iter().map(|record| record.ttl).min().unwrap_or_default();
    Duration::from_secs(u64::from(least))
}

fn make(config: &DnsConfig) -> Result<TokioResolver, NetError> {
    let mut builder = if config.servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = config.servers.iter().map(|address| {
            let [mut udp, mut tcp] = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            (udp.port, tcp.port) = (address.port(), address.port());
            NameServerConfig::new(address.ip(), true, vec![udp, tcp])
        });
        let parts = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        TokioResolver::builder_with_config(parts, TokioRuntimeProvider::default())
    };
    let options: &mut ResolverOpts = builder.options_mut();
    options.timeout = config.timeout;
    options.attempts = 2;
    // Answers are kept by those who ask, and asked for when they have ended.
    options.cache_size = 0;
    options.edns0 = true;
    options.try_tcp_on_error = true;
    builder.build()
}
