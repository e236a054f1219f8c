//! Assertions of ours: signed words that say who a client is (RFC 7523 §2.2), or in whose name a token is asked for
//! (§2.1).
//!
//! Each is made for one request and never kept. Its audience is the issuer that was found, or that the provider's file
//! names: metadata says where to send it, and never for whom it is. Where endpoints were entered by hand it is the exact
//! URL that it is sent to, for nobody has looked whether an issuer beside them is theirs. Or else a hostile server could
//! have one signed that is good at an honest one.

use std::collections::BTreeMap;

use claviger_catalog::Provider;
use claviger_protocol::assertion::{
    self,
    grant::{Asked, Unmade},
};

use super::{client_key, endpoints};
use crate::{
    broker::Broker,
    domain::{flow::Endpoints, integration::Integration},
    error::{Error, Result},
    secret::{Secret, token},
};

/// What an integration's client says of itself with a key of ours, to this `server`.
///
/// # Errors
/// `Conflict` when it has no client id.
pub(super) async fn of_client(
    broker: &Broker,
    integration: &Integration,
    client: &str,
    server: &str,
) -> Result<Secret> {
    if client.is_empty() {
        return Err(endpoints::no_client(integration));
    }
    let signer = client_key::signer(broker, integration, client_key::of_client(integration)).await?;
    let (id, now) = (token()?, broker.clock.now().0);
    let claims = assertion::of_client(client, server, id.expose(), now);
    assertion::by_key(&signer.key, signer.alg, Some(&signer.kid), &claims)
        .map_err(|e| Error::internal(e.to_string()))
}

/// What a client says of itself with its secret, to this `server`.
///
/// # Errors
/// `Conflict` when it has no id, or no secret.
pub(super) fn of_secret(
    broker: &Broker,
    integration: &Integration,
    (client, secret): (&str, Option<&Secret>),
    server: &str,
) -> Result<Secret> {
    if client.is_empty() {
        return Err(endpoints::no_client(integration));
    }
    let missing =
        || Error::Conflict { message: format!("integration `{}` has no client secret yet", integration.key) };
    let secret = secret.filter(|secret| !secret.is_empty()).ok_or_else(missing)?;
    let (id, now) = (token()?, broker.clock.now().0);
    Ok(assertion::by_secret(secret, &assertion::of_client(client, server, id.expose(), now)))
}

/// What is shown to the token endpoint, at this URL, to get a token, by the provider's file and with what was `typed`.
/// `provider` is filled.
///
/// # Errors
/// `Invalid` where the typed key is none that signs so; `Conflict` where nothing says who asks.
pub(super) async fn grant(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    (at, url): (&Endpoints, &str),
    typed: &BTreeMap<String, Secret>,
) -> Result<Secret> {
    let oauth2 = endpoints::oauth2(provider)?;
    let (id, now) = (token()?, broker.clock.now().0);
    let (issuer, client_id) = (at.issuer.as_deref(), integration.client_id.as_deref());
    let (scopes, id) = (at.scopes.as_slice(), id.expose());
    let asked = Asked { client_id, issuer, token_url: url, typed, scopes, id, now };
    let unmade = |why| match why {
        Unmade::Key(fault) => Error::invalid("connection_parameters", fault.to_string()),
        Unmade::Nobody => endpoints::no_client(integration),
        Unmade::Protocol(error) => Error::internal(error.to_string()),
    };
    let alg = oauth2.assertion.as_ref().and_then(|table| table.alg);
    let signer = match assertion::grant::typed(oauth2, &asked).map_err(unmade)? {
        Some(signer) => signer,
        None => client_key::signer(broker, integration, alg.unwrap_or_default()).await?,
    };
    assertion::grant::make(oauth2, &asked, &signer).map_err(unmade)
}
