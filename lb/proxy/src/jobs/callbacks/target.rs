//! Where callbacks may go: hosts by name, as the configuration says, and never to an address that
//! is not public, unless that is listed, too.
//!
//! The name is resolved once for each delivery, and the connection goes to an address that was
//! looked at: a name that leads elsewhere a moment later changes nothing.

use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use http::Uri;
use http::uri::Scheme;
use ipnet::IpNet;

use crate::config::CallbacksConfig;

/// The longest URL.
const URL_MAX: usize = 2048;

/// Addresses that are not public (IANA's registries of special-purpose addresses), and those of
/// IPv6 that stand for ones of IPv4.
const SPECIAL: [&str; 27] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/9",
    "ff00::/8",
];

static SPECIAL_NETWORKS: LazyLock<Vec<IpNet>> =
    LazyLock::new(|| SPECIAL.iter().filter_map(|text| text.parse().ok()).collect());

/// Where a callback goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The host, as the URL has it, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) is_tls: bool,
    /// The path with the query.
    pub(crate) path: String,
    /// The host with its port, where that is not the scheme's.
    pub(crate) authority: String,
}

/// Why a callback cannot go there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    /// It is no URL that can be called.
    #[error("`{0}` is not a URL that begins with http:// or https://, without a user")]
    Url(String),
    /// The host is not listed.
    #[error("callbacks to `{0}` are not allowed: see jobs.callbacks.hosts")]
    Host(String),
    /// The name leads to no address.
    #[error("`{0}` cannot be resolved: {1}")]
    Name(String, String),
    /// The name leads to addresses that are not public.
    #[error("`{0}` leads to `{1}`, which is not public: see jobs.callbacks.networks")]
    Private(String, IpAddr),
}

// === impl Target ===

impl Target {
    /// What `url` says, where `settings` allow it.
    pub(crate) fn parse(url: &str, settings: &CallbacksConfig) -> Result<Target, TargetError> {
        let malformed = || TargetError::Url(url.chars().take(200).collect());
        let uri: Uri = url.parse().map_err(|_| malformed())?;
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(_) | None => return Err(malformed()),
        };
        let authority = uri.authority().ok_or_else(malformed)?;
        let host = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
        if URL_MAX < url.len() || authority.as_str().contains('@') || host.is_empty() {
            return Err(malformed());
        }
        if !settings.hosts.iter().any(|allowed| covers(allowed, &host)) {
            return Err(TargetError::Host(host));
        }
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Target { host, port, is_tls, path, authority: authority.as_str().to_owned() })
    }

    /// The addresses of it that may be called, at least one.
    pub(crate) async fn resolve(
        &self,
        settings: &CallbacksConfig,
    ) -> Result<Vec<SocketAddr>, TargetError> {
        let name = |why: String| TargetError::Name(self.host.clone(), why);
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let (mut allowed, mut refused) = (Vec::new(), None);
        for address in found.map_err(|error| name(error.to_string()))? {
            if may_call(address.ip(), &settings.networks) {
                allowed.push(address);
            } else {
                refused = Some(address.ip());
            }
        }
        if !allowed.is_empty() {
            return Ok(allowed);
        }
        Err(match refused {
            Some(address) => TargetError::Private(self.host.clone(), address),
            None => name("no address".to_owned()),
        })
    }
}

/// Whether `allowed` is `host`, or `*.NAME` and `host` is below that name.
fn covers(allowed: &str, host: &str) -> bool {
    match allowed.strip_prefix('*') {
        Some(end) => host.len() > end.len() && host.ends_with(end),
        None => host == allowed,
    }
}

/// Whether `address` is public, or one of `networks`.
fn may_call(address: IpAddr, networks: &[IpNet]) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
        || !SPECIAL_NETWORKS.iter().any(|network| network.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn settings(keys: &str) -> CallbacksConfig {
        let text = format!("[jobs.callbacks]\nsecret_file = \"x\"\n{keys}\n");
        let extractors = weighbridge_scene_extract::extractors();
        Config::parse(&text, &extractors).unwrap().jobs.callbacks
    }

    #[test]
    fn a_callback_goes_to_hosts_that_are_listed() {
        let settings = settings("hosts = [\"a.example\", \"*.b.example\", \"127.0.0.1\"]");
        let check = |url: &str| Target::parse(url, &settings).map(|target| target.port).ok();
        assert_eq!(check("https://a.example/x?y"), Some(443));
        assert_eq!(check("http://A.example:8080"), Some(8080));
        assert_eq!(check("http://c.b.example/"), Some(80));
        assert_eq!(check("http://127.0.0.1:9/"), Some(9));
        for bad in [
            "",
            "/x",
            "ftp://a.example/",
            "a.example",
            "http://user@a.example/",
            "http://a.example@evil.example/",
            "http://evil.example/",
            "http://b.example/",
            "http://xa.example/",
            "http://evilb.example/",
            &format!("http://a.example/{}", "x".repeat(3000)),
        ] {
            assert_eq!(check(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses_that_are_not_public_are_refused_unless_they_are_listed() {
        for special in SPECIAL {
            let network: IpNet = special.parse().unwrap();
            assert!(!may_call(network.addr(), &[]), "{special}");
        }
        for private in ["127.0.0.1", "::1", "::ffff:10.0.0.1", "fe80::1", "169.254.169.254"] {
            assert!(!may_call(private.parse().unwrap(), &[]), "{private}");
        }
        for public in ["1.1.1.1", "2606:4700::1111", "9.255.0.1", "172.32.0.1"] {
            assert!(may_call(public.parse().unwrap(), &[]), "{public}");
        }
        let listed = settings("networks = [\"10.1.0.0/16\"]").networks;
        assert!(may_call("10.1.2.3".parse().unwrap(), &listed));
        assert!(may_call("::ffff:10.1.2.3".parse().unwrap(), &listed));
        assert!(!may_call("10.2.0.1".parse().unwrap(), &listed));
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_refused() {
        let private = settings("hosts = [\"localhost\"]");
        let target = Target::parse("http://localhost:9/", &private).unwrap();
        assert!(matches!(target.resolve(&private).await, Err(TargetError::Private(..))));
        let listed = settings("hosts = [\"localhost\"]\nnetworks = [\"127.0.0.0/8\", \"::1/128\"]");
        let addresses = target.resolve(&listed).await.unwrap();
        assert!(!addresses.is_empty() && addresses.iter().all(|one| one.ip().is_loopback()));
    }
}
