use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::AnswerMode;
use crate::fleet::Place;

const SECOND: Duration = Duration::from_secs(1);

/// Longer than a close takes to be seen.
const SEEN_MAX: Duration = Duration::from_secs(30);

struct Host {
    listener: TcpListener,
    address: HostAddress,
}

async fn host() -> Host {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = HostAddress::Tcp(listener.local_addr().unwrap());
    Host { listener, address }
}

impl Host {
    /// A connection to it, and its own end.
    async fn connect(&self, connections: &Connections) -> (Stream, TcpStream) {
        let limits = TryLimits {
            connect: SECOND,
            response: SECOND,
            idle: SECOND,
            held_bytes_max: 1,
            answer: AnswerMode::Auto,
        };
        let target = Place::plain(String::new(), self.address.clone(), None).target();
        let peer = super::super::peer(&target, None, limits);
        let connected = connections.connector.new_stream(&peer);
        let (stream, accepted) = tokio::join!(connected, self.listener.accept());
        (stream.unwrap(), accepted.unwrap().0)
    }
}

fn n_idle(connections: &Connections) -> usize {
    let state = connections.idle.lock();
    let counted: usize = state.by_host.values().map(|of_host| of_host.idle.len()).sum();
    assert_eq!(state.n_idle, counted);
    counted
}

/// Sweeps until `left` connections are.
async fn swept_to(connections: &Connections, left: usize) {
    let swept = async {
        while n_idle(connections) != left {
            connections.sweep();
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SEEN_MAX, swept).await.unwrap();
}

#[tokio::test]
async fn a_connection_is_used_again_for_its_host_alone() {
    let connections = Connections::new(10);
    let (one, other) = (host().await, host().await);
    let (stream, _end) = one.connect(&connections).await;
    connections.keep(one.address.clone(), stream, SECOND);
    assert!(connections.take(&other.address, Reuse::Any).is_none());
    assert!(connections.take(&one.address, Reuse::Any).is_some());
    assert!(connections.take(&one.address, Reuse::Any).is_none());
    assert_eq!(n_idle(&connections), 0);
}

#[tokio::test]
async fn no_more_are_kept_than_there_may_be() {
    let connections = Connections::new(1);
    let host = host().await;
    let (first, _first_end) = host.connect(&connections).await;
    let (second, _second_end) = host.connect(&connections).await;
    connections.keep(host.address.clone(), first, SECOND);
    connections.keep(host.address.clone(), second, SECOND);
    assert_eq!(n_idle(&connections), 1);
}

#[tokio::test]
async fn what_the_host_has_closed_is_swept_and_the_others_stay() {
    let connections = Connections::new(10);
    let host = host().await;
    let (closed, closed_end) = host.connect(&connections).await;
    let (open, _open_end) = host.connect(&connections).await;
    connections.keep(host.address.clone(), closed, SEEN_MAX * 2);
    connections.keep(host.address.clone(), open, SEEN_MAX * 2);
    drop(closed_end);
    swept_to(&connections, 1).await;
    assert!(connections.take(&host.address, Reuse::Any).is_some());
}

#[tokio::test]
async fn what_has_been_idle_for_too_long_is_swept() {
    let connections = Connections::new(10);
    let host = host().await;
    let (stream, _end) = host.connect(&connections).await;
    connections.keep(host.address.clone(), stream, Duration::ZERO);
    connections.sweep();
    assert_eq!(n_idle(&connections), 0);
}

#[tokio::test]
async fn what_must_not_be_sent_twice_takes_no_connection_that_may_be_closing() {
    let connections = Connections::new(10);
    let host = host().await;
    let (stream, end) = host.connect(&connections).await;
    connections.keep(host.address.clone(), stream, SECOND);
    drop(end);
    swept_to(&connections, 0).await;
    // Nothing is known of how long the host keeps idle connections.
    let (stream, _end) = host.connect(&connections).await;
    connections.keep(host.address.clone(), stream, SECOND);
    let idle = connections.take(&host.address, Reuse::Safe).expect("it is safe as far as is known");
    let mut state = connections.idle.lock();
    state.by_host.entry(host.address.clone()).or_default().found_closed(Duration::ZERO);
    drop(state);
    connections.keep(host.address.clone(), idle.stream, SECOND);
    assert!(connections.take(&host.address, Reuse::Safe).is_none());
    assert!(connections.take(&host.address, Reuse::None).is_none());
    assert!(connections.take(&host.address, Reuse::Any).is_some());
    // What was found is forgotten in time.
    let mut state = connections.idle.lock();
    let of_host = state.by_host.get_mut(&host.address).expect("it is remembered");
    of_host.forget(Instant::now() + MEMORY);
    assert!(of_host.is_unknown());
}
