//! Setting up: how workspaces, redirect URIs, keys, users, integrations and webhook endpoints come to be.
//!
//! The command line, `apply`, `dev` and tests all come through here, so each rule about what may be configured
//! is written once: plain values in [`check`], integrations in [`mod@integration`], webhook endpoints in
//! [`mod@webhook`]. Every verb works on the caller's unit of work and commits nothing. A secret made here is
//! returned once and kept only sealed or hashed.

use crate::{
    broker::Broker,
    domain::{
        api_key::{ApiKey, Scope},
        workspace::{Settings, Workspace},
    },
    error::{Error, Result},
    id::{ApiKeyId, IntegrationId, WorkspaceId},
    secret::{Secret, token},
    store::Conn,
    time::Millis,
    vault::{Aad, Field, Vault, hash},
};
use claviger_catalog::Catalog;

pub mod app;
pub mod auth_option;
#[cfg(test)]
mod auth_option_tests;
mod certificate;
pub mod check;
pub mod client_key;
pub mod first;
mod fit;
pub mod integration;
pub mod jwt_key;
pub mod logo;
pub mod seed;
pub mod team;
#[cfg(test)]
mod tests;
pub mod user;
#[cfg(test)]
mod user_tests;
mod wants;
pub mod webhook;
#[cfg(test)]
mod webhook_tests;

pub use app::{NewOauthApp, oauth_app, update_oauth_app};
pub use auth_option::{NewAuthOption, auth_option, update_auth_option};
pub use certificate::{certificate_end, client_certificate};
pub use integration::{NewIntegration, integration, update_integration};
pub use jwt_key::{NewJwtKey, check_jwt_key, jwt_key, roll_jwt_secret};
pub use logo::logo;
pub use seed::{Seeding, seed};
pub use team::{join_team, leave_team, rename_team, team};
pub use user::{NewUser, UserEdit, password_hash, update_user, user};
pub use webhook::{
    DEFAULT_OVERLAP, NewWebhook, OVERLAP_MAX, WebhookEdit, roll_webhook_secret, update_webhook, webhook,
};

/// A unit of work in which something is set up, and what setting up needs.
pub struct Change<'a> {
    /// The open transaction.
    pub conn: &'a mut Conn,
    /// What seals secrets.
    pub vault: &'a Vault,
    /// Which providers there are.
    pub catalog: &'a Catalog,
    /// Now.
    pub now: Millis,
}

impl<'a> Change<'a> {
    /// A change through a broker's parts.
    pub fn of(broker: &'a Broker, conn: &'a mut Conn) -> Self {
        Self { conn, vault: &broker.vault, catalog: &broker.catalog, now: broker.clock.now() }
    }
}

/// A workspace to be.
#[derive(Default)]
pub struct NewWorkspace {
    /// What its operators call it.
    pub name: String,
    /// Its public client id; made up when absent.
    pub client_id: Option<String>,
    /// Its settings.
    pub settings: Settings,
    /// What Membrane-style tokens are signed with; made up when absent.
    pub jwt_secret: Option<Secret>,
}

/// Makes a workspace. Also returns its JWT secret, this once.
///
/// # Errors
/// `Invalid` for a bad name, client id or settings; `Conflict` when the client id is taken.
pub async fn workspace(to: &mut Change<'_>, input: NewWorkspace) -> Result<(Workspace, Secret)> {
    let name = check::name("name", &input.name)?;
    let client_id = match input.client_id {
        Some(given) => check::client_id(given)?,
        None => format!("cl_{}", &hash::token(token()?.expose())[..24]),
    };
    check::settings(&input.settings)?;
    if to.conn.any_workspace_by_client_id(&client_id).await?.is_some() {
        return Err(Error::Conflict {
            message: format!("the client id {client_id} is taken by another workspace"),
        });
    }
    let id = WorkspaceId::new();
    let secret = match input.jwt_secret {
        Some(given) => check::signing_secret("jwt_secret", given)?,
        None => token()?,
    };
    let workspace = Workspace {
        jwt_secret: Some(to.vault.seal(&jwt_secret_aad(&id), &secret)?),
        id,
        name,
        client_id,
        settings: input.settings,
        created_at: to.now,
        updated_at: to.now,
    };
    to.conn.create_workspace(&workspace).await?;
    Ok((workspace, secret))
}

/// What a workspace's JWT secret is bound to.
pub fn jwt_secret_aad(workspace: &WorkspaceId) -> Aad<'_> {
    Field::JwtSecret.of(workspace, workspace.as_str())
}

/// Registers a redirect URI. `false` when it was registered before.
///
/// # Errors
/// `Invalid` unless it is an absolute URI of the form that [`check::redirect_uri`] describes.
pub async fn redirect_uri(to: &mut Change<'_>, workspace: &WorkspaceId, uri: &str) -> Result<bool> {
    check::redirect_uri(uri)?;
    if to.conn.has_redirect_uri(workspace, uri).await? {
        return Ok(false);
    }
    to.conn.add_redirect_uri(workspace, uri).await?;
    Ok(true)
}

/// Gives a workspace exactly these origins, at which its own users reach us. `false` when it had them already.
///
/// # Errors
/// `Invalid` unless each is an origin as [`check::host_origin`] describes; `Conflict` when another workspace has one.
pub async fn hosts(to: &mut Change<'_>, workspace: &WorkspaceId, origins: &[String]) -> Result<bool> {
    origins.iter().try_for_each(|origin| check::host_origin(origin))?;
    to.conn.set_workspace_hosts(workspace, origins).await
}

/// An API key to be.
pub struct NewApiKey {
    /// What the operator calls it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The one integration it is limited to, if any.
    pub integration_id: Option<IntegrationId>,
    /// When it stops working, if ever.
    pub expires_at: Option<Millis>,
}

/// Makes an API key. Also returns its text, this once.
///
/// # Errors
/// `Invalid` for a bad name or no scope, `NotFound` for an integration of another workspace.
pub async fn api_key(
    to: &mut Change<'_>,
    workspace: &WorkspaceId,
    input: NewApiKey,
) -> Result<(ApiKey, Secret)> {
    let (text, ..) = hash::new_api_key()?;
    Ok((given_api_key(to, workspace, input, &text).await?, text))
}

/// Makes an API key of a text that someone else chose.
///
/// # Errors
/// As [`api_key`]; `Invalid` unless the text is one that [`check::api_key`] describes, `Conflict` when it is a
/// key's already.
pub async fn given_api_key(
    to: &mut Change<'_>,
    workspace: &WorkspaceId,
    input: NewApiKey,
    text: &Secret,
) -> Result<ApiKey> {
    let name = check::name("name", &input.name)?;
    let prefix = check::api_key(text)?;
    let hash = hash::token(text.expose());
    if input.scopes.is_empty() {
        return Err(Error::invalid("scopes", "a key needs at least one of management, proxy, read-only"));
    }
    if let Some(id) = &input.integration_id
        && to.conn.integration(workspace, id).await?.is_none()
    {
        return Err(Error::NotFound { what: "integration" });
    }
    let taken = to.conn.any_api_key_by_prefix(&prefix).await?;
    if taken.iter().any(|key| key.hash == hash && key.revoked_at.is_none()) {
        return Err(Error::Conflict { message: "this API key is in use already; make another".into() });
    }
    let key = ApiKey {
        id: ApiKeyId::new(),
        workspace_id: workspace.clone(),
        name,
        prefix,
        hash,
        scopes: input.scopes,
        integration_id: input.integration_id,
        expires_at: input.expires_at,
        last_used_at: None,
        revoked_at: None,
        created_at: to.now,
    };
    to.conn.create_api_key(workspace, &key).await?;
    Ok(key)
}
