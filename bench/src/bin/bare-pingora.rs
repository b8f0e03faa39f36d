//! `bare-pingora`: least connections and nothing else on pingora, which the balancer is built on.
//! What the balancer costs beyond this is its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use clap::Parser;
use pingora::prelude::{HttpPeer, http_proxy_service};
use pingora::proxy::{ProxyHttp, Session};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;
// Pingora's libraries are built as counted code here, and the counters have to be linked.
use weighbridge_instrument as _;

/// A proxy with nothing but least connections.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where clients connect.
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Threads that carry requests.
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Where requests go.
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<SocketAddr>,
}

/// Takes the host with the fewest requests; hosts with as many take turns.
struct LeastConnections {
    hosts: Vec<(SocketAddr, AtomicUsize)>,
    turn: AtomicUsize,
}

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let conf = ServerConf { threads: arguments.threads.max(1), ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let hosts = arguments.hosts.into_iter().map(|host| (host, AtomicUsize::new(0))).collect();
    let proxy = LeastConnections { hosts, turn: AtomicUsize::new(0) };
    let mut service = http_proxy_service(&Arc::clone(&server.configuration), proxy);
    service.add_tcp(&arguments.listen.to_string());
    server.add_service(service);
    server.run_forever()
}

impl LeastConnections {
    /// Counts a request for the host of the index that is returned.
    fn take(&self) -> usize {
        let (n, first) = (self.hosts.len(), self.turn.fetch_add(1, Ordering::Relaxed));
        let in_turn = (0..n).map(|offset| (first + offset) % n);
        let least = in_turn.min_by_key(|index| self.hosts[*index].1.load(Ordering::Relaxed));
        let index = least.unwrap_or(0);
        self.hosts[index].1.fetch_add(1, Ordering::Relaxed);
        index
    }

    fn give_back(&self, taken: Option<usize>) {
        if let Some(index) = taken {
            self.hosts[index].1.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[async_trait]
impl ProxyHttp for LeastConnections {
    /// The host that counts this request.
    type CTX = Option<usize>;

    fn new_ctx(&self) -> Self::CTX {
        None
    }

    async fn upstream_peer(
        &self,
        _: &mut Session,
        taken: &mut Self::CTX,
    ) -> pingora::Result<Box<HttpPeer>> {
        self.give_back(taken.take());
        let index = self.take();
        *taken = Some(index);
        Ok(Box::new(HttpPeer::new(self.hosts[index].0, false, String::new())))
    }

    async fn logging(&self, _: &mut Session, _: Option<&pingora::Error>, taken: &mut Self::CTX) {
        self.give_back(taken.take());
    }
}
