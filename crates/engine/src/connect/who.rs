//! Who: whose account it is, as the provider says.
//!
//! A provider that does not say leaves a connection without a name, not without life.

use std::collections::BTreeMap;

use claviger_catalog::{Api, IdentitySource, Provider};
use claviger_protocol::{identity, oauth2::Tokens};
use http::StatusCode;
use serde_json::Value;

use super::{call, verify};
use crate::{
    broker::Broker,
    domain::integration::Integration,
    error::{Error, Result},
};

/// What the provider said.
pub(super) enum Told {
    /// Whose account it is, in answer to a call.
    Account(identity::Account),
    /// Whose account it is, as it came along with the tokens: nobody was asked.
    Along(identity::Account),
    /// Nothing is asked of this provider, or there is nowhere to ask.
    Nothing,
    /// It answered with this status, not one of success, in these words.
    Status(StatusCode, Option<String>),
}

/// Asks, where the provider's file says how. `provider` is filled, `inputs` is what it was filled with.
///
/// # Errors
/// `Provider` when it can't be reached, `Internal` when the call can't be built.
pub(super) async fn ask(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
    userinfo: Option<&str>,
    tokens: &Tokens,
) -> Result<Told> {
    let Some(about) = &provider.identity else { return Ok(Told::Nothing) };
    if let Some(known) = identity::from_tokens(about, tokens) {
        return Ok(Told::Along(known));
    }
    let api = api(integration, provider, inputs);
    let request = identity::request(about, userinfo, &api, tokens)
        .map_err(|e| Error::internal(format!("identity call of {}: {e}", provider.key)))?;
    let Some(request) = request else { return Ok(Told::Nothing) };
    let answer = call::fetch(broker, integration, provider, tokens, request).await?;
    Ok(match answer.status() {
        status if status.is_success() => Told::Account(identity::read(about, answer.body())),
        status => Told::Status(status, verify::words(answer.body(), tokens)),
    })
}

/// Whether the provider's file takes the account from the ID token, and asks nobody.
pub(super) fn is_by_id_token(provider: &Provider) -> bool {
    provider.identity.as_ref().is_some_and(|about| about.source == IdentitySource::IdToken)
}

/// The account that an ID token names, whose claims were checked. What it does not tell besides is asked for with `ask`,
/// and believed of this very account only (OpenID Connect Core §5.3.2). A file that finds the account's id in another way
/// than by `sub` keeps that id: connections are known by it.
pub(super) async fn vouched<F: Future<Output = Result<Told>>>(
    provider: &Provider,
    claims: &Value,
    ask: impl Fn() -> F,
) -> identity::Account {
    let Some(about) = &provider.identity else {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        return identity::Account { id: text("sub"), email: text("email"), ..identity::Account::default() };
    };
    if about.source == IdentitySource::IdToken {
        return identity::from_claims(about, claims);
    }
    if about.source != IdentitySource::Userinfo || about.id != "sub" {
        return or_unknown(provider, ask().await);
    }
    let known = identity::from_claims(about, claims);
    if about.save.is_empty() && (known.name.is_some() || known.email.is_some()) {
        return known;
    }
    let told = or_unknown(provider, ask().await);
    if told.id == known.id {
        return told;
    }
    if told.id.is_some() {
        tracing::warn!(provider = %provider.key, "the userinfo endpoint told of another account than the ID token");
    }
    known
}

/// The account as far as it is known; what stands in the way is only logged.
pub(super) fn or_unknown(provider: &Provider, told: Result<Told>) -> identity::Account {
    let why = match told {
        Ok(Told::Account(known) | Told::Along(known)) => return known,
        Ok(Told::Nothing) => return identity::Account::default(),
        Ok(Told::Status(status, _)) => format!("the provider answered {}", status.as_u16()),
        Err(Error::Internal(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(provider = %provider.key, "the account's identity is not known: {why}");
    identity::Account::default()
}

/// The provider's API for this connection: below the integration's own base URL where it has one. Without a base URL
/// when that is not known yet. `provider` is filled.
pub(super) fn api(integration: &Integration, provider: &Provider, inputs: &BTreeMap<String, String>) -> Api {
    let template = integration.config.base_url.as_ref().or(provider.api.base_url.as_ref());
    let base_url = template.and_then(|template| provider.expand(template, inputs).ok());
    Api { base_url, ..provider.api.clone() }
}
