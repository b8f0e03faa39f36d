//! Whose a request is, and until when it is of use: what the balancer's fairness goes by.
//!
//! A client is told as its route says. What it says of itself in a header may be a secret, such as
//! a key, so it goes by a part of a hash of that from the beginning: nothing of it is in metrics,
//! logs or at the admin address.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

use weighbridge_core::request::RouteId;
use weighbridge_core::share::Terms;

use crate::answer::Problem;
use crate::config::{Config, Whose};

/// Bytes of a hash that a client goes by.
const HASH_BYTES: usize = 8;

/// The longest name of a client; of a longer one the hash is shown.
const NAME_BYTES_MAX: usize = 128;

/// Where a request comes from.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct From<'a> {
    /// The client's address, behind trusted proxies.
    pub(crate) address: Option<IpAddr>,
    /// The subject of the certificate that was shown.
    pub(crate) subject: Option<&'a str>,
}

/// Whose a request of `route` with `headers` is, and until when it is of use.
pub(crate) fn terms(
    config: &Config,
    route: RouteId,
    from: From<'_>,
    headers: &HeaderMap,
) -> Result<Terms, Problem> {
    let of_route = config.route(route);
    let client = client(&of_route.client, config.clients.shows_names, from, headers);
    Ok(Terms { client, class: of_route.class, time_left: time_left(config, headers)? })
}

/// The name that a client goes by; `None` where nothing tells it.
fn client(
    whose: &Whose,
    shows_names: bool,
    from: From<'_>,
    headers: &HeaderMap,
) -> Option<Arc<str>> {
    match whose {
        Whose::Nobody => None,
        Whose::Address => Some(from.address?.to_string().into()),
        Whose::Certificate => from.subject.map(named),
        Whose::Header(name) => {
            let value = headers.get(name)?;
            let plain = value.to_str().ok().filter(|_| shows_names);
            Some(plain.map_or_else(|| masked_bytes(value.as_bytes()).into(), named))
        }
    }
}

fn named(name: &str) -> Arc<str> {
    if name.len() <= NAME_BYTES_MAX { name.into() } else { masked(name).into() }
}

/// What is shown of a client that says `value`: the first 16 hexadecimal digits of its SHA-256.
pub(crate) fn masked(value: &str) -> String {
    masked_bytes(value.as_bytes())
}

fn masked_bytes(value: &[u8]) -> String {
    let mut shown = String::with_capacity(2 * HASH_BYTES);
    for byte in &Sha256::digest(value)[..HASH_BYTES] {
        // Writing to a string does not fail.
        let _ = write!(shown, "{byte:02x}");
    }
    shown
}

/// How long the client waits for its answer, where it says so.
fn time_left(config: &Config, headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let Some(name) = &config.clients.deadline else { return Ok(None) };
    let Some(value) = headers.get(name) else { return Ok(None) };
    let millis = value.to_str().ok().and_then(|text| text.trim().parse::<u32>().ok());
    let millis = millis.ok_or_else(|| {
        let value = String::from_utf8_lossy(value.as_bytes());
        let detail = format!("`{name}` is `{value}`: expected whole milliseconds");
        Problem::new(StatusCode::BAD_REQUEST, detail).at("deadline")
    })?;
    Ok(Some(Duration::from_millis(u64::from(millis))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(whose: &Whose, shows_names: bool) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", "secret".parse().unwrap());
        let from = From { address: Some([192, 0, 2, 1].into()), subject: Some("CN=a") };
        client(whose, shows_names, from, &headers).map(|name| name.to_string())
    }

    #[test]
    fn a_client_goes_by_what_its_route_says_and_a_key_by_its_hash() {
        let header = |name: &'static str| Whose::Header(http::HeaderName::from_static(name));
        assert_eq!(name(&Whose::Nobody, true), None);
        assert_eq!(name(&Whose::Address, false).as_deref(), Some("192.0.2.1"));
        assert_eq!(name(&Whose::Certificate, false).as_deref(), Some("CN=a"));
        assert_eq!(name(&header("x-api-key"), true).as_deref(), Some("secret"));
        // printf secret | sha256sum
        assert_eq!(name(&header("x-api-key"), false).as_deref(), Some("2bb80d537b1da3e3"));
        assert_eq!(name(&header("x-other"), true), None);
    }

    #[test]
    fn a_long_name_is_a_short_one() {
        assert_eq!(named(&"a".repeat(129)).len(), 16);
        assert_eq!(named(&"a".repeat(128)).len(), 128);
    }
}
