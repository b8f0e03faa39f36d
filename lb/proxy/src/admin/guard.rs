//! Who may change something: whoever comes by the Unix socket or shows the token; where neither is
//! configured, whoever is on this machine. Of pages in browsers, only the balancer's own.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;

use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, ORIGIN};
use http::{Method, Request, StatusCode};

use crate::answer::Problem;
use crate::config::Config;

/// The shortest token: shorter ones are guessed.
pub(crate) const TOKEN_BYTES_MIN: usize = 16;

/// The longest file of a token that is read.
const TOKEN_BYTES_MAX: u64 = 4 << 10;

/// How a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// By TCP, from this address.
    Tcp(SocketAddr),
    /// By the Unix socket.
    Socket,
}

impl Via {
    /// Where it has come from, if that is told.
    pub(super) fn peer(self) -> Option<SocketAddr> {
        match self {
            Via::Tcp(peer) => Some(peer),
            Via::Socket => None,
        }
    }
}

/// Whether a request by `method` may change something at `path`. Asking what would happen does not.
pub(super) fn changes(method: &Method, path: &str) -> bool {
    let is_explain = path == "/explain" || path.starts_with("/explain/");
    !is_explain && !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Why `request`, which came by `via`, may change nothing; `None` where it may.
pub(super) fn refused<B>(config: &Config, request: &Request<B>, via: Via) -> Option<Problem> {
    let headers = request.headers();
    let forbidden = |detail: &str| Some(Problem::new(StatusCode::FORBIDDEN, detail));
    // Every browser says where the page is from that sends such a request.
    if let Some(origin) = headers.get(ORIGIN)
        && !is_own(config, request, origin, via)
    {
        let detail = "a page from elsewhere may change nothing: `Origin` is not this address";
        return forbidden(detail).map(|problem| problem.at("origin"));
    }
    let Via::Tcp(peer) = via else { return None };
    match (&config.admin_token_file, &config.admin_socket) {
        (Some(file), _) => without_token(headers, file),
        (None, Some(_)) => {
            forbidden("a change needs the socket `admin_socket`, or `admin_token_file`")
        }
        (None, None) if peer.ip().to_canonical().is_loopback() => None,
        (None, None) => forbidden("a change from another machine needs `admin_token_file`"),
    }
}

/// Whether `origin` is that of the page of this address, which `request` names: one that is an
/// address or was allowed, so that nobody else's page has it.
fn is_own<B>(config: &Config, request: &Request<B>, origin: &HeaderValue, via: Via) -> bool {
    let fetched_from = request.headers().get("sec-fetch-site");
    if via == Via::Socket || fetched_from.is_some_and(|site| site != "same-origin") {
        return false;
    }
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let (Some(named), Ok(origin)) = (named, origin.to_str()) else { return false };
    let schemes: &[&str] = match config.admin_tls {
        Some(_) => &["https"],
        // Somebody in front of it may speak TLS.
        None => &["http", "https"],
    };
    let is_own = |(scheme, authority): (&str, &str)| {
        schemes.contains(&scheme) && authority.eq_ignore_ascii_case(named)
    };
    origin.split_once("://").is_some_and(is_own)
}

/// Why `headers` do not show the token in `file`, if so. The file is read each time: a new token
/// counts at once.
fn without_token(headers: &HeaderMap, file: &Path) -> Option<Problem> {
    let token = match token(file) {
        Ok(token) => token,
        Err(error) => {
            tracing::error!(error, "nobody can change anything: the token cannot be read");
            let detail = "the token cannot be read: see the log";
            return Some(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
        }
    };
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.split_once(' '));
    let shown = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let is_it = shown.is_some_and(|(_, shown)| is_same(shown.trim().as_bytes(), token.as_bytes()));
    (!is_it).then(|| {
        let detail = "a change needs `Authorization: Bearer` with the token of `admin_token_file`";
        Problem::new(StatusCode::UNAUTHORIZED, detail).at("authorization")
    })
}

/// The token in `file`, without the line break at its end; or what is wrong with it.
pub(crate) fn token(file: &Path) -> Result<String, String> {
    let shown = file.display();
    let failed = |error| format!("cannot read `{shown}`: {error}");
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(failed)?;
    opened.take(TOKEN_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    let token = text.trim();
    let is_token =
        TOKEN_BYTES_MIN <= token.len() && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_token {
        return Ok(token.to_owned());
    }
    Err(format!(
        "`{shown}` has no token: expected one line of at least {TOKEN_BYTES_MIN} visible characters"
    ))
}

/// Whether both are the same, in a time that does not tell where they differ.
fn is_same(shown: &[u8], token: &[u8]) -> bool {
    let differences = shown.iter().zip(token).fold(0, |sum, (a, b)| sum | (a ^ b));
    shown.len() == token.len() && std::hint::black_box(differences) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_change_nothing() {
        assert!(changes(&Method::POST, "/reload"));
        assert!(changes(&Method::DELETE, "/explained"));
        assert!(!changes(&Method::GET, "/fleet"));
        assert!(!changes(&Method::HEAD, "/healthz"));
        assert!(!changes(&Method::POST, "/explain/blurimage"));
    }

    #[test]
    fn tokens_are_compared_whole() {
        assert!(is_same(b"abc", b"abc"));
        for other in [&b"abd"[..], b"ab", b"abcd", b""] {
            assert!(!is_same(other, b"abc"));
        }
    }

    #[test]
    fn a_file_has_one_token_that_is_not_short() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            token(&file).ok()
        };
        assert_eq!(read("0123456789abcdef\n").as_deref(), Some("0123456789abcdef"));
        for wrong in ["", "short\n", "0123456789 abcdef", "0123456789abcde\u{e9}"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert!(token(&folder.path().join("none")).unwrap_err().starts_with("cannot read `"));
    }
}
