//! `/v1/connections`: a product's server lists its customers' connections, imports some, ends some.

use axum::{
    extract::State,
    http::{StatusCode, Uri},
    response::IntoResponse as _,
};
use claviger_engine::{
    connect::{
        Import, LONGEST_LIFE,
        reconnect::{LINK_LIFE_MAX, Wish},
    },
    domain::{
        connection::{Connection, Owner, OwnerKind, Status},
        health,
    },
    error::{Error, Result},
    management::connection::{self, Seen, Wanted},
    time::Millis,
};
use serde::Serialize;
use serde_json::Value;

use super::{
    asked::{Answer, Body, Caller, Named, Query},
    error, refusal, wire,
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
    /// How it is doing.
    #[schema(value_type = Health)]
    health: Value,
}

/// How a connection is doing. Each field is there in snake case and in camel case.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Health {
    /// `active` or `needs_reauth`: its owner must authorize again.
    #[schema(example = "active")]
    status: &'static str,
    /// Why its owner must authorize again.
    reason: Option<String>,
    /// When a call was last made with it, to the minute.
    last_used_at: Option<String>,
    /// When its access token was last refreshed.
    refreshed_at: Option<String>,
    /// When its access token expires, as far as anybody knows.
    expires_at: Option<String>,
    /// When its refresh token dies, where the provider says: only its owner can help then. `connection.expiring` tells it
    /// ahead.
    refresh_expires_at: Option<String>,
    /// How many refreshes in a row failed in passing; 0 after one that succeeded.
    refresh_failures: i64,
    /// When a refresh is tried again after that: until then none is.
    refresh_retry_at: Option<String>,
    /// What the last one failed with.
    refresh_failure: Option<String>,
    /// Since when a refresh has been sent of which no answer is known.
    refresh_unknown_since: Option<String>,
    /// When its provider was last asked whether it takes the credential.
    verified_at: Option<String>,
    scopes_asked: Vec<String>,
    scopes_granted: Vec<String>,
    /// What was asked for and not granted.
    scopes_missing: Vec<String>,
    account: Account,
    /// What came of comparing the account that was last authorized with the one before; null when it was the same.
    account_note: Option<String>,
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

/// How a link that renews a connection is to be.
#[derive(utoipa::ToSchema)]
#[schema(as = ReconnectInput)]
#[expect(dead_code, reason = "it documents the body, which is read by hand for its error shape")]
pub struct Reconnect {
    /// The registered redirect URI where the browser goes at the end; our own page unless given. Required where the
    /// workspace has its server complete.
    redirect_uri: Option<String>,
    /// In how many seconds the link stops being good: 60 to 86400, 3600 unless given.
    expires_in: Option<u32>,
}

/// A link that renews a connection.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ReconnectLink)]
pub struct Link {
    /// The link, good once. Whoever has it can renew the connection: give it to its owner alone.
    #[schema(example = "https://connect.example.com/reconnect/Zk3v…")]
    url: String,
    /// When it stops being good.
    #[schema(example = "2026-01-02T03:04:05.678Z")]
    expires_at: String,
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
        refusal::BadParameter,
        refusal::NotReading
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
        refusal::NotManaging,
        refusal::NoIntegration,
        (status = 409, body = error::Problem, description = "The integration is switched off, or changed meanwhile."),
        refusal::TooLarge,
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
        refusal::NotReading,
        refusal::NoConnection
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
        refusal::NotManaging,
        refusal::NoConnection
    )
)]
pub async fn end(State(app): State<App>, Caller(key): Caller, Named(id): Named<String>) -> Answer {
    connection::end(&app.broker, &key, OwnerKind::External, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Makes a link by which a connection's owner authorizes it anew; it keeps its id.
///
/// The link opens a page of ours, whose button leads to the provider, or to a form where a credential is typed in. It is
/// good once. Works for connections of every owner, also of other doors', active or not.
#[utoipa::path(
    post,
    path = "/v1/connections/{id}/reconnect",
    operation_id = "reconnect_connection",
    tag = "connections",
    security(("api_key" = [])),
    params(("id" = String, Path, description = "The connection.")),
    request_body = Option<Reconnect>,
    responses(
        (status = 201, body = Link),
        (status = 400, body = error::FieldErrors, description = "A field is wrong or unknown: the redirect URI is not registered, or needed and not given."),
        refusal::NotManaging,
        refusal::NoConnection,
        (status = 409, body = error::Problem, description = "There is nothing to authorize anew: the integration is switched off, or needs nobody."),
        refusal::TooLarge
    )
)]
pub async fn reconnect(
    State(app): State<App>,
    Caller(key): Caller,
    Named(id): Named<String>,
    Body(body): Body,
) -> Answer {
    claviger_engine::access::require_write(&key)?;
    let mut fields = Fields::maybe(&body, Casing::Both)?;
    let wish = Wish {
        redirect_uri: fields.text("redirect_uri")?,
        expires_in: fields.seconds("expires_in", LINK_LIFE_MAX)?,
    };
    fields.done()?;
    let issued = connection::reconnect(&app.broker, &key, &id, wish).await?;
    let link = Link { url: issued.url.expose().to_owned(), expires_at: issued.expires_at.rfc3339() };
    Ok(wire::object(StatusCode::CREATED, &link))
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
    let Seen { connection, integration, health } = seen;
    let health = wire::both(&doing(&connection, health));
    let account = account(&connection);
    Shown {
        id: connection.id.to_string(),
        external_id: connection.owner.key,
        integration_id: connection.integration_id.to_string(),
        integration_identifier: integration,
        is_valid: connection.status == Status::Active && connection.frozen_at.is_none(),
        status: connection.status.as_str(),
        status_reason: connection.status_reason,
        scopes: connection.scopes_granted,
        account,
        created_at: connection.created_at.rfc3339(),
        updated_at: connection.updated_at.rfc3339(),
        refreshed_at: connection.refreshed_at.map(Millis::rfc3339),
        expires_at: connection.expires_at.map(Millis::rfc3339),
        refresh_at: None,
        health,
    }
}

fn account(connection: &Connection) -> Account {
    let account = connection.account.clone();
    Account { id: account.id, name: account.name, email: account.email }
}

fn doing(connection: &Connection, health: health::Health) -> Health {
    let told = |at: Option<Millis>| at.map(Millis::rfc3339);
    Health {
        status: connection.status.as_str(),
        reason: connection.status_reason.clone(),
        last_used_at: told(health.last_used_at),
        refreshed_at: told(connection.refreshed_at),
        expires_at: told(health.expires_at.or(connection.expires_at)),
        refresh_expires_at: told(health.refresh_expires_at),
        refresh_failures: health.failures,
        refresh_retry_at: told(health.retry_at),
        refresh_failure: health.failure,
        refresh_unknown_since: told(health.unknown_since),
        verified_at: told(health.verified_at),
        scopes_asked: connection.scopes_asked.clone(),
        scopes_granted: connection.scopes_granted.clone(),
        scopes_missing: health::missing_scopes(connection),
        account: account(connection),
        account_note: health.account_note,
    }
}
