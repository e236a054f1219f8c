//! Renew: one token set in place of another, without anybody's consent: a refresh at a provider's token endpoint
//! (RFC 6749 §6), a token fetched anew with a client's own credentials (§4.4), with an assertion (RFC 7523), in exchange
//! for another (RFC 8693) or in the steps of a provider's file, or one that we make ourselves.
//!
//! It talks to the provider and writes nothing; what it gives must be written, for the token shown may be spent.

use std::collections::BTreeMap;

use claviger_catalog::{Auth, Grant, Provider};
use claviger_protocol::oauth2::{TokenError, TokenErrorKind, Tokens, read, token, token_exchange};

use super::{assertion, endpoints, exchange, issue, party, post, steps};
use crate::{
    broker::Broker,
    domain::{connection::Owner, integration::Integration},
    error::{Error, Result},
    outbound::Guard,
    secret::Secret,
};

/// Gets the tokens that come after `held`, of a connection of `owner`. A request that shows the refresh token leaves while
/// the `guard` lets it, and no other is noted there. The outer error is ours or the network's, the
/// inner one the token endpoint's, without what was sent to it.
pub(crate) async fn ask(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    owner: &Owner,
    inputs: &BTreeMap<String, String>,
    held: &Tokens,
    guard: Option<&Guard>,
) -> Result<std::result::Result<Tokens, TokenError>> {
    match &provider.auth {
        Auth::WorkspaceToken(table) => issue::token(broker, integration, owner, table).await.map(Ok),
        _ => fetch(broker, integration, provider, inputs, held, guard).await,
    }
}

/// The same of the provider: by the steps of its file, or of its token endpoint. What was typed in is among what is
/// `held`.
pub(super) async fn fetch(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
    held: &Tokens,
    guard: Option<&Guard>,
) -> Result<std::result::Result<Tokens, TokenError>> {
    match &provider.auth {
        Auth::Steps(_) => steps::run(broker, integration, provider, inputs, held).await,
        Auth::OAuth2(oauth2) if oauth2.upgrade.as_ref().is_some_and(|upgrade| upgrade.each) => {
            again(broker, integration, provider, inputs, held, guard).await
        }
        _ => at_endpoint(broker, integration, provider, inputs, held, guard).await,
    }
}

/// A first grant whose token is exchanged again after each refresh (RFC 8693).
///
/// Once the first grant is refreshed, its refresh token may be the only one that is still good: so it is given back also
/// where the exchange fails then, with no token that calls could carry, and the exchange alone is tried the next time. The
/// grant is refreshed again only where its token is what the exchange was refused for.
async fn again(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
    held: &Tokens,
    guard: Option<&Guard>,
) -> Result<std::result::Result<Tokens, TokenError>> {
    let first = held.clone().first();
    let exchanged = |first| exchange::again(broker, integration, provider, inputs, first);
    if held.access_token.is_empty() || first.refresh_token.is_none() {
        match exchanged(first.clone()).await? {
            // Its token has ended meanwhile, and can be had anew.
            Err(error) if is_over(&error) && first.refresh_token.is_some() => {}
            told => return Ok(told),
        }
    }
    let first = match at_endpoint(broker, integration, provider, inputs, &first, guard).await? {
        Ok(first) => first,
        refused => return Ok(refused),
    };
    let why = match exchanged(first.clone()).await {
        Ok(Ok(tokens)) => return Ok(Ok(tokens)),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(integration = %integration.id, %why, "a refreshed token could not be exchanged");
    Ok(Ok(first.clone().exchanged(Tokens { expires_at: None, ..Tokens::of(Secret::new(""), "Bearer") })))
}

/// Whether an exchange was refused for the token that was shown, as far as servers say: it is invalid (RFC 8693 §2.2.2),
/// or in the words of other grants (RFC 6749 §5.2) and of calls (RFC 6750 §3.1).
fn is_over(error: &TokenError) -> bool {
    let said = matches!(error.code.as_deref(), Some("invalid_grant" | "invalid_request" | "invalid_token"));
    error.kind == TokenErrorKind::Oauth && said
}

/// The same, of the provider's token endpoint. A client that was typed in is among what is `held`.
pub(super) async fn at_endpoint(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
    held: &Tokens,
    guard: Option<&Guard>,
) -> Result<std::result::Result<Tokens, TokenError>> {
    let provider = &endpoints::filled(provider, inputs)?;
    let oauth2 = endpoints::oauth2(provider)?;
    let at = endpoints::resolve(broker, integration, provider, inputs).await?;
    let url = at.refresh_url.as_deref().unwrap_or(&at.token_url);
    let make = || async {
        let party = party::of(broker, integration, provider, (&at, url), &held.typed).await?;
        let mut party = party.holding(held)?;
        let request = match oauth2.grant {
            Grant::AuthorizationCode | Grant::DeviceCode => {
                token::refresh(oauth2, url, &party.client(), held)
            }
            Grant::ClientCredentials => token::client_credentials(oauth2, url, &party.client(), &at.scopes),
            Grant::JwtBearer => {
                let signed = assertion::grant(broker, integration, provider, (&at, url), &held.typed).await?;
                party = party.asserting(signed);
                let signed = party.grant().ok_or_else(|| Error::internal("an assertion got lost"))?;
                token::jwt_bearer(oauth2, url, &party.client(), signed, &at.scopes)
            }
            Grant::TokenExchange => {
                token_exchange::request(oauth2, url, &party.client(), &held.typed, &at.scopes)
            }
        };
        let mut request =
            request.map_err(|e| Error::internal(format!("refresh request of {}: {e}", integration.id)))?;
        if let Some(guard) = guard {
            request.extensions_mut().insert(guard.clone());
        }
        Ok((party, request))
    };
    let (party, answer) = post::token(broker, make).await?;
    let (status, now) = (answer.status(), broker.clock.now().0);
    let got = read::refreshed(oauth2, held.clone(), status, answer.headers(), answer.body(), now);
    Ok(got.and_then(|got| party.bind(got)).map_err(|error| {
        let sent = [Some(&held.access_token), held.refresh_token.as_ref()];
        let typed = held.typed.iter().filter(|(name, _)| *name != "client_id").map(|(_, value)| value);
        let sent = sent.into_iter().flatten().chain(typed);
        error.hiding(&sent.chain(party.shown()).collect::<Vec<_>>())
    }))
}
