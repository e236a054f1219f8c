//! An endpoint's signing secrets: what each is bound to at rest, and which of them sign now.
//!
//! They are opened for the moment of signing only and live no longer than the headers take to write.

use crate::{
    domain::webhook::Endpoint,
    error::Result,
    id::{EndpointId, WorkspaceId},
    secret::Secret,
    time::Millis,
    vault::{Aad, Field, Vault},
};

/// What an endpoint's signing secret is bound to.
pub fn secret_aad<'a>(workspace: &'a WorkspaceId, endpoint: &'a EndpointId) -> Aad<'a> {
    Field::WebhookSecret.of(workspace, endpoint.as_str())
}

/// What the secret before it is bound to.
pub fn previous_secret_aad<'a>(workspace: &'a WorkspaceId, endpoint: &'a EndpointId) -> Aad<'a> {
    Field::PreviousWebhookSecret.of(workspace, endpoint.as_str())
}

/// The secrets that sign at one moment.
pub(super) struct Secrets {
    /// The endpoint's secret.
    pub current: Secret,
    /// The one before it, while its time is not over.
    pub previous: Option<Secret>,
}

/// Opens the secrets that sign at `now`.
pub(super) fn open(vault: &Vault, endpoint: &Endpoint, now: Millis) -> Result<Secrets> {
    let Endpoint { workspace_id, id, .. } = endpoint;
    let previous = match (&endpoint.previous_secret, endpoint.previous_secret_until) {
        (Some(sealed), Some(until)) if now < until => {
            Some(vault.open(&previous_secret_aad(workspace_id, id), sealed)?)
        }
        _ => None,
    };
    Ok(Secrets { current: vault.open(&secret_aad(workspace_id, id), &endpoint.secret)?, previous })
}
