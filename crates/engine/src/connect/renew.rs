//! Renew: one refresh at a provider's token endpoint (RFC 6749 §6).
//!
//! It talks to the provider and writes nothing; what it gives must be written, for the token shown may be spent.

use std::collections::BTreeMap;

use claviger_catalog::Provider;
use claviger_protocol::oauth2::{TokenError, Tokens, read, token};

use super::{ANSWER_CAP, endpoints, tokens};
use crate::{
    broker::Broker,
    domain::integration::Integration,
    error::{Error, Result},
};

/// Asks the token endpoint for tokens after `held`. The outer error is ours or the network's, the inner one the
/// token endpoint's, without what was sent to it.
pub(crate) async fn ask(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
    held: &Tokens,
) -> Result<std::result::Result<Tokens, TokenError>> {
    let provider = &endpoints::filled(provider, inputs)?;
    let oauth2 = endpoints::oauth2(provider)?;
    let at = endpoints::resolve(broker, integration, provider, inputs).await?;
    let secret = tokens::client_secret(broker, integration)?;
    let client = endpoints::client(provider, integration, secret.as_ref())?;
    let url = at.refresh_url.as_deref().unwrap_or(&at.token_url);
    let request = token::refresh(oauth2, url, &client, held)
        .map_err(|e| Error::internal(format!("refresh request of {}: {e}", integration.id)))?;
    let answer = broker.outbound.fetch(request, ANSWER_CAP).await?;
    let (status, now) = (answer.status(), broker.clock.now().0);
    Ok(read::refreshed(oauth2, held.clone(), status, answer.headers(), answer.body(), now).map_err(|error| {
        let sent = [Some(&held.access_token), held.refresh_token.as_ref(), client.secret];
        error.hiding(&sent.into_iter().flatten().collect::<Vec<_>>())
    }))
}
