//! `/v1/connections`: a product's server lists its customers' connections, imports some, ends some.

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::IntoResponse as _,
};
use claviger_engine::{
    connect::{Import, LONGEST_LIFE},
    domain::connection::{Owner, OwnerKind, Status},
    error::{Error, Result},
    management::connection::{self, Seen, Wanted},
    time::Millis,
};
use serde::Serialize;

use super::{
    asked::{Answer, Body, Caller, Named, Query},
    error, wire,
};
use crate::{
    app::App,
    http::{
        body::{Casing, Fields},
        paging,
    },
};

/// A connection. Each field is there in snake case and in camel case.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Connection)]
pub struct Shown {
    #[schema(example = "conn_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    id: String,
    /// The product's own reference for its customer.
    #[schema(example = "user_42")]
    external_id: Option<String>,
    #[schema(example = "int_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    integration_id: String,
    /// The integration's key.
    #[schema(example = "github")]
    integration_identifier: String,
    /// Whether calls can be made with it now: it is active, and not frozen by an operator.
    is_valid: bool,
    /// `active` or `needs_reauth`: its owner must authorize again.
    #[schema(example = "active")]
    status: &'static str,
    /// Why its owner must authorize again.
    status_reason: Option<String>,
    /// The scopes that the provider granted.
    scopes: Vec<String>,
    account: Account,
    /// When it was made (RFC 3339, UTC, as all times).
    #[schema(example = "2026-01-02T03:04:05.678Z")]
    created_at: String,
    updated_at: String,
    /// When its access token was last refreshed.
    refreshed_at: Option<String>,
    /// When its access token expires, as far as the provider tells.
    expires_at: Option<String>,
    /// Always null: an access token is refreshed when a call needs it.
    refresh_at: Option<String>,
}

/// Who the connected account is at the provider, as far as the provider tells.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Account {
    id: Option<String>,
    name: Option<String>,
    email: Option<String>,
}

/// Tokens that the product holds already. Each field may be spelled in snake case as well.
#[derive(utoipa::ToSchema)]
#[schema(as = ConnectionImport)]
#[expect(dead_code, reason = "it documents the body, which is read by hand for its error shape")]
#[expect(non_snake_case, reason = "the contract spells them so")]
pub struct Imported {
    /// The integration's id or key.
    integrationId: String,
    /// The access token; `access_token` is understood too.
    authToken: String,
    refreshToken: Option<String>,
    externalId: Option<String>,
    /// In how many seconds the access token expires: at most ten years.
    expiresIn: Option<u64>,
    /// The scopes that were granted.
    scopes: Option<Vec<String>>,
    /// What the provider needs to know besides, such as its subdomain.
    inputs: Option<std::collections::BTreeMap<String, String>>,
    /// Has the provider accept the tokens before anything is stored. Where there is a refresh token this is done by
    /// a refresh, which spends a refresh token that rotates: the new tokens are kept, the given ones no longer work.
    verify: Option<bool>,
}

/// Lists connections, newest first.
///
/// With a slash at the end of the path the answer is `{"data": […]}`, without one it is the array.
#[utoipa::path(
    get,
    path = "/v1/connections",
    operation_id = "list_connections",
    tag = "connections",
    security(("api_key" = [])),
    params(
        ("limit" = Option<u8>, Query, description = "1 to 100, 10 unless given."),
        ("offset" = Option<u64>, Query, description = "How many to skip; not bounded, so that every one can be listed."),
        ("integration_id" = Option<String>, Query, description = "Only of this integration, by id or key. Also `integrationId`."),
        ("integration_identifier" = Option<String>, Query, description = "Only of the integration with this key. Also `integrationIdentifier`."),
        ("external_id" = Option<String>, Query, description = "Only of this customer. Also `externalId`.")
    ),
    responses(
        (status = 200, body = [Shown]),
        (status = 400, body = error::FieldErrors, description = "A parameter is wrong, empty or given twice. Unknown ones are ignored."),
        (status = 401, body = error::Problem, description = "The API key is missing or invalid."),
        (status = 403, body = error::Problem, description = "The API key has neither of the scopes `management` and `read-only`.")
    )
)]
pub async fn list(State(app): State<App>, Caller(key): Caller, query: Query, uri: Uri) -> Answer {
    let wanted = Wanted {
        integration: query.filter("integration_id", &["integration_id", "integrationId"])?,
        integration_key: query
            .filter("integration_identifier", &["integration_identifier", "integrationIdentifier"])?,
        owner_key: query.filter("external_id", &["external_id", "externalId"])?,
    };
    let page = paging::page(query.params())?;
    let seen = connection::list(&app.broker, &key, OwnerKind::External, &wanted, &page).await?;
    Ok(wire::list(&uri, seen.into_iter().map(shown)))
}

/// Makes a connection of tokens that the product holds already.
///
/// Nothing is asked of the provider unless `verify` is set.
#[utoipa::path(
    post,
    path = "/v1/connections",
    operation_id = "import_connection",
    tag = "connections",
    security(("api_key" = [])),
    request_body = Imported,
    responses(
        (status = 201, body = Shown),
        (status = 400, body = error::FieldErrors, description = "A field is wrong or unknown, or the provider refused the tokens."),
        (status = 401, body = error::Problem, description = "The API key is missing or invalid."),
        (status = 403, body = error::Problem, description = "The API key has not the scope `management`."),
        (status = 404, body = error::Problem, description = "There is no such integration."),
        (status = 409, body = error::Problem, description = "The integration is switched off, or changed meanwhile."),
        (status = 413, body = error::Problem, description = "The body is too large."),
        (status = 502, body = error::Problem, description = "With `verify`: the provider can't be asked."),
        (status = 504, body = error::Problem, description = "With `verify`: the provider did not answer in time.")
    )
)]
pub async fn import(State(app): State<App>, Caller(key): Caller, Body(body): Body) -> Answer {
    claviger_engine::access::require_write(&key)?;
    let mut fields = Fields::read(&body, Casing::Both)?;
    let integration = fields.need("integration_id")?;
    let input = read(&integration, fields)?;
    let seen = connection::import(&app.broker, &key, input).await.map_err(in_our_words)?;
    Ok(wire::object(StatusCode::CREATED, &shown(seen)))
}

/// Shows a connection.
#[utoipa::path(
    get,
    path = "/v1/connections/{id}",
    operation_id = "show_connection",
    tag = "connections",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "The connection.")),
    responses(
        (status = 200, body = Shown),
        (status = 401, body = error::Problem, description = "The API key is missing or invalid."),
        (status = 403, body = error::Problem, description = "The API key has neither of the scopes `management` and `read-only`."),
        (status = 404, body = error::Problem, description = "There is no such connection.")
    )
)]
pub async fn show(State(app): State<App>, Caller(key): Caller, Named(id): Named<String>) -> Answer {
    let seen = connection::show(&app.broker, &key, OwnerKind::External, &id).await?;
    Ok(wire::object(StatusCode::OK, &shown(seen)))
}

/// Ends a connection.
///
/// The provider is told to forget the grant where it can be; whatever it answers, the connection and its tokens are
/// removed here.
#[utoipa::path(
    delete,
    path = "/v1/connections/{id}",
    operation_id = "end_connection",
    tag = "connections",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "The connection.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 401, body = error::Problem, description = "The API key is missing or invalid."),
        (status = 403, body = error::Problem, description = "The API key has not the scope `management`."),
        (status = 404, body = error::Problem, description = "There is no such connection.")
    )
)]
pub async fn end(State(app): State<App>, Caller(key): Caller, Named(id): Named<String>) -> Answer {
    connection::end(&app.broker, &key, OwnerKind::External, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn read(integration: &str, mut fields: Fields) -> Result<Import<'_>> {
    let input = Import {
        integration,
        only: None,
        owner: Owner { kind: OwnerKind::External, key: fields.text("external_id")? },
        access_token: fields
            .secret("auth_token", &["auth_token", "access_token"])?
            .ok_or_else(|| Error::invalid("auth_token", "Is required"))?,
        refresh_token: fields.secret("refresh_token", &["refresh_token"])?,
        expires_in: fields.seconds("expires_in", LONGEST_LIFE)?.map(|life| life.as_secs()),
        scopes: fields.texts("scopes")?,
        inputs: fields.pairs("inputs")?.unwrap_or_default(),
        verify: fields.flag("verify")?.unwrap_or(false),
    };
    fields.done()?;
    Ok(input)
}

/// The engine's names of fields as this contract has them.
fn in_our_words(error: Error) -> Error {
    match error {
        Error::Invalid { field: "access_token", message } => Error::Invalid { field: "auth_token", message },
        other => other,
    }
}

fn shown(seen: Seen) -> Shown {
    let Seen { connection, integration } = seen;
    let account = connection.account;
    Shown {
        id: connection.id.to_string(),
        external_id: connection.owner.key,
        integration_id: connection.integration_id.to_string(),
        integration_identifier: integration,
        is_valid: connection.status == Status::Active && connection.frozen_at.is_none(),
        status: connection.status.as_str(),
        status_reason: connection.status_reason,
        scopes: connection.scopes_granted,
        account: Account { id: account.id, name: account.name, email: account.email },
        created_at: connection.created_at.rfc3339(),
        updated_at: connection.updated_at.rfc3339(),
        refreshed_at: connection.refreshed_at.map(Millis::rfc3339),
        expires_at: connection.expires_at.map(Millis::rfc3339),
        refresh_at: None,
    }
}
