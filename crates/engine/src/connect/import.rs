//! Import: a connection from tokens that a product holds already.
//!
//! Without `verify` nothing is asked of anybody. With it the provider has to accept the tokens first: by one
//! refresh where there is a refresh token, which spends a rotating one, or else by a call that the provider's
//! file names. A refusal stores nothing. Tokens that a refresh gave are kept as carefully as any refresh's.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    broker::Broker,
    domain::{
        audit::Actor,
        connection::{Connection, Owner},
    },
    error::{Error, Result},
    id::{IntegrationId, WorkspaceId},
    secret::Secret,
};

/// What a product brings.
pub struct Import<'a> {
    /// The integration's id or key.
    pub integration: &'a str,
    /// The one integration that the caller's key is limited to, if any.
    pub only: Option<IntegrationId>,
    /// For whom the connection is to be; a key of at most 512 bytes.
    pub owner: Owner,
    /// The access token.
    pub access_token: Secret,
    /// The refresh token, where there is one.
    pub refresh_token: Option<Secret>,
    /// In how many seconds the access token expires; when absent, what the token itself or the provider's file
    /// tells.
    pub expires_in: Option<u64>,
    /// The scopes that were granted, as far as the caller knows.
    pub scopes: Option<Vec<String>>,
    /// Values of the provider's inputs (subdomain, region). What the integration fixes wins.
    pub inputs: BTreeMap<String, String>,
    /// Whether the provider must accept the tokens first. Where there is a refresh token it is used for that.
    pub verify: bool,
}

/// Makes a connection of existing tokens.
///
/// # Errors
/// `NotFound` when there is no such integration for this caller; `Conflict` when it is switched off or changed
/// meanwhile; `Invalid` naming `access_token`, `refresh_token`, `expires_in`, `scopes`, `external_id`, `inputs`
/// or `verify`; `Provider` when the provider can't be asked.
pub async fn import(
    broker: &Arc<Broker>,
    workspace: &WorkspaceId,
    given: Import<'_>,
    actor: Actor,
) -> Result<Connection> {
    let _ = (broker, workspace, given, actor);
    Err(Error::NotSupported { message: "importing tokens is not offered yet".into() })
}
