//! Lists of networks that an operator has written.

use std::net::IpAddr;

use ipnet::IpNet;

/// Whether `address` is in one of `networks`. A listener for both sees IPv4's addresses as IPv6's:
/// they are taken for what they are.
pub(crate) fn have(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// Whether `address` may pass: it is in one of `allowed`, or that is empty.
pub(crate) fn allow(allowed: &[IpNet], address: IpAddr) -> bool {
    allowed.is_empty() || have(allowed, address)
}
