//! Start: mint what a browser carries to the provider.
//!
//! State and verifier come to be at the last moment before the browser leaves us. The row gets the state's
//! hash and the sealed verifier; the state itself is only in the URL, or in the callback that the provider is given.

use std::{collections::BTreeMap, sync::Arc};

use claviger_catalog::{Auth, Pkce, Provider};
use claviger_protocol::{
    ProtocolError,
    oauth2::{authorize, par, pkce},
};

use super::{endpoints, exchange, grown, id_token, oauth1, party, post};
use crate::{
    broker::Broker,
    domain::{
        flow::{Endpoints, Flow},
        integration::Integration,
    },
    error::{Error, Result},
    secret::{Secret, random, token},
    vault::{Aad, Field, Sealed, hash},
};

/// A flow ready to leave for the provider.
pub(super) struct Started {
    /// The authorization request.
    pub url: String,
    /// Hex SHA-256 of the state in it.
    pub state_hash: String,
    /// The sealed PKCE verifier, where the provider takes one; for OAuth 1 the temporary credentials.
    pub verifier: Option<Sealed>,
    /// What the callback and the exchange are checked against.
    pub endpoints: Endpoints,
}

/// What an authorization request says of its flow.
struct Sent<'a> {
    /// The state.
    state: &'a Secret,
    /// What an ID token has to repeat, where one is asked for.
    nonce: Option<String>,
    /// Whether a connection that is there is authorized anew.
    grown: bool,
}

/// Resolves the integration's endpoints and mints state, verifier and authorization URL for a flow.
pub(super) async fn mint(
    broker: &Arc<Broker>,
    flow: &Flow,
    integration: &Integration,
    provider: &Provider,
) -> Result<Started> {
    let mut resolved = endpoints::resolve(broker, integration, provider, &flow.inputs).await?;
    if let Some(origin) = &flow.origin {
        resolved.redirect_uri = endpoints::redirect_uri(origin, integration);
    }
    let provider = endpoints::filled(provider, &flow.inputs)?;
    let state = token()?;
    // What a product wants back stands behind ours, which alone tells the flow.
    let sent = match &flow.custom_state {
        Some(theirs) => Secret::new(format!("{}:{theirs}", state.expose())),
        None => state.clone(),
    };
    let (url, verifier) = match &provider.auth {
        Auth::OAuth1(table) => {
            let (url, kept) = oauth1::leave(broker, integration, table, &resolved, &sent).await?;
            (url, Some(kept))
        }
        _ => {
            let oauth2 = endpoints::oauth2(&provider)?;
            let grown = grown::scopes(broker, flow, oauth2, &mut resolved.scopes).await?;
            let nonce = id_token::is_asked_for(&resolved).then(|| id_token::nonce(&sent));
            let (nonce, kept) = nonce.unzip();
            resolved.nonce_hash = kept;
            request(broker, integration, &provider, &resolved, &Sent { state: &sent, nonce, grown }).await?
        }
    };
    let aad = verifier_aad(flow);
    let verifier = verifier.map(|v| broker.vault.seal(&aad, &v)).transpose()?;
    Ok(Started { url, state_hash: hash::token(state.expose()), verifier, endpoints: resolved })
}

/// The authorization request of OAuth 2 (RFC 6749 §4.1.1), and the verifier of the challenge in it.
async fn request(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    at: &Endpoints,
    sent: &Sent<'_>,
) -> Result<(String, Option<Secret>)> {
    let oauth2 = endpoints::oauth2(provider)?;
    let client_id = integration.client_id.as_deref().ok_or_else(|| endpoints::no_client(integration))?;
    let verifier = if oauth2.pkce == Pkce::S256 { Some(pkce::verifier(random::<32>()?)) } else { None };
    let challenge = verifier.as_ref().map(pkce::challenge);
    let mut extra = integration.config.authorize_params.clone();
    // A file may have a name of its own for it.
    if let (Some(nonce), None) = (&sent.nonce, &oauth2.authorize.nonce_param) {
        extra.insert("nonce".to_owned(), nonce.clone());
    }
    let request = authorize::Request {
        authorize_url: &at.authorize_url,
        client_id,
        redirect_uri: &at.redirect_uri,
        state: sent.state,
        scopes: &at.scopes,
        challenge: challenge.as_deref(),
        extra: &extra,
        grown: sent.grown,
    };
    let url = match &at.par_url {
        None => authorize::url(oauth2, &request).map_err(|e| unbuilt(integration, &e))?,
        Some(par_url) => push(broker, integration, provider, at, (par_url, &request)).await?,
    };
    Ok((url, verifier))
}

/// Sends the authorization request to the provider, and gives the URL that names it (RFC 9126).
async fn push(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    at: &Endpoints,
    (par_url, request): (&str, &authorize::Request<'_>),
) -> Result<String> {
    let oauth2 = endpoints::oauth2(provider)?;
    let party = party::of(broker, integration, provider, (at, par_url), &BTreeMap::new()).await?;
    let pushing = par::request(oauth2, par_url, &party.client(), request);
    let answer = post::fetch(broker, &party, pushing.map_err(|e| unbuilt(integration, &e))?).await?;
    let now = broker.clock.now().0;
    let pushed = par::read(oauth2, answer.status(), answer.headers(), answer.body(), now)
        .map_err(|error| exchange::refusal(error, &[Some(request.state), party.secret()]))?;
    par::url(oauth2, request.authorize_url, request.client_id, &pushed).map_err(|e| unbuilt(integration, &e))
}

fn unbuilt(integration: &Integration, error: &ProtocolError) -> Error {
    Error::internal(format!("integration {}: {error}", integration.id))
}

/// What [`mint`] sealed into the flow, where there was something.
pub(super) fn kept(broker: &Broker, flow: &Flow) -> Result<Option<Secret>> {
    let aad = verifier_aad(flow);
    flow.verifier.as_ref().map(|sealed| broker.vault.open(&aad, sealed)).transpose()
}

/// What a flow's verifier is bound to.
fn verifier_aad(flow: &Flow) -> Aad<'_> {
    Field::Verifier.of(&flow.workspace_id, flow.id.as_str())
}
