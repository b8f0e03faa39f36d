//! What hosts are told of clients, and which proxies are believed in what they say of them.
//!
//! Anybody can write `X-Forwarded-For`. What comes from a proxy that is trusted is kept and
//! lengthened; what comes from anyone else is replaced. So a host can believe all of it. A client
//! is the last one in the chain whom no trusted proxy stands for.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use pingora::http::RequestHeader;

use crate::config::{Forwarding, Told};
use crate::headers::host;
use crate::networks;
use crate::text::push_ip;

/// The clients and proxies that a request has come by.
pub(crate) const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The name that the client asked for.
pub(crate) const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The scheme that the client asked by.
pub(crate) const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The most proxies that a request is followed through.
const HOPS_MAX: usize = 32;

/// Bytes that a chain rarely exceeds.
const CHAIN_BYTES: usize = 96;

/// Where a request comes from, as its connection knows it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Whence<'a> {
    /// The address at the other end.
    pub(crate) peer: Option<IpAddr>,
    /// Whether it came by TLS.
    pub(crate) is_tls: bool,
    /// The subject of the certificate that the client showed.
    pub(crate) subject: Option<&'a str>,
}

// === impl Forwarding ===

impl Forwarding {
    /// The address of the client whose request, with `headers`, came from `peer`.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let mut client = peer;
        for address in chain(headers).into_iter().rev().take(HOPS_MAX) {
            let Some(address) = address else { break };
            client = address;
            if !self.trusts(address) {
                break;
            }
        }
        client
    }

    /// Whether a client's header `name` is not passed on as it is.
    pub(crate) fn is_ours(&self, name: &HeaderName) -> bool {
        let is_told = *name == FOR || *name == HOST || *name == PROTO || *name == header::FORWARDED;
        (is_told && self.told != Told::Nothing) || self.is_subject(name)
    }

    /// Whether the request with `headers` reached the first proxy by HTTPS, as far as that is
    /// believed.
    pub(crate) fn is_https(&self, whence: Whence<'_>, headers: &HeaderMap) -> bool {
        let is_trusted = whence.peer.is_some_and(|peer| self.trusts(peer));
        let said = headers.get(PROTO).filter(|_| is_trusted);
        said.map_or(whence.is_tls, |scheme| scheme.as_bytes().eq_ignore_ascii_case(b"https"))
    }

    /// Puts what the host is told into `headers`: of the request `from`, which came from `whence`.
    pub(crate) fn tell(&self, headers: &mut HeaderMap, from: &RequestHeader, whence: Whence<'_>) {
        if let Some(name) = &self.client_subject {
            let subject = whence.subject.and_then(|subject| HeaderValue::from_str(subject).ok());
            set(headers, name.clone(), subject);
        }
        let Some(peer) = whence.peer.filter(|_| self.told != Told::Nothing) else { return };
        let is_trusted = self.trusts(peer);
        let before = |name: &HeaderName| if is_trusted { from.headers.get(name) } else { None };
        let text = |bytes: Vec<u8>| HeaderValue::from_maybe_shared(bytes::Bytes::from(bytes)).ok();
        if self.told.has_x_forwarded() {
            let mut value = so_far(&from.headers, &FOR, is_trusted);
            push_ip(&mut value, peer);
            set(headers, FOR, text(value));
            let named = || host(from).and_then(|host| HeaderValue::from_str(host).ok());
            set(headers, HOST, before(&HOST).cloned().or_else(named));
            let scheme = || HeaderValue::from_static(whence.scheme());
            set(headers, PROTO, Some(before(&PROTO).cloned().unwrap_or_else(scheme)));
        } else {
            for name in [FOR, HOST, PROTO] {
                set(headers, name.clone(), before(&name).cloned());
            }
        }
        if self.told.has_forwarded() {
            let mut value = so_far(&from.headers, &header::FORWARDED, is_trusted);
            push_element(&mut value, (peer, whence.scheme()), host(from));
            set(headers, header::FORWARDED, text(value));
        } else if is_trusted {
            for value in from.headers.get_all(header::FORWARDED) {
                headers.append(header::FORWARDED, value.clone());
            }
        }
    }

    /// Whether `name` is what hosts are told subjects by, or imitates it: some hosts take `_` for
    /// `-`, as CGI does.
    fn is_subject(&self, name: &HeaderName) -> bool {
        self.client_subject.as_ref().is_some_and(|subject| {
            name == subject || name.as_str().replace('_', "-") == subject.as_str()
        })
    }

    /// Whether `address` is a proxy's that is believed.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        networks::have(&self.trusted, address)
    }
}

// === impl Whence ===

impl Whence<'_> {
    /// What it reached the balancer by.
    fn scheme(self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }
}

// === impl Told ===

impl Told {
    fn has_x_forwarded(self) -> bool {
        matches!(self, Told::XForwarded | Told::Both)
    }

    fn has_forwarded(self) -> bool {
        matches!(self, Told::Forwarded | Told::Both)
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value);
    }
}

/// The list in all headers `name`, with room for one more; nothing where it is not believed.
fn so_far(headers: &HeaderMap, name: &HeaderName, is_trusted: bool) -> Vec<u8> {
    let mut list = Vec::with_capacity(CHAIN_BYTES);
    if is_trusted {
        for value in headers.get_all(name) {
            list.extend_from_slice(value.as_bytes());
            list.extend_from_slice(b", ");
        }
    }
    list
}

/// Appends an element of `Forwarded` (RFC 7239, section 4).
fn push_element(list: &mut Vec<u8>, (peer, scheme): (IpAddr, &str), host: Option<&str>) {
    list.extend_from_slice(b"for=");
    match peer.to_canonical() {
        address @ IpAddr::V4(_) => push_ip(list, address),
        address @ IpAddr::V6(_) => {
            list.extend_from_slice(b"\"[");
            push_ip(list, address);
            list.extend_from_slice(b"]\"");
        }
    }
    // What a host may be has been looked at: it has no quotation marks.
    if let Some(host) = host.filter(|host| !host.is_empty()) {
        list.extend_from_slice(b";host=\"");
        list.extend_from_slice(host.as_bytes());
        list.push(b'"');
    }
    list.extend_from_slice(b";proto=");
    list.extend_from_slice(scheme.as_bytes());
}

/// The addresses that a request has come by, as its headers say, the client first; `None` for one
/// that is no address.
fn chain(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let texts = |name: &HeaderName| {
        let values = headers.get_all(name).iter();
        values.filter_map(|value| value.to_str().ok()).collect::<Vec<_>>().join(",")
    };
    if headers.contains_key(FOR) {
        return texts(&FOR).split(',').map(address).collect();
    }
    let list = texts(&header::FORWARDED);
    let elements = list.split(',').filter(|element| !element.trim().is_empty());
    elements
        .map(|element| {
            let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
            let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
            named.next().and_then(|(_, value)| address(value))
        })
        .collect()
}

/// Reads `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]`, in quotation marks or not.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let literal = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let bare = literal.unwrap_or(text).parse::<IpAddr>();
    bare.ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        for (name, value) in headers {
            request.append_header(*name, *value).unwrap();
        }
        request
    }

    fn by(told: Told, trusted: &[&str]) -> Forwarding {
        let trusted = trusted.iter().map(|net| net.parse().unwrap()).collect();
        Forwarding { told, trusted, client_subject: Some("x-client-subject".parse().unwrap()) }
    }

    /// What a host is told, as `name: value` lines in the order of names.
    fn told(by: &Forwarding, peer: &str, from: &RequestHeader) -> Vec<String> {
        told_of(by, Whence { peer: peer.parse().ok(), ..Whence::default() }, from)
    }

    fn told_of(by: &Forwarding, whence: Whence<'_>, from: &RequestHeader) -> Vec<String> {
        let mut headers = HeaderMap::new();
        by.tell(&mut headers, from, whence);
        let lines =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        let mut lines: Vec<_> = lines.collect();
        lines.sort();
        lines
    }

    #[test]
    fn what_strangers_say_is_replaced() {
        let from = request(&[
            ("host", "a.example"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil.example"),
            ("forwarded", "for=1.2.3.4"),
        ]);
        let lines = told(&by(Told::XForwarded, &["10.0.0.0/8"]), "192.0.2.1", &from);
        assert_eq!(
            lines,
            [
                "x-forwarded-for: 192.0.2.1",
                "x-forwarded-host: a.example",
                "x-forwarded-proto: http"
            ]
        );
        let lines = told(&by(Told::Forwarded, &[]), "2001:db8::1", &from);
        assert_eq!(lines, ["forwarded: for=\"[2001:db8::1]\";host=\"a.example\";proto=http"]);
        assert_eq!(told(&by(Told::Nothing, &[]), "192.0.2.1", &from), [""; 0]);
    }

    #[test]
    fn what_trusted_proxies_say_is_kept_and_lengthened() {
        let from = request(&[
            ("host", "inner"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-for", "10.0.0.9"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "a.example"),
            ("forwarded", "for=1.2.3.4"),
        ]);
        assert_eq!(
            told(&by(Told::Both, &["10.0.0.0/8"]), "10.0.0.1", &from),
            [
                "forwarded: for=1.2.3.4, for=10.0.0.1;host=\"inner\";proto=http",
                "x-forwarded-for: 1.2.3.4, 10.0.0.9, 10.0.0.1",
                "x-forwarded-host: a.example",
                "x-forwarded-proto: https",
            ]
        );
    }

    #[test]
    fn what_tls_tells_of_a_client_is_passed_on_and_not_what_the_client_says() {
        let from = request(&[("host", "a.example"), ("x-client-subject", "CN=root")]);
        let peer = "192.0.2.1".parse().ok();
        let whence = Whence { peer, is_tls: true, subject: Some("CN=alice") };
        assert_eq!(
            told_of(&by(Told::Forwarded, &[]), whence, &from),
            [
                "forwarded: for=192.0.2.1;host=\"a.example\";proto=https",
                "x-client-subject: CN=alice"
            ]
        );
        let whence = Whence { subject: None, ..whence };
        assert_eq!(told_of(&by(Told::Nothing, &[]), whence, &from), [""; 0]);
        let by = by(Told::Nothing, &[]);
        for name in ["x-client-subject", "x_client-subject", "x_client_subject"] {
            assert!(by.is_ours(&HeaderName::from_static(name)), "{name}");
        }
        assert!(!by.is_ours(&FOR));
    }

    #[test]
    fn what_trusted_proxies_say_of_https_is_believed() {
        let by = by(Told::XForwarded, &["10.0.0.0/8"]);
        let is_https = |peer: &str, is_tls, headers: &[(&'static str, &str)]| {
            let whence = Whence { peer: peer.parse().ok(), is_tls, subject: None };
            by.is_https(whence, &request(headers).headers)
        };
        let https = [("x-forwarded-proto", "HTTPS")];
        assert!(is_https("10.0.0.1", false, &https));
        assert!(!is_https("192.0.2.1", false, &https));
        assert!(!is_https("10.0.0.1", true, &[("x-forwarded-proto", "http")]));
        assert!(is_https("10.0.0.1", true, &[]));
    }

    #[test]
    fn the_client_is_the_last_one_whom_no_trusted_proxy_stands_for() {
        let by = by(Told::XForwarded, &["10.0.0.0/8", "::1/128"]);
        let client = |peer: &str, headers: &[(&'static str, &str)]| {
            by.client(peer.parse().unwrap(), &request(headers).headers).to_string()
        };
        let chain = [("x-forwarded-for", "6.6.6.6, 1.2.3.4:99 ,10.1.1.1")];
        assert_eq!(client("192.0.2.1", &chain), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &chain), "1.2.3.4");
        assert_eq!(client("::ffff:10.0.0.1", &chain), "1.2.3.4");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "unknown")]), "10.0.0.1");
        let element = [("forwarded", "for=6.6.6.6;proto=http, For=\"[2001:db8::7]:80\"")];
        assert_eq!(client("::1", &element), "2001:db8::7");
        assert_eq!(client("::1", &[("forwarded", "proto=http")]), "::1");
    }
}
