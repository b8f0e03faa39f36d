//! The PROXY protocol: whom a connection is from, as the proxy in front says ahead of all else
//! (versions 1 and 2 of `HAProxy`'s specification).
//!
//! Not a byte more than the header is read: what follows is TLS's or the parser's.

use std::net::SocketAddr;

use ppp::{v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What a header of version 1 begins with.
const V1: &[u8] = b"PROXY ";

/// The longest header of version 1, its line break included.
const V1_BYTES_MAX: usize = 107;

/// What a header of version 2 has ahead of its addresses.
const V2_HEAD: usize = 16;

/// The longest header of version 2 that is read: addresses, and fields of the proxy's own.
const V2_BYTES_MAX: usize = 4 << 10;

/// The shortest header of either version has as many.
const BEGINNING: usize = 12;

/// A connection that does not begin with such a header.
#[derive(Debug, thiserror::Error)]
#[error("expected a header of the PROXY protocol")]
pub(super) struct NoHeader;

/// Reads the header that `connection` begins with. The address of the client; `None` where the
/// proxy speaks for itself, or does not know.
pub(super) async fn read(
    connection: &mut (impl AsyncRead + Unpin),
) -> Result<Option<SocketAddr>, NoHeader> {
    let mut header = vec![0; BEGINNING];
    connection.read_exact(&mut header).await.map_err(|_| NoHeader)?;
    if header == v2::PROTOCOL_PREFIX {
        read_v2(connection, header).await
    } else if header.starts_with(V1) {
        read_v1(connection, header).await
    } else {
        Err(NoHeader)
    }
}

async fn read_v1(
    connection: &mut (impl AsyncRead + Unpin),
    mut header: Vec<u8>,
) -> Result<Option<SocketAddr>, NoHeader> {
    while header.last() != Some(&b'\n') {
        if header.len() == V1_BYTES_MAX {
            return Err(NoHeader);
        }
        header.push(connection.read_u8().await.map_err(|_| NoHeader)?);
    }
    match v1::Header::try_from(header.as_slice()).map_err(|_| NoHeader)?.addresses {
        v1::Addresses::Tcp4(ip) => Ok(Some((ip.source_address, ip.source_port).into())),
        v1::Addresses::Tcp6(ip) => Ok(Some((ip.source_address, ip.source_port).into())),
        v1::Addresses::Unknown => Ok(None),
    }
}

async fn read_v2(
    connection: &mut (impl AsyncRead + Unpin),
    mut header: Vec<u8>,
) -> Result<Option<SocketAddr>, NoHeader> {
    header.resize(V2_HEAD, 0);
    connection.read_exact(&mut header[BEGINNING..]).await.map_err(|_| NoHeader)?;
    let length = usize::from(u16::from_be_bytes([header[14], header[15]]));
    if V2_BYTES_MAX < length {
        return Err(NoHeader);
    }
    header.resize(V2_HEAD + length, 0);
    connection.read_exact(&mut header[V2_HEAD..]).await.map_err(|_| NoHeader)?;
    let read = v2::Header::try_from(header.as_slice()).map_err(|_| NoHeader)?;
    match (read.command, read.protocol, read.addresses) {
        (v2::Command::Proxy, v2::Protocol::Datagram, _) => Err(NoHeader),
        (v2::Command::Proxy, _, v2::Addresses::IPv4(ip)) => {
            Ok(Some((ip.source_address, ip.source_port).into()))
        }
        (v2::Command::Proxy, _, v2::Addresses::IPv6(ip)) => {
            Ok(Some((ip.source_address, ip.source_port).into()))
        }
        // Its own, such as a health check; or what has no address.
        (v2::Command::Local, _, _)
        | (v2::Command::Proxy, _, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read of `bytes`, and what follows it.
    async fn read_of(bytes: &[u8]) -> (Result<Option<String>, ()>, Vec<u8>) {
        let mut rest = bytes;
        let read = read(&mut rest).await;
        let read = read.map(|client| client.map(|client| client.to_string())).map_err(|_| ());
        (read, rest.to_vec())
    }

    fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        [v2::PROTOCOL_PREFIX, &[command, family], &length, payload].concat()
    }

    const IPV4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0, 80];

    #[tokio::test]
    async fn both_versions_say_whom_a_connection_is_from() {
        let client = |address: &str| Ok(Some(address.to_owned()));
        let lines = [
            ("PROXY TCP4 192.0.2.7 10.0.0.1 4660 80\r\n", client("192.0.2.7:4660")),
            ("PROXY TCP6 2001:db8::7 ::1 4660 80\r\n", client("[2001:db8::7]:4660")),
            ("PROXY UNKNOWN\r\n", Ok(None)),
            ("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", Ok(None)),
        ];
        for (line, expected) in lines {
            let read = read_of(format!("{line}GET /").as_bytes()).await;
            assert_eq!(read, (expected, b"GET /".to_vec()), "{line}");
        }
        let mut ipv6 = [0; 36];
        (ipv6[0], ipv6[1], ipv6[15], ipv6[31]) = (0x20, 0x01, 7, 1);
        ipv6[32..].copy_from_slice(&[0x12, 0x34, 0, 80]);
        let with_fields = [&IPV4[..], &[4, 0, 2, 0, 0]].concat();
        let headers = [
            (v2(0x21, 0x11, &IPV4), client("192.0.2.7:4660")),
            (v2(0x21, 0x11, &with_fields), client("192.0.2.7:4660")),
            (v2(0x21, 0x21, &ipv6), client("[2001::7]:4660")),
            (v2(0x20, 0x11, &IPV4), Ok(None)),
            (v2(0x20, 0, &[]), Ok(None)),
            (v2(0x21, 0, &[]), Ok(None)),
        ];
        for (header, expected) in headers {
            let read = read_of(&[header.as_slice(), b"rest"].concat()).await;
            assert_eq!(read, (expected, b"rest".to_vec()), "{header:x?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(100));
        for bytes in [
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            b"PROXY".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 80".to_vec(),
            b"PROXY TCP4 1.2.3 10.0.0.1 4660 80\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4660 99999\r\n".to_vec(),
            b"PROXY UDP4 192.0.2.7 10.0.0.1 4660 80\r\n".to_vec(),
            long.into_bytes(),
            v2(0x11, 0x11, &IPV4),
            v2(0x21, 0x12, &IPV4),
            v2(0x21, 0x11, &IPV4[..8]),
            v2(0x21, 0x11, &[0; 5000]),
            v2(0x21, 0x11, &IPV4)[..20].to_vec(),
        ] {
            assert_eq!(read_of(&bytes).await.0, Err(()), "{:?}", String::from_utf8_lossy(&bytes));
        }
    }
}
