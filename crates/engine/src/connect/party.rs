//! The party: who we are at an authorization server, in one request to it.
//!
//! An integration's client with its secret, or the client that somebody typed in, and how it proves that it is that one.
//! Must never be kept beyond a request: an assertion is for one alone.

use std::collections::BTreeMap;

use claviger_catalog::{ClientSource, Grant, Provider};
use claviger_protocol::{
    keys,
    oauth2::{Client, ClientAuth},
};

use super::{endpoints, tokens};
use crate::{
    broker::Broker,
    domain::{flow::Endpoints, integration::Integration},
    error::{Error, Result},
    secret::Secret,
};

/// Who we are.
pub(crate) struct Party {
    id: String,
    secret: Option<Secret>,
    auth: ClientAuth,
    assertion: Option<Secret>,
}

impl Party {
    /// As requests are built with it.
    pub(crate) fn client(&self) -> Client<'_> {
        let (secret, assertion) = (self.secret.as_ref(), self.assertion.as_ref());
        Client { id: &self.id, secret, auth: self.auth, assertion }
    }

    /// The client's secret, which a server could repeat.
    pub(crate) fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }
}

/// Who we are at the authorization server at these endpoints: the integration's client, or the one among what was
/// `typed`, where the provider's file says so. `provider` is filled.
///
/// # Errors
/// `Conflict` when the integration has no client where one is needed.
#[expect(clippy::unused_async, reason = "making an assertion asks the store for the key that signs it")]
pub(crate) async fn of(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    _at: &Endpoints,
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
            (None, Grant::JwtBearer) => String::new(),
            (None, _) => return Err(endpoints::no_client(integration)),
        };
        (id, tokens::client_secret(broker, integration)?)
    };
    let auth = match integration.config.client_auth.as_deref() {
        Some(text) => {
            ClientAuth::parse(text).ok_or_else(|| Error::internal("an unknown client_auth was stored"))?
        }
        None => oauth2.client_auth,
    };
    Ok(Party { id, secret, auth, assertion: None })
}
