//! Exchange: the provider's code becomes tokens, and the tokens say whose account it is.
//!
//! It talks to the provider and writes nothing; [`super::record`] writes.

use std::collections::BTreeMap;

use claviger_catalog::Provider;
use claviger_protocol::oauth2::{Client, TokenError, TokenErrorKind, Tokens, read, token};

use super::{ANSWER_CAP, endpoints, grant::Grant, start, tokens, who};
use crate::{
    broker::Broker,
    domain::{connection::Account, flow::Flow, integration::Integration},
    error::{Error, ProviderFault, Result},
    secret::Secret,
};

/// What came of a code.
pub(super) struct Exchanged {
    /// The tokens.
    pub tokens: Tokens,
    /// Who the account is, as far as the provider says.
    pub account: Account,
    /// The flow's inputs, and what the callback, the token answer and the identity gave besides.
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
    grant: Grant,
) -> Result<Exchanged> {
    let mut inputs = flow.inputs.clone();
    inputs.extend(grant.saved.clone());
    let filled = endpoints::filled(provider, &inputs)?;
    let secret = tokens::client_secret(broker, integration)?;
    let client = endpoints::client(&filled, integration, secret.as_ref())?;
    let got = redeem(broker, flow, &filled, &client, &grant).await?;
    let got = upgrade(broker, &filled, &client, got).await?;
    inputs.extend(got.saved.clone());

    let filled = endpoints::filled(provider, &inputs)?;
    let userinfo = flow.endpoints.as_ref().and_then(|at| at.userinfo_url.as_deref());
    let found = who::ask(broker, integration, &filled, &inputs, userinfo, &got).await;
    let found = who::or_unknown(&filled, found);
    inputs.extend(found.saved);
    let account = Account { id: found.id, name: found.name, email: found.email };
    Ok(Exchanged { tokens: got, account, inputs })
}

/// The token request.
async fn redeem(
    broker: &Broker,
    flow: &Flow,
    provider: &Provider,
    client: &Client<'_>,
    grant: &Grant,
) -> Result<Tokens> {
    let oauth2 = endpoints::oauth2(provider)?;
    let at = flow.endpoints.as_ref().ok_or_else(|| Error::internal("a taken flow has no endpoints"))?;
    let aad = start::verifier_aad(flow);
    let verifier = flow.verifier.as_ref().map(|sealed| broker.vault.open(&aad, sealed)).transpose()?;
    let mut extra = BTreeMap::new();
    if oauth2.token.resend_state {
        extra.insert("state".to_owned(), grant.state.expose().to_owned());
    }
    // A file's token URL may name what only the callback told.
    let url = oauth2.endpoints.token_url.as_deref().unwrap_or(&at.token_url);
    let request =
        token::exchange(oauth2, url, client, &grant.code, &at.redirect_uri, verifier.as_ref(), &extra)
            .map_err(|e| Error::internal(format!("token request of {}: {e}", flow.integration_id)))?;
    let answer = broker.outbound.fetch(request, ANSWER_CAP).await?;
    let now = broker.clock.now().0;
    read::tokens(oauth2, answer.status(), answer.headers(), answer.body(), now).map_err(|error| {
        let sent = [Some(&grant.code), Some(&grant.state), verifier.as_ref(), client.secret];
        refusal(error, &sent)
    })
}

/// Trades a token for a long-lived one, where the provider's file says so.
async fn upgrade(broker: &Broker, provider: &Provider, client: &Client<'_>, got: Tokens) -> Result<Tokens> {
    let oauth2 = endpoints::oauth2(provider)?;
    let request = token::upgrade(oauth2, client, &got)
        .map_err(|e| Error::internal(format!("upgrade request of {}: {e}", provider.key)))?;
    let Some(request) = request else { return Ok(got) };
    let answer = broker.outbound.fetch(request, ANSWER_CAP).await?;
    let now = broker.clock.now().0;
    match read::tokens(oauth2, answer.status(), answer.headers(), answer.body(), now) {
        Ok(newer) => Ok(got.renewed(newer)),
        Err(error) => {
            Err(refusal(error, &[Some(&got.access_token), got.refresh_token.as_ref(), client.secret]))
        }
    }
}

/// A token endpoint's error as ours, without what was sent to it.
pub(crate) fn refusal(error: TokenError, sent: &[Option<&Secret>]) -> Error {
    let sent: Vec<&Secret> = sent.iter().copied().flatten().collect();
    let error = error.hiding(&sent);
    let fault = match error.kind {
        TokenErrorKind::Transient => ProviderFault::Unreachable,
        TokenErrorKind::Oauth => ProviderFault::Refused,
        TokenErrorKind::Unreadable => ProviderFault::Unreadable,
    };
    Error::Provider { fault, message: error.words() }
}
