//! What a host is told by the PROXY protocol: whom a connection is from.

use std::net::{IpAddr, SocketAddr};

use ppp::v2;

use crate::config::ProxyVersion;

/// The header of `version` for a connection `between` a client and us; of one that is our own
/// where there is no client.
pub(crate) fn header(version: ProxyVersion, between: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
    let between = between.map(|(from, to)| alike(from, to));
    match version {
        ProxyVersion::V1 => text(between).into_bytes(),
        // Fails only where a header is longer than 64 KiB.
        ProxyVersion::V2 => binary(between).unwrap_or_default(),
    }
}

fn text(between: Option<(SocketAddr, SocketAddr)>) -> String {
    let Some((from, to)) = between else { return "PROXY UNKNOWN\r\n".to_owned() };
    let family = if from.is_ipv4() { "TCP4" } else { "TCP6" };
    format!("PROXY {family} {} {} {} {}\r\n", from.ip(), to.ip(), from.port(), to.port())
}

fn binary(between: Option<(SocketAddr, SocketAddr)>) -> std::io::Result<Vec<u8>> {
    let builder = match between {
        Some(between) => v2::Builder::with_addresses(
            v2::Version::Two | v2::Command::Proxy,
            v2::Protocol::Stream,
            between,
        ),
        None => v2::Builder::new(
            v2::Version::Two | v2::Command::Local,
            v2::AddressFamily::Unspecified | v2::Protocol::Unspecified,
        ),
    };
    builder.build()
}

/// Both as addresses of one family: of IPv6 where they differ.
fn alike(from: SocketAddr, to: SocketAddr) -> (SocketAddr, SocketAddr) {
    let plain = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
    let (from, to) = (plain(from), plain(to));
    if from.is_ipv4() == to.is_ipv4() {
        return (from, to);
    }
    let wide = |at: SocketAddr| match at.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), at.port()),
        IpAddr::V6(_) => at,
    };
    (wide(from), wide(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(from: &str, to: &str) -> (SocketAddr, SocketAddr) {
        (from.parse().unwrap(), to.parse().unwrap())
    }

    #[test]
    fn version_1_is_a_line() {
        let line = |from: &str, to: &str| {
            String::from_utf8(header(ProxyVersion::V1, Some(between(from, to)))).unwrap()
        };
        assert_eq!(line("192.0.2.7:1", "10.0.0.1:80"), "PROXY TCP4 192.0.2.7 10.0.0.1 1 80\r\n");
        assert_eq!(line("[::ffff:192.0.2.7]:1", "10.0.0.1:80"), line("192.0.2.7:1", "10.0.0.1:80"));
        assert_eq!(
            line("[2001:db8::7]:1", "10.0.0.1:80"),
            "PROXY TCP6 2001:db8::7 ::ffff:10.0.0.1 1 80\r\n"
        );
        assert_eq!(header(ProxyVersion::V1, None), b"PROXY UNKNOWN\r\n");
    }

    #[test]
    fn version_2_is_read_as_it_was_meant() {
        let bytes = header(ProxyVersion::V2, Some(between("192.0.2.7:1", "10.0.0.1:80")));
        let read = v2::Header::try_from(bytes.as_slice()).unwrap();
        assert_eq!((read.command, read.protocol), (v2::Command::Proxy, v2::Protocol::Stream));
        let expected = v2::Addresses::from((
            "192.0.2.7:1".parse::<SocketAddr>().unwrap(),
            "10.0.0.1:80".parse::<SocketAddr>().unwrap(),
        ));
        assert_eq!(read.addresses, expected);
        let own = header(ProxyVersion::V2, None);
        assert_eq!(v2::Header::try_from(own.as_slice()).unwrap().command, v2::Command::Local);
    }
}
