//! Integrations: what may be configured, and what a change of it ends.
//!
//! An integration whose endpoints someone typed in has a callback path of its own, whatever was asked for: on a
//! shared path a hostile configuration could collect codes meant for another (cross-app account takeover). So
//! has one of a provider whose inputs decide whose the endpoints are. A
//! change of where secrets are sent drops the stored client secret, unless it is given anew, our own keys and the client
//! certificate, and ends the trust in connections made before.

use claviger_catalog::{EndpointSource, Provider};

use super::{Change, check, client_key, fit};
use crate::{
    connect::tokens::client_secret_aad,
    domain::{
        connection::{Connection, MOVED, OwnerKind, Status},
        event::EventKind,
        integration::{AsOf, CallbackKind, Config, Integration, Mode},
    },
    error::{Error, Result},
    id::{IntegrationId, WorkspaceId},
    secret::Secret,
    store::{ConnectionFilter, Page},
    webhook::emit,
};

/// An integration to be, or what an existing one shall become.
pub struct NewIntegration {
    /// Its slug.
    pub key: String,
    /// The catalog provider's key.
    pub provider: String,
    /// What people call it; the provider's name when absent.
    pub name: Option<String>,
    /// What it is for, in a sentence or two.
    pub description: Option<String>,
    /// Words that its makers sort it by.
    pub tags: Vec<String>,
    /// One connection per user, or one for all.
    pub mode: Mode,
    /// The OAuth client id registered at the provider.
    pub client_id: Option<String>,
    /// The OAuth client secret; when changing, `None` keeps the stored one.
    pub client_secret: Option<Secret>,
    /// Scopes to ask for; empty means the provider file's defaults.
    pub scopes: Vec<String>,
    /// Which callback path; when absent `own` for hand-entered endpoints and as the caller's door has it otherwise.
    pub callback: Option<CallbackKind>,
    /// What is set beyond the catalog's entry.
    pub config: Config,
}

/// Makes an integration.
///
/// # Errors
/// `Invalid` names the field; `Conflict` when the key is taken in this workspace.
pub async fn integration(
    to: &mut Change<'_>,
    workspace: &WorkspaceId,
    mut input: NewIntegration,
) -> Result<Integration> {
    let provider = fit::fitting(to, workspace, &input).await?;
    client_key::address(None, &mut input.config, false)?;
    let callback = callback(&provider, input.callback)?;
    fit::comes_back(&provider, callback, &input.config)?;
    let mut integration = Integration {
        id: IntegrationId::new(),
        workspace_id: workspace.clone(),
        name: check::name("name", input.name.as_deref().unwrap_or(&provider.name))?,
        description: input.description,
        tags: input.tags,
        owner: None,
        callback,
        key: input.key,
        provider: input.provider,
        mode: input.mode,
        client_id: input.client_id,
        client_secret: None,
        scopes: input.scopes,
        config: input.config,
        version: 1,
        disabled_at: None,
        created_at: to.now,
        updated_at: to.now,
        as_of: AsOf::default(),
    };
    if let Some(secret) = &input.client_secret {
        integration.client_secret = Some(to.vault.seal(&client_secret_aad(&integration), secret)?);
    }
    to.conn.create_integration(workspace, &integration).await?;
    Ok(integration)
}

/// What became of an integration that was changed.
pub struct Changed {
    /// The integration now.
    pub integration: Integration,
    /// Whether its client secret was dropped, and has to be given again.
    pub secret_dropped: bool,
    /// Whether our keys, or its certificate, were dropped: others have to be made known to the provider.
    pub keys_dropped: bool,
    /// How many connections need their owners' consent again.
    pub connections_ended: usize,
}

/// Changes an integration to what is given. Its provider stays.
///
/// # Errors
/// As [`integration`]; `Conflict` when another provider is named, or another mode while users are connected.
pub async fn update_integration(
    to: &mut Change<'_>,
    was: &Integration,
    input: NewIntegration,
) -> Result<Integration> {
    Ok(change_integration(to, was, input).await?.integration)
}

/// The same, and tells what else that did.
///
/// # Errors
/// As [`update_integration`].
pub async fn change_integration(
    to: &mut Change<'_>,
    was: &Integration,
    mut input: NewIntegration,
) -> Result<Changed> {
    let provider = fit::fitting(to, &was.workspace_id, &input).await?;
    if input.provider != was.provider {
        return Err(Error::Conflict {
            message: format!(
                "integration {} is one of provider {}; its connections are no use with {}: make another integration",
                was.key, was.provider, input.provider
            ),
        });
    }
    let elsewhere = moves_secrets(&was.config, &input.config);
    let moved = elsewhere || was.client_id != input.client_id;
    client_key::address(Some(&was.config), &mut input.config, elsewhere)?;
    let callback = callback(&provider, input.callback)?;
    fit::comes_back(&provider, callback, &input.config)?;
    let mut now = Integration {
        key: input.key,
        name: check::name("name", input.name.as_deref().unwrap_or(&provider.name))?,
        description: input.description,
        tags: input.tags,
        callback,
        mode: input.mode,
        client_id: input.client_id,
        scopes: input.scopes,
        config: input.config,
        updated_at: to.now,
        ..was.clone()
    };
    let mut secret_dropped = false;
    if let Some(secret) = &input.client_secret {
        now.client_secret = Some(to.vault.seal(&client_secret_aad(&now), secret)?);
    } else if moved {
        secret_dropped = now.client_secret.take().is_some();
    }
    now.version = to.conn.update_integration(&was.workspace_id, &now).await?;
    let keys_dropped = elsewhere && client_key::drop_all(to, &now).await?;
    if now.mode != was.mode {
        // Now that nobody connects under the old mode any more.
        keep_mode(to, &now).await?;
    }
    let connections_ended = if moved { end_trust(to, &now, None).await? } else { 0 };
    Ok(Changed { integration: now, secret_dropped, keys_dropped, connections_ended })
}

/// Fails while users are connected: whose a connection is depends on the mode it was made under.
async fn keep_mode(to: &mut Change<'_>, integration: &Integration) -> Result<()> {
    let kinds = to.conn.integration_connections(&integration.workspace_id, &integration.id).await?;
    let users = |(kind, _): &&(OwnerKind, i64)| matches!(kind, OwnerKind::User | OwnerKind::Shared);
    match kinds.iter().filter(users).map(|(_, many)| many).sum() {
        0 => Ok(()),
        many => Err(Error::Conflict {
            message: format!(
                "the mode can't be changed while users are connected: disconnect the {many} first"
            ),
        }),
    }
}

/// Whether an integration of this provider may have a callback path that others have too.
pub fn may_share_callback(provider: &Provider) -> bool {
    callback(provider, Some(CallbackKind::Shared)).is_ok()
}

/// Whether the two send a secret, a token, or what our own keys sign to different places. Whoever is there now must not
/// get anything that is good where it was shown before.
pub fn moves_secrets(was: &Config, now: &Config) -> bool {
    let places = |c: &Config| {
        (
            c.issuer.clone(),
            c.request_token_url.clone(),
            c.token_url.clone(),
            // Another signature can be the secret itself.
            c.signature.clone(),
            // A tuple has an end.
            (c.revoke_url.clone(), c.introspect_url.clone(), c.par_url.clone(), c.device_url.clone()),
            c.userinfo_url.clone(),
            c.base_url.clone(),
            // They stand in the hosts of the provider file's URLs.
            c.inputs.clone(),
            // What was a header's value could become part of an address that is written down.
            c.api_key.clone(),
            // Another client.
            c.proxy_key.clone(),
        )
    };
    let mut hosts = (was.allowed_hosts.clone(), now.allowed_hosts.clone());
    hosts.0.sort();
    hosts.1.sort();
    places(was) != places(now) || was.authorize_url != now.authorize_url || hosts.0 != hosts.1
}

/// Connections made before the endpoints moved need their owner's consent to the new ones: those of the integration's own
/// way, or of one of its auth options. Gives how many were in use.
pub(super) async fn end_trust(
    to: &mut Change<'_>,
    integration: &Integration,
    option: Option<&str>,
) -> Result<usize> {
    // Those that were not in use keep their tokens too, and may not show them to the new endpoints either.
    let mut seen = 0;
    loop {
        let some = of_status(to, integration, option, (Status::NeedsReauth, seen)).await?;
        if some.is_empty() {
            break;
        }
        seen += i64::try_from(some.len()).unwrap_or(i64::MAX);
        for connection in some {
            mark_moved(to, &connection).await?;
        }
    }
    let mut ended = 0;
    loop {
        // Each one leaves the filter as it is changed, so the first page is always the next.
        let some = of_status(to, integration, option, (Status::Active, 0)).await?;
        if some.is_empty() {
            return Ok(ended);
        }
        ended += some.len();
        for mut connection in some {
            connection.status = Status::NeedsReauth;
            mark_moved(to, &connection).await?;
            emit(to.conn, EventKind::ConnectionExpired, &connection, to.now).await?;
        }
    }
}

async fn of_status(
    to: &mut Change<'_>,
    integration: &Integration,
    option: Option<&str>,
    (status, offset): (Status, i64),
) -> Result<Vec<Connection>> {
    let filter = ConnectionFilter {
        integration_id: Some(integration.id.clone()),
        status: Some(status),
        auth_option: Some(option.unwrap_or_default().to_owned()),
        ..ConnectionFilter::default()
    };
    to.conn.connections(&integration.workspace_id, &filter, &Page { offset, limit: 200 }).await
}

async fn mark_moved(to: &mut Change<'_>, connection: &Connection) -> Result<()> {
    let Connection { id, workspace_id, .. } = connection;
    to.conn.set_connection_status(workspace_id, id, Status::NeedsReauth, Some(MOVED), to.now).await
}

/// The callback path: `own` where somebody else than the catalog says where codes are taken, for anything else
/// would be unsafe.
pub(super) fn callback(provider: &Provider, asked: Option<CallbackKind>) -> Result<CallbackKind> {
    let why = if provider.endpoint_source() != EndpointSource::File {
        "the endpoints of this integration are entered by hand"
    } else if provider.endpoints_are_chosen() {
        "whose this provider's endpoints are is decided by its inputs"
    } else {
        return Ok(asked.unwrap_or(CallbackKind::Own));
    };
    match asked {
        None | Some(CallbackKind::Own) => Ok(CallbackKind::Own),
        Some(other) => Err(Error::invalid("callback", format!("must be own, not {}: {why}", other.as_str()))),
    }
}
