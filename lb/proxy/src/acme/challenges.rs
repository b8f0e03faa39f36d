//! What an authority finds when it looks whether a name leads here.

use std::sync::Arc;

use parking_lot::RwLock;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

/// The protocol that an authority asks for when it looks by TLS (RFC 8737, section 6.2).
pub(crate) const ALPN: &[u8] = b"acme-tls/1";

/// Where it looks by HTTP (RFC 8555, section 8.3), up to the token.
const PATH: &str = "/.well-known/acme-challenge/";

/// What is shown now: one challenge at most. See the module.
#[derive(Debug, Default)]
pub(crate) struct Challenges {
    shown: RwLock<Option<Challenge>>,
}

/// One challenge, with its answer.
#[derive(Debug)]
pub(super) enum Challenge {
    /// By HTTP, under its token.
    Http { token: String, answer: String },
    /// By TLS, for a name.
    Tls { name: String, certificate: Arc<CertifiedKey> },
}

/// A challenge is shown until this is dropped.
pub(super) struct Showing(Arc<Challenges>);

impl Challenges {
    /// Shows `challenge`, in place of any other.
    pub(super) fn show(self: &Arc<Challenges>, challenge: Challenge) -> Showing {
        *self.shown.write() = Some(challenge);
        Showing(Arc::clone(self))
    }

    /// What is found at `path`.
    pub(crate) fn at(&self, path: &str) -> Option<String> {
        let asked = path.strip_prefix(PATH)?;
        match self.shown.read().as_ref()? {
            Challenge::Http { token, answer } => (token == asked).then(|| answer.clone()),
            Challenge::Tls { .. } => None,
        }
    }

    /// The certificate that is found by TLS for the name `asked`.
    pub(crate) fn certificate(&self, asked: &str) -> Option<Arc<CertifiedKey>> {
        match self.shown.read().as_ref()? {
            Challenge::Tls { name, certificate } => {
                asked.eq_ignore_ascii_case(name).then(|| Arc::clone(certificate))
            }
            Challenge::Http { .. } => None,
        }
    }
}

impl Challenge {
    /// What answers by TLS for `name`: a certificate that nobody has signed, with the `digest` of
    /// the key authorization in it (RFC 8737, section 3).
    pub(super) fn by_tls(name: &str, digest: &[u8; 32]) -> Result<Challenge, rcgen::Error> {
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate()?;
        let chain = vec![params.self_signed(&key)?.der().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = crate::tls::provider().key_provider.load_private_key(key);
        let key = key.map_err(|_| rcgen::Error::CouldNotParseKeyPair)?;
        // Not looked into: it has what none may have that is to be believed.
        let certificate = Arc::new(CertifiedKey::new(chain, key));
        Ok(Challenge::Tls { name: name.to_owned(), certificate })
    }
}

impl Drop for Showing {
    fn drop(&mut self) {
        *self.0.shown.write() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_found_where_it_belongs_and_as_long_as_it_is_shown() {
        let challenges = Arc::new(Challenges::default());
        let (token, answer) = ("token".to_owned(), "answer".to_owned());
        let showing = challenges.show(Challenge::Http { token, answer });
        assert_eq!(challenges.at("/.well-known/acme-challenge/token").as_deref(), Some("answer"));
        for path in ["/.well-known/acme-challenge/", "/.well-known/acme-challenge/toke", "/token"] {
            assert_eq!(challenges.at(path), None, "{path}");
        }
        assert!(challenges.certificate("a.example").is_none());
        drop(showing);
        assert_eq!(challenges.at("/.well-known/acme-challenge/token"), None);
        let _showing = challenges.show(Challenge::by_tls("a.example", &[7; 32]).unwrap());
        assert!(challenges.certificate("A.example").is_some());
        assert!(challenges.certificate("b.example").is_none());
    }
}
