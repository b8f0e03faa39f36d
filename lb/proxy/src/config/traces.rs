//! Traces: who collects them, and of which requests they are taken.

use std::time::Duration;

use http::uri::Scheme;
use http::{HeaderName, HeaderValue, Uri};

use super::reader::Section;
use super::{LoggedQuery, logged_query};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const MS: Duration = Duration::from_millis(1);

/// Where OTLP over HTTP takes traces, unless the endpoint says otherwise.
const PATH: &str = "/v1/traces";

/// The most headers that a collector is sent.
const HEADERS_MAX: usize = 16;

/// Headers that say what a message is, which it does itself.
const OWN: [&str; 6] =
    ["host", "content-type", "content-length", "content-encoding", "connection", "user-agent"];

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct TracesConfig {
    /// The collector; `None`: no traces are taken.
    pub endpoint: Option<Endpoint>,
    /// The fraction of the traces that begin here that are recorded.
    pub sample_ratio: f64,
    /// What the balancer is called in them.
    pub service_name: String,
    /// What the collector is sent besides.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What they say of queries.
    pub query: LoggedQuery,
    /// The longest `tracestate` that is passed on, in bytes.
    pub state_bytes_max: usize,
    /// The most requests whose spans wait to be sent; at least 1.
    pub queue_max: usize,
    /// Spans wait at most this long for others before they are sent.
    pub interval: Duration,
    /// The longest that one try of sending may take.
    pub timeout: Duration,
}

/// Where a collector takes traces.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether it speaks TLS.
    pub is_tls: bool,
    /// Its name or address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The host with its port, where that is not the scheme's.
    pub authority: String,
    /// The path with the query.
    pub path: String,
}

/// Reads `[traces]`.
pub(super) fn read(mut section: Section<'_>) -> TracesConfig {
    let expected = "\"\" for none, or a URL, such as \"http://127.0.0.1:4318\"";
    let endpoint = section.text("endpoint", expected, |text| match text {
        "" => Some(None),
        text => Endpoint::parse(text).map(Some),
    });
    let expected = "a name of 1 to 255 visible characters";
    let is_name = |text: &str| {
        (1..=255).contains(&text.len()) && text.chars().all(|c| !c.is_control() && c != ' ')
    };
    let service_name =
        section.text("service_name", expected, |text| is_name(text).then(|| text.to_owned()));
    let traces = TracesConfig {
        endpoint: endpoint.flatten(),
        sample_ratio: section.number("sample_ratio", 0.0..=1.0),
        service_name: service_name.unwrap_or_default(),
        headers: headers(&mut section),
        query: logged_query(&mut section),
        state_bytes_max: usize::try_from(section.size("state_bytes_max", 0..=8 << 10))
            .unwrap_or_default(),
        queue_max: section.whole("queue_max", 1..=100_000),
        interval: section.duration("interval", 10 * MS..=MINUTE),
        timeout: section.duration("timeout", 100 * MS..=60 * SECOND),
    };
    section.finish();
    traces
}

fn headers(section: &mut Section<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let lines = section.texts("headers", "a list of lines \"NAME: VALUE\"");
    section.check(lines.len() <= HEADERS_MAX, &["headers"], || {
        format!("{} has more than {HEADERS_MAX} entries", section.name("headers"))
    });
    let mut headers = Vec::new();
    for (nth, line) in lines.iter().enumerate() {
        let header = header(line);
        section.check(header.is_some(), &["headers"], || {
            let key = section.name("headers");
            // What has no name may be a secret as a whole.
            let named = line.split_once(':').map(|(name, _)| format!("`{name}`"));
            let named = named.unwrap_or_else(|| format!("the entry {}", nth + 1));
            format!("{key} has {named}: expected \"NAME: VALUE\", and no name that is set here")
        });
        headers.extend(header);
    }
    headers
}

fn header(line: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = line.split_once(':')?;
    let name = HeaderName::try_from(name.trim()).ok()?;
    let value = HeaderValue::try_from(value.trim()).ok()?;
    (!OWN.contains(&name.as_str())).then_some((name, value))
}

// === impl Endpoint ===

impl Endpoint {
    /// What `text`, a URL, says; `None` where it is none that begins with `http://` or `https://`,
    /// or has a user.
    fn parse(text: &str) -> Option<Endpoint> {
        let uri: Uri = text.parse().ok()?;
        let is_tls = match uri.scheme()? {
            scheme if *scheme == Scheme::HTTPS => true,
            scheme if *scheme == Scheme::HTTP => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
        if authority.as_str().contains('@') || host.is_empty() {
            return None;
        }
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path == "/" { PATH } else { path }.to_owned();
        Some(Endpoint { is_tls, host, port, authority: authority.as_str().to_owned(), path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_the_collector_is() {
        let parsed = |text: &str| {
            Endpoint::parse(text).map(|e| (e.is_tls, e.host, e.port, e.authority, e.path))
        };
        let of = |is_tls, host: &str, port, authority: &str, path: &str| {
            Some((is_tls, host.to_owned(), port, authority.to_owned(), path.to_owned()))
        };
        assert_eq!(
            parsed("http://127.0.0.1:4318"),
            of(false, "127.0.0.1", 4318, "127.0.0.1:4318", "/v1/traces")
        );
        assert_eq!(
            parsed("https://otlp.example/api/traces?x=1"),
            of(true, "otlp.example", 443, "otlp.example", "/api/traces?x=1")
        );
        assert_eq!(parsed("http://[::1]:1/"), of(false, "::1", 1, "[::1]:1", "/v1/traces"));
        for bad in ["", "127.0.0.1:4318", "grpc://a:1", "http://", "http://u@a", "/v1/traces"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_header_has_a_name_of_its_own_and_a_value() {
        let (name, value) = header("Authorization: Bearer a:b").unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("authorization", "Bearer a:b"));
        for bad in ["", "Host: a", "content-type: text/plain", "no value", "a b: c", "x: a\nb"] {
            assert!(header(bad).is_none(), "{bad}");
        }
    }
}
