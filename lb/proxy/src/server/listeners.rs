//! The places where clients and operators connect.

use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::ServerError;
use super::sockets::{self, Inherited};
use super::upgrade::Handed;
use crate::acme::challenges::Challenges;
use crate::admin::door::{Door, Socket};
use crate::config::{Config, Listener, TlsConfig};
use crate::metrics::Metrics;
use crate::tls::keeper::Keeper;

/// Where clients connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listens {
    /// The address, with the port that it has come to.
    pub address: SocketAddr,
    /// Whether TLS is spoken there.
    pub has_tls: bool,
}

/// Everything that is listened at.
pub(super) struct Open {
    /// Where clients connect, in the order of the configuration.
    pub(super) listeners: Vec<Listens>,
    /// Where operators connect by TCP.
    pub(super) admin: SocketAddr,
    /// The sockets of `listeners`.
    pub(super) clients: Vec<TcpListener>,
    /// What keeps the certificates of each of them, and then those of operators.
    pub(super) keepers: Vec<Option<Arc<Keeper>>>,
    /// Where KEDA connects, if it does.
    pub(super) keda: Option<TcpListener>,
    /// Where operators come in.
    pub(super) doors: Vec<Door>,
    /// All sockets once more, to be handed on.
    pub(super) sockets: Vec<Handed>,
}

/// Listens where `config` says, by sockets that were handed over, or else new ones.
pub(super) async fn open(
    config: &Config,
    shared: (&Arc<Metrics>, &Arc<Challenges>),
    inherited: &mut Inherited,
) -> Result<Open, ServerError> {
    let (mut clients, mut sockets) = (Vec::new(), Vec::new());
    for (nth, listener) in config.listeners.iter().enumerate() {
        let name = sockets::name(nth);
        let socket = bind((&name, listener.address), inherited).await?;
        sockets.push(handed(name, &socket)?);
        clients.push(socket);
    }
    let operators = bind((sockets::ADMIN, config.admin), inherited).await?;
    sockets.push(handed(sockets::ADMIN.to_owned(), &operators)?);
    let keda = match config.kubernetes.keda {
        Some(address) => Some(bind((sockets::KEDA, address), inherited).await?),
        None => None,
    };
    if let Some(socket) = &keda {
        sockets.push(handed(sockets::KEDA.to_owned(), socket)?);
    }
    inherited.close_others();
    let listeners = listens(&config.listeners, &clients);
    let admin = operators.local_addr().unwrap_or(config.admin);
    let mut keepers = keepers(&config.listeners, &listeners, shared)?;
    let keeper = keeper(config.admin_tls.as_ref(), admin, shared)?;
    // Its certificates are looked after with those of the others.
    keepers.push(keeper.clone());
    let mut doors = vec![Door::Tcp(operators, keeper)];
    let socket = bind_socket(config.admin_socket.as_deref(), inherited.is_heir())?;
    doors.extend(socket.map(Door::Socket));
    Ok(Open { listeners, admin, clients, keepers, keda, doors, sockets })
}

/// `socket` once more, under its name, to be handed on.
fn handed(name: String, socket: &TcpListener) -> Result<Handed, ServerError> {
    let copy = socket.as_fd().try_clone_to_owned();
    Ok((name, copy.map_err(ServerError::Background)?))
}

async fn bind(
    (name, address): (&str, SocketAddr),
    inherited: &mut Inherited,
) -> Result<TcpListener, ServerError> {
    let failed = |source| ServerError::Listen { address, source };
    match inherited.take(name, address).map_err(failed)? {
        Some(socket) => Ok(socket),
        None => TcpListener::bind(address).await.map_err(failed),
    }
}

/// Where `sockets`, which are those of `listeners`, have come to listen.
fn listens(listeners: &[Listener], sockets: &[TcpListener]) -> Vec<Listens> {
    let one = |(listener, socket): (&Listener, &TcpListener)| Listens {
        address: socket.local_addr().unwrap_or(listener.address),
        has_tls: listener.tls.is_some(),
    };
    listeners.iter().zip(sockets).map(one).collect()
}

/// What keeps the certificates of each of `listeners`, which listen at `places`.
fn keepers(
    listeners: &[Listener],
    places: &[Listens],
    shared: (&Arc<Metrics>, &Arc<Challenges>),
) -> Result<Vec<Option<Arc<Keeper>>>, ServerError> {
    let listeners = listeners.iter().zip(places);
    listeners.map(|(one, place)| keeper(one.tls.as_ref(), place.address, shared)).collect()
}

/// What keeps the certificates that are shown at `address`, where TLS is spoken.
fn keeper(
    tls: Option<&TlsConfig>,
    address: SocketAddr,
    (metrics, challenges): (&Arc<Metrics>, &Arc<Challenges>),
) -> Result<Option<Arc<Keeper>>, ServerError> {
    let Some(tls) = tls else { return Ok(None) };
    let keeper = Keeper::open(tls, address.to_string(), (metrics.clone(), challenges.clone()));
    let failed = |source| ServerError::Certificates { address, source: Box::new(source) };
    keeper.map(Some).map_err(failed)
}

/// The Unix socket for operators, where there is to be one.
/// An heir takes the place of the balancer that it follows.
fn bind_socket(path: Option<&Path>, is_heir: bool) -> Result<Option<Socket>, ServerError> {
    let Some(path) = path else { return Ok(None) };
    let failed = |source| ServerError::Socket { path: path.to_owned(), source };
    Socket::bind(path, is_heir).map(Some).map_err(failed)
}
