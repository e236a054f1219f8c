//! `/api/integrations/{id}/connection` and `/api/integration-connections`: what a user has connected.

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use claviger_engine::{
    domain::connection::{Connection, OwnerKind, Status},
    member::connection,
    store::ListedConnection,
    time::Millis,
};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{
    asked::{Named, Query},
    caller::Caller,
    error::{self, Answer},
    hal::{Format, List},
};
use crate::{app::App, http::paging};

/// A connection.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Connection)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    #[schema(example = "conn_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    id: String,
    #[schema(example = "int_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    integration_id: String,
    /// The name of the user who connected it.
    #[schema(example = "alice")]
    owner_id: Option<String>,
    /// Whether everybody who may use the integration uses this connection.
    is_shared: bool,
    /// When its access token expires, as far as the provider tells. It is refreshed when a request needs it.
    #[schema(example = "2026-01-02T03:04:05.678Z")]
    token_expires_at: Option<String>,
    /// When its refresh token expires, as far as the provider tells.
    refresh_token_expires_at: Option<String>,
    /// When its owner last authorized it.
    last_authorized_at: String,
    /// Where requests with it go.
    #[schema(example = "https://www.googleapis.com/drive/v3")]
    api_base_uri: Option<String>,
    /// What the provider has to be told apart from a credential, such as a subdomain. No secrets.
    data: BTreeMap<String, String>,
    created_at: String,
    updated_at: String,
    #[serde(flatten)]
    health: Health,
}

/// There only while it can't be used.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// True when its owner must connect again; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    needs_authorization: Option<bool>,
    /// Why, in the provider's words where it gave any.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// A connection, as a list shows it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ListedConnection)]
#[serde(rename_all = "camelCase")]
pub struct Item {
    #[schema(example = "conn_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    id: String,
    #[schema(example = "int_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    integration_id: String,
    #[schema(example = "alice")]
    owner_id: Option<String>,
    is_shared: bool,
    token_expires_at: Option<String>,
    last_authorized_at: String,
    #[serde(flatten)]
    health: Health,
    #[serde(rename = "_embedded")]
    embedded: Embedded,
}

/// What a listed connection brings along.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ConnectionEmbedded)]
pub struct Embedded {
    #[serde(rename = "inf:integration")]
    integration: Integration,
}

/// The integration of a listed connection.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ConnectionIntegration)]
pub struct Integration {
    id: String,
    #[schema(example = "Google Drive - Engineering")]
    name: String,
    #[serde(rename = "type")]
    #[schema(example = "google-drive")]
    kind: String,
}

/// Shows the connection that requests at an integration are made with: the caller's own, or the one for all.
#[utoipa::path(
    get,
    path = "/api/integrations/{id}/connection",
    operation_id = "show_connection",
    tag = "connections",
    params(
        ("id" = String, Path, description = "The integration's id or slug."),
        ("ownerId" = Option<String>, Query, description = "For superusers: the user whose connection is meant.")
    ),
    responses(
        (status = 200, body = Shown),
        (status = 400, body = error::Problem, description = "A parameter is wrong or given twice."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "The caller names another user and is no superuser."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller, or no connection yet.")
    )
)]
pub async fn show(
    State(app): State<App>,
    Caller(member): Caller,
    Named(id): Named<String>,
    query: Query,
    format: Format,
) -> Answer {
    let owner = query.text("ownerId")?;
    let found = connection::show(&app.broker, &member, &id, owner.as_deref()).await?;
    Ok(format.object(StatusCode::OK, &shown(found)))
}

/// Ends the connection at an integration.
///
/// The provider is told to forget the grant where it can be; whatever it answers, the connection and its tokens are
/// removed here.
#[utoipa::path(
    delete,
    path = "/api/integrations/{id}/connection",
    operation_id = "end_connection",
    tag = "connections",
    params(
        ("id" = String, Path, description = "The integration's id or slug."),
        ("ownerId" = Option<String>, Query, description = "For superusers: the user whose connection is meant.")
    ),
    responses(
        (status = 204, description = "It is gone."),
        (status = 400, body = error::Problem, description = "A parameter is wrong or given twice."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "It is another user's, and the caller is no superuser; or the caller's token only reads."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller, or no connection.")
    )
)]
pub async fn end(
    State(app): State<App>,
    Caller(member): Caller,
    Named(id): Named<String>,
    query: Query,
) -> Answer {
    let owner = query.text("ownerId")?;
    connection::end(&app.broker, &member, &id, owner.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Lists the connections that the caller's requests can be made with, over all integrations, newest first.
#[utoipa::path(
    get,
    path = "/api/integration-connections",
    operation_id = "list_connections",
    tag = "connections",
    params(
        ("start" = Option<u64>, Query, description = "How many to skip."),
        ("limit" = Option<u8>, Query, description = "1 to 100, 30 unless given.")
    ),
    responses(
        (status = 200, body = [Item], description = "A HAL collection, under `inf:integration-connection`."),
        (status = 400, body = error::Problem, description = "A parameter is wrong or given twice."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking.")
    )
)]
pub async fn list(State(app): State<App>, Caller(member): Caller, query: Query, format: Format) -> Answer {
    let page = paging::stretch(&query.0)?;
    let found = connection::list(&app.broker, &member, &page).await?;
    let members: Vec<Value> = found.connections.into_iter().map(|it| json!(item(it))).collect();
    Ok(format.list(List {
        path: "/api/integration-connections",
        rel: "inf:integration-connection",
        members,
        page,
        total: found.total,
        asked: &query.0,
        kept: &[],
    }))
}

impl Shown {
    /// The integration that it is at.
    pub fn integration_id(&self) -> &str {
        &self.integration_id
    }
}

/// A connection, as this door writes it.
pub fn shown(found: connection::Shown) -> Shown {
    let connection::Shown { connection, data, refresh_expires_at, base_url } = found;
    Shown {
        is_shared: is_shared(&connection),
        health: health(&connection),
        id: connection.id.to_string(),
        integration_id: connection.integration_id.to_string(),
        owner_id: connection.owner.key,
        token_expires_at: connection.expires_at.map(Millis::rfc3339),
        refresh_token_expires_at: refresh_expires_at.map(Millis::rfc3339),
        last_authorized_at: connection.authorized_at.rfc3339(),
        api_base_uri: base_url,
        data,
        created_at: connection.created_at.rfc3339(),
        updated_at: connection.updated_at.rfc3339(),
    }
}

fn item(found: ListedConnection) -> Item {
    let ListedConnection { connection, name, provider } = found;
    let integration = Integration { id: connection.integration_id.to_string(), name, kind: provider };
    Item {
        is_shared: is_shared(&connection),
        health: health(&connection),
        id: connection.id.to_string(),
        integration_id: integration.id.clone(),
        owner_id: connection.owner.key,
        token_expires_at: connection.expires_at.map(Millis::rfc3339),
        last_authorized_at: connection.authorized_at.rfc3339(),
        embedded: Embedded { integration },
    }
}

fn is_shared(connection: &Connection) -> bool {
    connection.owner.kind == OwnerKind::Shared
}

fn health(connection: &Connection) -> Health {
    match connection.status {
        Status::Active => Health { needs_authorization: None, reason: None },
        Status::NeedsReauth => {
            Health { needs_authorization: Some(true), reason: connection.status_reason.clone() }
        }
    }
}
