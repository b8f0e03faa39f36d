//! Kubernetes, where the balancer runs in it or beside it: who scales its hosts, and which of their
//! pods is to end first.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;

use super::reader::Section;
use crate::tls::unbracketed;

const SECOND: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KubernetesConfig {
    /// Where KEDA asks how many hosts are wanted.
    pub keda: Option<SocketAddr>,
    /// How pods are told which of them is to end first; `None` where they are not.
    pub pods: Option<PodsConfig>,
}

/// How the pods of the hosts are told which of them is to end first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodsConfig {
    /// The API server; `None`: as the environment of a pod says.
    pub api: Option<Uri>,
    /// Where the pods are; `None`: where the balancer is.
    pub namespace: Option<String>,
    /// Which pods are looked at, as a label selector; empty: all.
    pub selector: String,
    /// The folder of the files `token`, `ca.crt` and `namespace`.
    pub service_account: PathBuf,
    /// Between two looks.
    pub interval: Duration,
}

/// Reads `[kubernetes]`. `own` are the balancer's other addresses, with their keys.
pub(super) fn read(
    mut section: Section<'_>,
    own: &[(&'static str, SocketAddr)],
) -> KubernetesConfig {
    let expected = "an IP address and a port, such as \"0.0.0.0:9091\", or \"\" for none";
    let keda = section.text("keda", expected, |text| match text {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    });
    let keda = keda.flatten();
    let taken = own.iter().find(|(_, address)| Some(*address) == keda && address.port() != 0);
    section.check(taken.is_none(), &["keda"], || {
        let (key, address) = taken.copied().unwrap_or(("", SocketAddr::from(([0; 4], 0))));
        format!("kubernetes.keda and {key} are both `{address}`: expected two addresses")
    });
    let costs = section.flag("pod_deletion_cost");
    let pods = pods(&mut section);
    section.finish();
    KubernetesConfig { keda, pods: costs.then_some(pods) }
}

fn pods(section: &mut Section<'_>) -> PodsConfig {
    let expected = "a URL such as \"https://10.0.0.1:6443\", or \"auto\"";
    let api = section.text("api", expected, |text| match text {
        "auto" => Some(None),
        text => url(text).map(Some),
    });
    let expected = "a name of small letters, digits and -, or \"\" for its own";
    let namespace = section.text("namespace", expected, |text| {
        is_label(text).then(|| (!text.is_empty()).then(|| text.to_owned()))
    });
    let expected = "a label selector, such as \"app=worker\", or \"\" for all";
    let is_plain = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let selector = section.text("selector", expected, |text| {
        (text.len() <= 1024 && is_plain(text)).then(|| text.to_owned())
    });
    PodsConfig {
        api: api.flatten(),
        namespace: namespace.flatten(),
        selector: selector.unwrap_or_default(),
        service_account: section.path("service_account", "the path of a folder"),
        interval: section.duration("interval", SECOND..=3600 * SECOND),
    }
}

/// An API server: by TLS, or on this machine without.
fn url(text: &str) -> Option<Uri> {
    let url: Uri = text.parse().ok()?;
    let is_tls = url.scheme() == Some(&Scheme::HTTPS);
    let is_plain = url.scheme() == Some(&Scheme::HTTP) && url.host().is_some_and(is_here);
    (matches!(url.path(), "" | "/") && url.query().is_none() && (is_tls || is_plain)).then_some(url)
}

/// Whether what is sent to `host` stays on this machine.
fn is_here(host: &str) -> bool {
    let ip = unbracketed(host).parse();
    host == "localhost" || ip.is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// Whether `text` may be the name of a namespace (RFC 1123), or is empty.
fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= 63 && text.bytes().all(plain) && !text.starts_with('-') && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_server_is_reached_by_tls_or_on_this_machine() {
        for text in ["https://10.0.0.1:6443", "https://kubernetes.default.svc", "http://[::1]:8001"]
        {
            assert!(url(text).is_some(), "{text}");
        }
        for text in ["http://10.0.0.1:8001", "https://a/b", "10.0.0.1:6443", "https://a?b", ""] {
            assert!(url(text).is_none(), "{text}");
        }
    }
}
