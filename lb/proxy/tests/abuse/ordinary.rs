//! The ordinary client: small requests, one after another, from an address of its own.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::balancer::Balancer;
use crate::client::{DEADLINE, request};

/// Requests of one measurement.
const REQUESTS: usize = 150;

/// No request of an ordinary client takes so long while others do what they should not. What this
/// suite is about took seconds, or for ever; a busy machine adds hundreds of milliseconds.
const SLOWEST: Duration = Duration::from_millis(1500);

/// What an ordinary client got.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// How long all but one in a hundred took.
    pub(crate) p99: Duration,
}

/// What an ordinary client gets now. All its requests are answered.
#[track_caller]
pub(crate) fn measure(balancer: &Balancer) -> Measured {
    let mut times: Vec<Duration> = (0..REQUESTS).map(|_| one(balancer.address)).collect();
    times.sort();
    Measured { p99: times[REQUESTS * 99 / 100] }
}

/// Asserts that an ordinary client gets its answers now, about as fast as `before`.
#[track_caller]
pub(crate) fn assert_served(balancer: &Balancer, before: Measured) {
    let now = measure(balancer);
    println!("p99 {:?} before, {:?} now", before.p99, now.p99);
    let most = SLOWEST.max(20 * before.p99);
    assert!(now.p99 < most, "p99 was {:?} and is {:?}", before.p99, now.p99);
}

/// One request on a connection of its own; how long it took.
#[track_caller]
fn one(address: SocketAddr) -> Duration {
    let started = Instant::now();
    let mut stream = connect(address).expect("the balancer listens");
    let body = [b'a'; 1024];
    stream
        .write_all(&request("POST", "/held/ordinary", &["Connection: close"], &body))
        .expect("it reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it answers");
    let shown = String::from_utf8_lossy(&answer[..answer.len().min(300)]);
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{shown}");
    started.elapsed()
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // Of Linux's addresses of the machine itself, those of others are the first one's.
    let own = if cfg!(target_os = "linux") { [127, 0, 0, 2] } else { [127, 0, 0, 1] };
    let own: IpAddr = Ipv4Addr::from(own).into();
    socket.bind(&SocketAddr::from((own, 0)).into())?;
    socket.set_read_timeout(Some(DEADLINE))?;
    socket.set_write_timeout(Some(DEADLINE))?;
    socket.connect_timeout(&address.into(), DEADLINE)?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}
