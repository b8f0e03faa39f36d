//! Whether a host's address is the balancer's own, so that it would send requests to itself.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Whether what is sent to `host` comes to who listens at `own`, as far as this machine can tell.
pub(super) fn leads_to(host: SocketAddr, own: SocketAddr) -> bool {
    let (to, at) = (host.ip().to_canonical(), own.ip().to_canonical());
    // Who connects to "any address" comes to the loopback.
    let is_here = to == at
        || (at.is_unspecified() && (to.is_unspecified() || is_of_this_machine(to)))
        || (to.is_unspecified() && at.is_loopback());
    own.port() != 0 && host.port() == own.port() && is_here
}

/// Whether this machine has the address `ip`: then the system would send from it to it. Nothing is
/// sent.
fn is_of_this_machine(ip: IpAddr) -> bool {
    let from = || -> io::Result<IpAddr> {
        let any: IpAddr = match ip {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0))?;
        // The port does not matter.
        socket.connect((ip, 9))?;
        Ok(socket.local_addr()?.ip())
    };
    ip.is_loopback() || from().is_ok_and(|from| from == ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, own: &str, expected: bool) {
        let [at, of] = [host, own].map(|text| text.parse().unwrap());
        assert_eq!(leads_to(at, of), expected, "{host} at {own}");
    }

    #[test]
    fn the_same_address_and_port_are_the_balancers_own() {
        check("127.0.0.1:80", "127.0.0.1:80", true);
        check("[::ffff:10.0.0.7]:80", "10.0.0.7:80", true);
        check("127.0.0.1:81", "127.0.0.1:80", false);
        check("127.0.0.2:80", "127.0.0.1:80", false);
        check("127.0.0.1:80", "127.0.0.1:0", false);
    }

    #[test]
    fn who_listens_everywhere_is_at_every_address_of_this_machine() {
        check("127.0.0.1:80", "0.0.0.0:80", true);
        check("127.0.0.2:80", "0.0.0.0:80", true);
        check("[::1]:80", "[::]:80", true);
        check("0.0.0.0:80", "127.0.0.1:80", true);
        // Kept for documentation: no machine has it.
        check("192.0.2.7:80", "0.0.0.0:80", false);
    }
}
