//! One certificate: account, order, challenge, certificate.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order,
    OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::challenges::{Challenge, Challenges, Showing};
use super::https::Https;
use super::state::State;
use crate::config::{AcmeChallenge, AcmeConfig};
use crate::tls::files::FileError;
use crate::tls::hosts::TlsClient;

/// The longest that one order may take.
const ORDER_MAX: Duration = Duration::from_mins(5);

/// How an order is asked after: the authority looks at the name meanwhile.
const POLL: RetryPolicy = RetryPolicy::new().timeout(Duration::from_mins(2));

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum OrderError {
    /// The authority refuses, or cannot be asked.
    #[error("the authority gave none")]
    Authority(#[from] instant_acme::Error),
    /// It has looked, and did not find the challenge. The operator has to see where the name leads.
    #[error("the name does not lead here: {0}")]
    NotFound(String),
    /// It has no challenge of this kind for the name. The operator has to choose another one.
    #[error("the authority offers no challenge `{0}`")]
    NotOffered(&'static str),
    /// It took too long.
    #[error("it took longer than {0:?}")]
    Late(Duration),
    /// A key or what is signed with it cannot be made.
    #[error("no key can be made")]
    Key(#[from] rcgen::Error),
    /// Nothing can be kept.
    #[error("it cannot be kept")]
    Kept(#[from] io::Error),
    /// Nobody is known who signs the authority's own certificate.
    #[error("it is not known who signs the authority's own certificate")]
    Ca(#[from] FileError),
}

/// What an order needs.
pub(super) struct Names<'a> {
    pub(super) config: &'a AcmeConfig,
    pub(super) state: &'a State,
    pub(super) challenges: &'a Arc<Challenges>,
}

impl Names<'_> {
    /// Gets a certificate for `name`, and keeps it.
    pub(super) async fn order(&self, name: &str) -> Result<(), OrderError> {
        let ordered = tokio::time::timeout(ORDER_MAX, self.attempt(name)).await;
        ordered.unwrap_or(Err(OrderError::Late(ORDER_MAX)))
    }

    async fn attempt(&self, name: &str) -> Result<(), OrderError> {
        let account = self.account().await?;
        let names = [Identifier::Dns(name.to_owned())];
        let mut order = match account.new_order(&NewOrder::new(&names)).await {
            Err(error) if is_unknown(&error) => {
                // The next try makes another.
                self.state.forget_account()?;
                return Err(error.into());
            }
            ordered => ordered?,
        };
        let showing = self.answer(&mut order, name).await?;
        let ready = order.poll_ready(&POLL).await;
        match ready {
            Ok(OrderStatus::Ready) => {}
            Ok(_) | Err(instant_acme::Error::Api(_)) => return Err(why(&mut order).await),
            Err(error) => return Err(error.into()),
        }
        drop(showing);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.distinguished_name = DistinguishedName::new();
        order.finalize_csr(params.serialize_request(&key)?.der()).await?;
        let chain = order.poll_certificate(&POLL).await?;
        // One file: its chain and its key always fit.
        Ok(self.state.keep(name, &format!("{chain}\n{}", key.serialize_pem()))?)
    }

    /// The account, made where there is none: one for all names.
    async fn account(&self) -> Result<Account, OrderError> {
        let client = Arc::new(TlsClient::new(self.config.ca.as_deref(), true)?);
        let builder = Account::builder_with_http(Box::new(Https(client)));
        if let Some(credentials) = self.state.account()? {
            return Ok(builder.from_credentials(credentials).await?);
        }
        let contact: Vec<&str> = self.config.contact.iter().map(String::as_str).collect();
        let wanted = NewAccount {
            contact: &contact,
            terms_of_service_agreed: self.config.terms_agreed,
            only_return_existing: false,
        };
        let made = builder.create(&wanted, self.config.directory.clone(), None).await?;
        self.state.keep_account(&made.1)?;
        tracing::info!(directory = self.config.directory, "an account has been made");
        Ok(made.0)
    }

    /// Shows what the authority asks for, and lets it look.
    async fn answer(&self, order: &mut Order, name: &str) -> Result<Option<Showing>, OrderError> {
        let (kind, word) = match self.config.challenge {
            AcmeChallenge::TlsAlpn => (ChallengeType::TlsAlpn01, "tls-alpn-01"),
            AcmeChallenge::Http => (ChallengeType::Http01, "http-01"),
        };
        let mut showing = None;
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization?;
            if authorization.status == AuthorizationStatus::Valid {
                continue;
            }
            let challenge = authorization.challenge(kind.clone());
            let mut challenge = challenge.ok_or(OrderError::NotOffered(word))?;
            let answer = challenge.key_authorization();
            showing = Some(self.challenges.show(match self.config.challenge {
                AcmeChallenge::Http => Challenge::Http {
                    token: challenge.token.clone(),
                    answer: answer.as_str().to_owned(),
                },
                AcmeChallenge::TlsAlpn => {
                    let digest = answer.digest().as_ref().try_into();
                    let digest = digest.map_err(|_| rcgen::Error::CouldNotParseCertificate)?;
                    Challenge::by_tls(name, &digest)?
                }
            }));
            challenge.set_ready().await?;
        }
        Ok(showing)
    }
}

/// Whether the authority does not know the account.
fn is_unknown(error: &instant_acme::Error) -> bool {
    let instant_acme::Error::Api(problem) = error else { return false };
    problem.r#type.as_deref() == Some("urn:ietf:params:acme:error:accountDoesNotExist")
}

/// What the authority says of an order that came to nothing.
async fn why(order: &mut Order) -> OrderError {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        let errors = state.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        if let Some(error) = errors.map(ToString::to_string).next() {
            return OrderError::NotFound(error);
        }
    }
    OrderError::NotFound("the authority does not say why".to_owned())
}
