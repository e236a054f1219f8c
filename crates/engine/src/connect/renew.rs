//! Renew: one token set in place of another, without anybody's consent: a refresh at a provider's token endpoint
//! (RFC 6749 §6), a token fetched anew with a client's own credentials (§4.4) or with an assertion (RFC 7523), or one
//! that we make ourselves.
//!
//! It talks to the provider and writes nothing; what it gives must be written, for the token shown may be spent.

use std::collections::BTreeMap;

use claviger_catalog::{Auth, Grant, Provider};
use claviger_protocol::oauth2::{TokenError, Tokens, read, token};

use super::{assertion, endpoints, issue, party, post};
use crate::{
    broker::Broker,
    domain::{connection::Owner, integration::Integration},
    error::{Error, Result},
};

/// Gets the tokens that come after `held`, of a connection of `owner`. The outer error is ours or the network's, the
/// inner one the token endpoint's, without what was sent to it.
pub(crate) async fn ask(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    owner: &Owner,
    inputs: &BTreeMap<String, String>,
    held: &Tokens,
) -> Result<std::result::Result<Tokens, TokenError>> {
    match &provider.auth {
        Auth::WorkspaceToken(table) => issue::token(broker, integration, owner, table).await.map(Ok),
        Auth::OAuth2(_) | Auth::OAuth1(_) | Auth::Keys(_) | Auth::SigV4(_) | Auth::Steps(_) => {
            at_endpoint(broker, integration, provider, inputs, held).await
        }
    }
}

/// The same, of the provider's token endpoint. A client that was typed in is among what is `held`.
pub(super) async fn at_endpoint(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
    held: &Tokens,
) -> Result<std::result::Result<Tokens, TokenError>> {
    let provider = &endpoints::filled(provider, inputs)?;
    let oauth2 = endpoints::oauth2(provider)?;
    let at = endpoints::resolve(broker, integration, provider, inputs).await?;
    let url = at.refresh_url.as_deref().unwrap_or(&at.token_url);
    let make = || async {
        let mut party = party::of(broker, integration, provider, &at, &held.typed).await?.holding(held)?;
        let request = match oauth2.grant {
            Grant::AuthorizationCode | Grant::DeviceCode => {
                token::refresh(oauth2, url, &party.client(), held)
            }
            Grant::ClientCredentials => token::client_credentials(oauth2, url, &party.client(), &at.scopes),
            Grant::JwtBearer => {
                let signed = assertion::grant(broker, integration, provider, &at, &held.typed).await?;
                party = party.asserting(signed);
                let signed = party.grant().ok_or_else(|| Error::internal("an assertion got lost"))?;
                token::jwt_bearer(oauth2, url, &party.client(), signed, &at.scopes)
            }
            Grant::TokenExchange => {
                return Err(Error::internal("this grant is not here yet"));
            }
        };
        let request =
            request.map_err(|e| Error::internal(format!("refresh request of {}: {e}", integration.id)))?;
        Ok((party, request))
    };
    let (party, answer) = post::token(broker, make).await?;
    let (status, now) = (answer.status(), broker.clock.now().0);
    let got = read::refreshed(oauth2, held.clone(), status, answer.headers(), answer.body(), now);
    Ok(got.map(|got| party.bind(got)).map_err(|error| {
        let sent = [Some(&held.access_token), held.refresh_token.as_ref()];
        error.hiding(&sent.into_iter().flatten().chain(party.shown()).collect::<Vec<_>>())
    }))
}
