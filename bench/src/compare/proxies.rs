//! The proxies that are compared: where their programs are, how they are configured and started.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use super::template;
use crate::edge::certificate;

/// A proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Proxy {
    /// nginx with `least_conn`.
    Nginx,
    /// `HAProxy` with `leastconn`.
    #[value(name = "haproxy")]
    HaProxy,
    /// Envoy with `LEAST_REQUEST`.
    Envoy,
    /// Caddy with `least_conn`.
    Caddy,
    /// Nothing but least connections on pingora.
    Pingora,
    /// The same with the allocator that Weighbridge has.
    PingoraMimalloc,
    /// Ours.
    Weighbridge,
}

/// What Weighbridge is configured for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Workers, with the default routes.
    Scheduling,
    /// An ordinary service, of which nothing is said.
    Services,
    /// A tiny static server.
    Overhead,
    /// The same, with TLS for clients.
    Tls,
}

/// What a proxy is told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProxySetting<'a> {
    pub(crate) purpose: Purpose,
    pub(crate) listen: SocketAddr,
    pub(crate) hosts: &'a [SocketAddr],
    /// Cores of each host.
    pub(crate) cores: usize,
    /// Threads that carry requests.
    pub(crate) threads: usize,
    /// For all that the proxy writes.
    pub(crate) folder: &'a Path,
}

// === impl Proxy ===

impl Proxy {
    /// Every proxy.
    pub const ALL: [Proxy; 7] = [
        Proxy::Nginx,
        Proxy::HaProxy,
        Proxy::Envoy,
        Proxy::Caddy,
        Proxy::Pingora,
        Proxy::PingoraMimalloc,
        Proxy::Weighbridge,
    ];

    /// As it is called in results.
    pub fn name(self) -> &'static str {
        match self {
            Proxy::Nginx => "nginx",
            Proxy::HaProxy => "haproxy",
            Proxy::Envoy => "envoy",
            Proxy::Caddy => "caddy",
            Proxy::Pingora => "pingora",
            Proxy::PingoraMimalloc => "pingora-mimalloc",
            Proxy::Weighbridge => "weighbridge",
        }
    }

    /// The command that installs it.
    pub fn install(self) -> &'static str {
        match self {
            Proxy::Nginx => "bench/peers/install.sh nginx",
            Proxy::HaProxy => "bench/peers/install.sh haproxy",
            Proxy::Envoy => "bench/peers/install.sh envoy",
            Proxy::Caddy => "bench/peers/install.sh caddy",
            Proxy::Pingora | Proxy::PingoraMimalloc => "cargo build --release -p weighbridge-bench",
            Proxy::Weighbridge => "cargo build --release -p weighbridge",
        }
    }

    /// Its program, where it is installed: ours beside this one, Envoy in `target/peers`, the
    /// others where programs are.
    pub(crate) fn program(self) -> Option<PathBuf> {
        let found = match self {
            Proxy::Nginx => on_path("nginx"),
            Proxy::HaProxy => on_path("haproxy"),
            Proxy::Envoy => in_peers("envoy").or_else(|| on_path("envoy")),
            Proxy::Caddy => on_path("caddy"),
            Proxy::Pingora => beside("bare-pingora"),
            Proxy::PingoraMimalloc => beside("bare-pingora-mimalloc"),
            Proxy::Weighbridge => beside("weighbridge"),
        };
        found.filter(|program| program.is_file())
    }

    /// The command that runs `program` at `place`; writes the configuration there first.
    pub(crate) fn command(
        self,
        program: &Path,
        place: ProxySetting<'_>,
    ) -> std::io::Result<Command> {
        let mut command = Command::new(program);
        match self {
            Proxy::Nginx => {
                command.arg("-c").arg(self.write(place)?).arg("-p").arg(place.folder);
            }
            Proxy::HaProxy => {
                command.arg("-db").arg("-f").arg(self.write(place)?);
            }
            Proxy::Envoy => {
                let threads = place.threads.to_string();
                command.args(["--concurrency", &threads, "--use-dynamic-base-id", "-l", "error"]);
                command.arg("-c").arg(self.write(place)?);
            }
            Proxy::Caddy => {
                command.args(["run", "--adapter", "caddyfile", "--config"]);
                command.arg(self.write(place)?).env("GOMAXPROCS", place.threads.to_string());
                command.env("XDG_DATA_HOME", place.folder).env("XDG_CONFIG_HOME", place.folder);
            }
            Proxy::Pingora | Proxy::PingoraMimalloc => {
                command.args(["--threads", &place.threads.to_string()]);
                command.args(["--listen", &place.listen.to_string()]);
                command.args(place.hosts.iter().map(SocketAddr::to_string));
            }
            Proxy::Weighbridge => {
                command.args(["serve", "-c"]).arg(self.write(place)?).env("RUST_LOG", "error");
            }
        }
        Ok(command)
    }

    /// Writes the configuration file.
    fn write(self, place: ProxySetting<'_>) -> std::io::Result<PathBuf> {
        let template = match (self, place.purpose) {
            (Proxy::Nginx, Purpose::Tls) => include_str!("../../peers/nginx-tls.conf"),
            (Proxy::HaProxy, Purpose::Tls) => include_str!("../../peers/haproxy-tls.cfg"),
            (Proxy::Weighbridge, Purpose::Tls) => include_str!("../../peers/weighbridge-tls.toml"),
            (Proxy::Nginx, _) => include_str!("../../peers/nginx.conf"),
            (Proxy::HaProxy, _) => include_str!("../../peers/haproxy.cfg"),
            (Proxy::Envoy, _) => include_str!("../../peers/envoy.yaml"),
            (Proxy::Caddy, _) => include_str!("../../peers/Caddyfile"),
            (Proxy::Weighbridge, Purpose::Scheduling) => {
                include_str!("../../peers/weighbridge-scheduling.toml")
            }
            (Proxy::Weighbridge, Purpose::Services) => {
                include_str!("../../peers/weighbridge-services.toml")
            }
            (Proxy::Weighbridge, Purpose::Overhead) => {
                include_str!("../../peers/weighbridge-overhead.toml")
            }
            // They have arguments only.
            (Proxy::Pingora | Proxy::PingoraMimalloc, _) => "",
        };
        if place.purpose == Purpose::Tls {
            certificate::write(&place.folder.join("tls.pem"))?;
        }
        let extension = if self == Proxy::Envoy { "yaml" } else { "conf" };
        let file = place.folder.join(format!("proxy.{extension}"));
        std::fs::write(&file, template::fill(template, &place))?;
        Ok(file)
    }
}

/// A program of ours.
pub(crate) fn beside(name: &str) -> Option<PathBuf> {
    std::env::current_exe().ok().map(|own| own.with_file_name(name))
}

/// A program that `bench/peers/install.sh` has put into `target/peers`.
pub(crate) fn in_peers(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let target = own.ancestors().nth(2)?;
    Some(target.join("peers/bin").join(name)).filter(|program| program.is_file())
}

/// A program that is installed.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian's servers are where a user's PATH does not lead.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}
