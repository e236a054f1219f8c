//! Exchange: the provider's code becomes tokens, and the tokens say whose account it is.
//!
//! It talks to the provider and writes nothing; [`super::record`] writes.

use std::collections::BTreeMap;

use claviger_catalog::Provider;
use claviger_protocol::{
    identity,
    oauth2::{TokenError, TokenErrorKind, Tokens, read, token},
};

use super::{ANSWER_CAP, endpoints, start, tokens};
use crate::{
    broker::Broker,
    domain::{
        connection::Account,
        flow::{Endpoints, Flow},
        integration::Integration,
    },
    error::{Error, ProviderFault, Result},
    secret::Secret,
};

/// What came of a code.
pub(super) struct Exchanged {
    /// The tokens.
    pub tokens: Tokens,
    /// Who the account is, as far as the provider says.
    pub account: Account,
    /// The flow's inputs, and what the callback and the token answer gave besides.
    pub inputs: BTreeMap<String, String>,
}

/// Redeems the provider's code, once.
///
/// # Errors
/// `Provider` with what went wrong, in the provider's words where it has any.
pub(super) async fn exchange(
    broker: &Broker,
    flow: &Flow,
    integration: &Integration,
    provider: &Provider,
    code: &Secret,
    saved: BTreeMap<String, String>,
) -> Result<Exchanged> {
    let mut inputs = flow.inputs.clone();
    inputs.extend(saved.clone());
    let provider = &endpoints::filled(provider, &inputs)?;
    let oauth2 = endpoints::oauth2(provider)?;
    let at = flow.endpoints.as_ref().ok_or_else(|| Error::internal("a taken flow has no endpoints"))?;
    let secret = tokens::client_secret(broker, integration)?;
    let client = endpoints::client(provider, integration, secret.as_ref())?;
    let aad = start::verifier_aad(flow);
    let verifier = flow.verifier.as_ref().map(|sealed| broker.vault.open(&aad, sealed)).transpose()?;
    let request =
        token::exchange(oauth2, &at.token_url, &client, code, &at.redirect_uri, verifier.as_ref(), &saved)
            .map_err(|e| Error::internal(format!("token request of {}: {e}", integration.id)))?;
    let answer = broker.outbound.fetch(request, ANSWER_CAP).await?;
    let got = read::tokens(oauth2, answer.status(), answer.headers(), answer.body(), broker.clock.now().0)
        .map_err(|e| refusal(&e))?;
    let account = who(broker, provider, at, &got).await;
    inputs.extend(got.saved.clone());
    Ok(Exchanged { tokens: got, account, inputs })
}

/// A token endpoint's error as ours.
pub(crate) fn refusal(error: &TokenError) -> Error {
    let said = match (&error.code, &error.description) {
        (Some(code), Some(text)) => format!("{code}: {text}"),
        (Some(only), None) | (None, Some(only)) => only.clone(),
        (None, None) => "its answer could not be read".to_owned(),
    };
    let fault = match error.kind {
        TokenErrorKind::Transient => ProviderFault::Unreachable,
        TokenErrorKind::Oauth | TokenErrorKind::Unreadable => ProviderFault::Refused,
    };
    Error::Provider { fault, message: said }
}

/// Asks whose account it is. A provider that does not say leaves a connection without a name, not without life.
async fn who(broker: &Broker, provider: &Provider, at: &Endpoints, tokens: &Tokens) -> Account {
    let Some(about) = &provider.identity else { return Account::default() };
    let request = match identity::request(about, at.userinfo_url.as_deref(), None, tokens) {
        Ok(Some(request)) => request,
        Ok(None) => return Account::default(),
        Err(error) => {
            tracing::warn!(provider = %provider.key, %error, "the identity call could not be built");
            return Account::default();
        }
    };
    match broker.outbound.fetch(request, ANSWER_CAP).await {
        Ok(answer) if answer.status().is_success() => {
            let found = identity::read(about, answer.body());
            Account { id: found.id, name: found.name, email: found.email }
        }
        Ok(answer) => {
            tracing::warn!(provider = %provider.key, status = answer.status().as_u16(), "the identity call failed");
            Account::default()
        }
        Err(error) => {
            tracing::warn!(provider = %provider.key, error = %error.message, "the identity call failed");
            Account::default()
        }
    }
}
