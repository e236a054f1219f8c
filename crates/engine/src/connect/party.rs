//! The party: who we are at an authorization server, in one request to it.
//!
//! An integration's client with its secret, or the client that somebody typed in, and how it proves that it is that one.
//! Must never be kept beyond a request: an assertion is for one alone.

use std::collections::BTreeMap;

use claviger_catalog::{CertificateAt, ClientSource, Grant, Provider};
use claviger_protocol::{
    assertion::grant::server,
    dpop::is_type,
    keys,
    oauth2::{Client, ClientAuth, TokenError, TokenErrorKind, Tokens},
};

use super::{
    assertion, certificate, client_key,
    dpop::{self, Prover},
    endpoints, tokens,
};
use crate::{
    broker::Broker,
    domain::{flow::Endpoints, integration::Integration},
    error::{Error, Result},
    outbound::Outbound,
    secret::Secret,
};

/// Who we are.
pub(crate) struct Party {
    id: String,
    secret: Option<Secret>,
    auth: ClientAuth,
    assertion: Option<Secret>,
    grant: Option<Secret>,
    prover: Option<Prover>,
    way: Option<Outbound>,
}

impl Party {
    /// As requests are built with it.
    pub(crate) fn client(&self) -> Client<'_> {
        let (secret, assertion) = (self.secret.as_ref(), self.assertion.as_ref());
        Client { id: &self.id, secret, auth: self.auth, assertion }
    }

    /// The same with the key that these tokens are bound to, where there is one, in place of a fresh one or of none: what
    /// is bound to it is of no use with another (RFC 9449 §5), whatever new connections are to have.
    pub(super) fn holding(mut self, held: &Tokens) -> Result<Self> {
        if let Some(kept) = &held.dpop_key {
            self.prover = Some(Prover::with(kept)?);
        }
        Ok(self)
    }

    /// The tokens of an answer, with the key that the request proved. Also where they are shown alone: the refresh token
    /// of a public client is bound all the same (RFC 9449 §5).
    ///
    /// # Errors
    /// For tokens that need a proof where no key was proved: nobody could use them.
    pub(super) fn bind(&self, got: Tokens) -> std::result::Result<Tokens, TokenError> {
        match &self.prover {
            Some(prover) => Ok(Tokens { dpop_key: Some(prover.kept().clone()), ..got }),
            None if is_type(&got.token_type) => Err(TokenError {
                kind: TokenErrorKind::Unreadable,
                code: None,
                description: Some(
                    "the token is bound to a key that nobody has: `dpop` is not set".to_owned(),
                ),
                retry_after: None,
            }),
            None => Ok(got),
        }
    }

    /// The way that its requests take, where that is not the usual one: over connections with a client certificate.
    pub(super) fn way(&self) -> Option<&Outbound> {
        self.way.as_ref()
    }

    /// What proves its token requests, where a server wants that.
    pub(super) fn prover(&self) -> Option<&Prover> {
        self.prover.as_ref()
    }

    /// The client's secret, which a server could repeat.
    pub(crate) fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    /// The same with the assertion that asks for a token (RFC 7523 §2.1).
    pub(super) fn asserting(self, grant: Secret) -> Self {
        Self { grant: Some(grant), ..self }
    }

    /// The assertion that asks for a token, where there is one.
    pub(super) fn grant(&self) -> Option<&Secret> {
        self.grant.as_ref()
    }

    /// Everything that a server could repeat: the client's secret, and what was signed for this request.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Secret> {
        [&self.secret, &self.assertion, &self.grant].into_iter().flatten()
    }
}

/// Who we are at the authorization server at these endpoints, in a request to this URL: the integration's client, or the
/// one among what was `typed`, where the provider's file says so. `provider` is filled.
///
/// # Errors
/// `Conflict` when the integration has no client where one is needed.
pub(crate) async fn of(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    (at, url): (&Endpoints, &str),
    typed: &BTreeMap<String, Secret>,
) -> Result<Party> {
    let oauth2 = endpoints::oauth2(provider)?;
    let (id, secret) = if oauth2.client == ClientSource::Connection {
        let (id, secret) = keys::client(typed).ok_or_else(|| Error::internal("no client was typed in"))?;
        (id.to_owned(), Some(secret.clone()))
    } else {
        let id = match (&integration.client_id, oauth2.grant) {
            (Some(id), _) => id.clone(),
            // The assertion itself says who asks (RFC 7523 §3.1).
            (None, Grant::JwtBearer | Grant::TokenExchange) => String::new(),
            (None, _) => return Err(endpoints::no_client(integration)),
        };
        (id, tokens::client_secret(broker, integration)?)
    };
    let auth = client_key::auth(provider, integration);
    let auth = auth.ok_or_else(|| Error::internal("an unknown client_auth was stored"))?;
    let server = server(oauth2, at.issuer.as_deref(), url);
    let assertion = match auth {
        // Without a client nobody authenticates: the assertion of the grant says who asks.
        _ if id.is_empty() => None,
        ClientAuth::PrivateKeyJwt => Some(assertion::of_client(broker, integration, &id, server).await?),
        ClientAuth::ClientSecretJwt => {
            Some(assertion::of_secret(broker, integration, (&id, secret.as_ref()), server)?)
        }
        ClientAuth::Basic | ClientAuth::Body | ClientAuth::None | ClientAuth::Tls => None,
    };
    let way = certificate::way(broker, integration, provider, typed, CertificateAt::Token).await?;
    let prover = dpop::wanted(integration, oauth2).then(Prover::fresh).transpose()?;
    Ok(Party { id, secret, auth, assertion, grant: None, prover, way })
}
