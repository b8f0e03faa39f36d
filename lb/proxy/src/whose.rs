//! Whose a request is, and until when it is of use: what the balancer's fairness goes by.
//!
//! A client is told as its route says. What it says of itself in a header may be a secret, such as
//! a key, so it goes by a part of a hash of that from the beginning: nothing of it is in metrics,
//! logs or at the admin address. The claim of a token is not verified: whoever can reach this
//! balancer can say that it is anybody, unless something before it looks at signatures.

use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
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

/// Whose a job of `route` is that came from `client`. It has no deadline: one that comes too late
/// for one start has others.
pub(crate) fn terms_of_job(config: &Config, route: RouteId, client: Option<&str>) -> Terms {
    Terms { client: client.map(Arc::from), class: config.route(route).class, time_left: None }
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
        Whose::Claim(claim) => {
            let value = claim_of(headers, claim)?;
            Some(if shows_names { named(&value) } else { masked(&value).into() })
        }
    }
}

/// What the bearer token in `headers` says as `claim`, a text or a number: the payload of a JSON
/// Web Token (RFC 7519), whose signature nobody looks at here.
fn claim_of(headers: &HeaderMap, claim: &str) -> Option<String> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let mut parts = token.trim().split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if !scheme.eq_ignore_ascii_case("bearer") || parts.next().is_some() {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: serde_json::Map<String, Value> = serde_json::from_slice(&payload).ok()?;
    match claims.get(claim)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
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

    /// The client by a claim, where that is what it says in `authorization`.
    fn by_claim(claim: &str, authorization: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization.parse().unwrap())]);
        let whose = Whose::Claim(claim.into());
        client(&whose, true, From::default(), &headers).map(|name| name.to_string())
    }

    #[test]
    fn a_client_may_go_by_a_claim_of_its_token() {
        // The example of RFC 7519, section 3.1, without its signature.
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc\
                     19yb290Ijp0cnVlfQ.c2ln";
        let shown = format!("bearer {token}");
        assert_eq!(by_claim("iss", &shown).as_deref(), Some("joe"));
        assert_eq!(by_claim("exp", &shown).as_deref(), Some("1300819380"));
        assert_eq!(by_claim("http://example.com/is_root", &shown), None, "it is neither");
        assert_eq!(by_claim("sub", &shown), None);
        for wrong in ["", "Basic YTpi", token, "Bearer a.b.c", "Bearer a", "Bearer a.e30.c.d"] {
            assert_eq!(by_claim("iss", wrong), None, "{wrong}");
        }
        let headers = HeaderMap::from_iter([(AUTHORIZATION, shown.parse().unwrap())]);
        let masked_name = client(&Whose::Claim("iss".into()), false, From::default(), &headers);
        assert_eq!(masked_name.as_deref(), Some(&*masked("joe")));
    }

    #[test]
    fn a_long_name_is_a_short_one() {
        assert_eq!(named(&"a".repeat(129)).len(), 16);
        assert_eq!(named(&"a".repeat(128)).len(), 128);
    }
}
