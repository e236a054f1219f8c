//! Token sets, sealed: what a credential's row holds.

use claviger_protocol::oauth2::Tokens;

use crate::{
    broker::Broker,
    domain::{credential::Credential, integration::Integration},
    error::{Error, Result},
    id::{ConnectionId, WorkspaceId},
    refresh::lifetime,
    secret::Secret,
    time::Millis,
    vault::{Aad, Field, Sealed},
};

/// Seals a token set into a fresh credential of version 1; a refresh raises the version.
pub(crate) fn seal(
    broker: &Broker,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    tokens: &Tokens,
    now: Millis,
) -> Result<Credential> {
    Ok(Credential {
        connection_id: connection.clone(),
        workspace_id: workspace.clone(),
        sealed: broker.vault.seal(&aad(workspace, connection), &tokens.to_json())?,
        version: 1,
        expires_at: tokens.expires_at.map(Millis),
        refresh_expires_at: tokens.refresh_expires_at.map(Millis),
        obtained_at: now,
        fence: 0,
        parent_hash: None,
        previous: None,
        previous_until: None,
        worked_at: None,
        lifetime: lifetime::of(tokens, now),
    })
}

/// Seals the token set that another one takes the place of.
pub(crate) fn seal_previous(
    broker: &Broker,
    workspace: &WorkspaceId,
    connection: &ConnectionId,
    tokens: &Tokens,
) -> Result<Sealed> {
    broker.vault.seal(&Field::PreviousTokens.of(workspace, connection.as_str()), &tokens.to_json())
}

/// Opens the token set before a credential's, where it is kept.
pub(crate) fn open_previous(broker: &Broker, credential: &Credential) -> Result<Option<Tokens>> {
    let Some(sealed) = &credential.previous else { return Ok(None) };
    let aad = Field::PreviousTokens.of(&credential.workspace_id, credential.connection_id.as_str());
    let text = broker.vault.open(&aad, sealed)?;
    let tokens = Tokens::from_json(&text);
    tokens.map(Some).map_err(|e| Error::internal(format!("credential of {}: {e}", credential.connection_id)))
}

/// Opens a credential's token set.
pub(crate) fn open(broker: &Broker, credential: &Credential) -> Result<Tokens> {
    let text =
        broker.vault.open(&aad(&credential.workspace_id, &credential.connection_id), &credential.sealed)?;
    Tokens::from_json(&text)
        .map_err(|e| Error::internal(format!("credential of {}: {e}", credential.connection_id)))
}

/// Opens an integration's client secret, where it has one.
pub(crate) fn client_secret(broker: &Broker, integration: &Integration) -> Result<Option<Secret>> {
    let aad = client_secret_aad(integration);
    integration.client_secret.as_ref().map(|sealed| broker.vault.open(&aad, sealed)).transpose()
}

/// What an integration's client secret is bound to: to whatever its client is of.
pub fn client_secret_aad(integration: &Integration) -> Aad<'_> {
    let (workspace, as_of) = (&integration.workspace_id, &integration.as_of);
    match (&as_of.app, &as_of.option) {
        (Some(app), _) => Field::AppSecret.of(workspace, app.as_str()),
        (None, Some(option)) => Field::OptionSecret.of(workspace, option.as_str()),
        (None, None) => Field::ClientSecret.of(workspace, integration.id.as_str()),
    }
}

fn aad<'a>(workspace: &'a WorkspaceId, connection: &'a ConnectionId) -> Aad<'a> {
    Field::Tokens.of(workspace, connection.as_str())
}
