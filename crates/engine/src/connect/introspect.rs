//! Introspect: whether a refresh token still works, as its provider says (RFC 7662).
//!
//! Asked after a refresh whose answer got lost, before the token is given up or sent once more. Must never spend it, nor
//! take silence for a no.

use std::collections::BTreeMap;

use claviger_catalog::Provider;
use claviger_protocol::oauth2::{Tokens, introspect};

use super::{endpoints, party, post};
use crate::{
    broker::Broker,
    domain::integration::Integration,
    error::{Error, Result},
};

/// What a provider says of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Whether it works.
    Works(bool),
    /// It could not be asked, or did not say; it may later.
    Silent,
    /// There is nobody to ask.
    Never,
}

/// Whether the refresh token that is `held` still works.
///
/// # Errors
/// `Conflict` when the integration lacks a setting; `Invalid` when an input is not admitted.
pub(crate) async fn alive(
    broker: &Broker,
    integration: &Integration,
    provider: &Provider,
    inputs: &BTreeMap<String, String>,
    held: &Tokens,
) -> Result<Told> {
    let Some(token) = &held.refresh_token else { return Ok(Told::Never) };
    let provider = &endpoints::filled(provider, inputs)?;
    let oauth2 = endpoints::oauth2(provider)?;
    let asked = async {
        let at = endpoints::resolve(broker, integration, provider, inputs).await?;
        let Some(url) = at.introspect_url.as_deref() else { return Ok(Told::Never) };
        let party = party::of(broker, integration, provider, (&at, url), &held.typed).await?;
        let request = introspect::request(oauth2, url, &party.client(), token)
            .map_err(|e| Error::internal(format!("introspection request of {}: {e}", integration.id)))?;
        let answer = post::fetch(broker, &party, request).await?;
        let told = introspect::read(answer.status(), answer.body());
        if told.is_none() {
            let status = answer.status().as_u16();
            tracing::warn!(integration = %integration.id, status, "an introspection endpoint did not say whether a token works");
        }
        Ok(told.map_or(Told::Silent, Told::Works))
    };
    match asked.await {
        Err(Error::Provider { message, .. }) => {
            tracing::warn!(integration = %integration.id, %message, "a provider could not be asked whether a token works");
            Ok(Told::Silent)
        }
        told => told,
    }
}
