//! Start: mint what a browser carries to the provider.
//!
//! State and verifier come to be at the last moment before the browser leaves us. The row gets the state's
//! hash and the sealed verifier; the state itself is only in the URL.

use std::sync::Arc;

use claviger_catalog::{Pkce, Provider};
use claviger_protocol::oauth2::{authorize, pkce};

use super::endpoints;
use crate::{
    broker::Broker,
    domain::{
        flow::{Endpoints, Flow},
        integration::Integration,
    },
    error::{Error, Result},
    secret::{random, token},
    vault::{Aad, Field, Sealed, hash},
};

/// A flow ready to leave for the provider.
pub(super) struct Started {
    /// The authorization request.
    pub url: String,
    /// Hex SHA-256 of the state in it.
    pub state_hash: String,
    /// The sealed PKCE verifier, where the provider takes one.
    pub verifier: Option<Sealed>,
    /// What the callback and the exchange are checked against.
    pub endpoints: Endpoints,
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
    let oauth2 = endpoints::oauth2(&provider)?;
    let client_id = integration.client_id.as_deref().ok_or_else(|| Error::Conflict {
        message: format!("integration `{}` has no client id yet", integration.key),
    })?;
    let state = token()?;
    let verifier = if oauth2.pkce == Pkce::S256 { Some(pkce::verifier(random::<32>()?)) } else { None };
    let challenge = verifier.as_ref().map(pkce::challenge);
    let url = authorize::url(
        oauth2,
        &authorize::Request {
            authorize_url: &resolved.authorize_url,
            client_id,
            redirect_uri: &resolved.redirect_uri,
            state: &state,
            scopes: &resolved.scopes,
            challenge: challenge.as_deref(),
            extra: &integration.config.authorize_params,
        },
    )
    .map_err(|e| Error::internal(format!("integration {}: {e}", integration.id)))?;
    let aad = verifier_aad(flow);
    let verifier = verifier.map(|v| broker.vault.seal(&aad, &v)).transpose()?;
    Ok(Started { url, state_hash: hash::token(state.expose()), verifier, endpoints: resolved })
}

/// What a flow's verifier is bound to.
pub(super) fn verifier_aad(flow: &Flow) -> Aad<'_> {
    Field::Verifier.of(&flow.workspace_id, flow.id.as_str())
}
