//! `/api/tokens`: what a user's programs call with.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header::LOCATION},
    response::IntoResponse,
};
use claviger_engine::{
    domain::token::UserToken,
    error::Error,
    member::token::{self, NewToken},
    time::Millis,
};
use serde::Serialize;
use serde_json::json;

use super::{
    asked::{Json, Named, Query},
    caller::Caller,
    error::{Answer, Problem},
    hal::{Format, Link, List, link},
};
use crate::{app::App, http::paging};

/// A token. Its text is only in the answer that made it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Token)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    #[schema(example = "tok_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    id: String,
    /// `personal`, or `app-view`, which only reads.
    #[serde(rename = "type")]
    #[schema(example = "personal")]
    kind: String,
    #[schema(example = "nightly report")]
    name: Option<String>,
    /// What programs send as `Authorization: Bearer …`. Only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ut_4kYb2wDq9NfLr7ZsTg5HcXv1JmPa8Ee3Ui6Oo0BnKlMhGf")]
    token: Option<String>,
    /// Whether it can't change anything.
    read_only: bool,
    #[schema(example = "2026-01-02T03:04:05.678Z")]
    created_at: String,
    /// When it stops working; null for never.
    expires_at: Option<String>,
    /// When it was last used, to the minute.
    last_used_at: Option<String>,
    #[serde(rename = "_links")]
    links: Links,
}

/// Where a token is found.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TokenLinks)]
pub struct Links {
    #[serde(rename = "self")]
    own: Link,
}

impl Shown {
    fn of(token: &UserToken, text: Option<String>) -> Self {
        Self {
            id: token.id.to_string(),
            kind: token.kind.clone(),
            name: token.name.clone(),
            token: text,
            read_only: token.read_only,
            created_at: token.created_at.rfc3339(),
            expires_at: token.expires_at.map(Millis::rfc3339),
            last_used_at: token.last_used_at.map(Millis::rfc3339),
            links: Links { own: link(format!("/api/tokens/{}", token.id)) },
        }
    }
}

/// A token to be.
#[derive(utoipa::ToSchema)]
#[schema(as = TokenInput, rename_all = "camelCase")]
#[expect(dead_code, reason = "it documents the body, which is read by hand for its error shape")]
pub struct Wanted {
    /// `personal` unless given, or `app-view`, which only reads.
    #[schema(rename = "type")]
    kind: Option<String>,
    /// What its user calls it.
    name: Option<String>,
    /// Whether it can't change anything; false unless given.
    read_only: Option<bool>,
    /// When it stops working, in the future (RFC 3339); never unless given.
    expires_at: Option<String>,
}

/// Makes a token that calls as the user who makes it.
///
/// Its text is in this answer and nowhere else. A token can't make another. At most 100 per user.
#[utoipa::path(
    post,
    path = "/api/tokens",
    operation_id = "create_token",
    tag = "tokens",
    request_body = Wanted,
    responses(
        (status = 201, body = Shown),
        (status = 400, body = Problem, description = "A field is wrong."),
        (status = 401, body = Problem, description = "No session or password that holds."),
        (status = 403, body = Problem, description = "Asked with a token, or from another origin."),
        (status = 409, body = Problem, description = "There are 100 already."),
        (status = 415, body = Problem, description = "The body does not say that it is JSON.")
    )
)]
pub async fn create(
    State(app): State<App>,
    Caller(member): Caller,
    format: Format,
    Json(body): Json,
) -> Answer {
    let mut fields = body.fields()?;
    let input = NewToken {
        kind: fields.text("type")?,
        name: fields.text("name")?,
        read_only: fields.flag("readOnly")?,
        expires_at: fields.text("expiresAt")?,
    };
    fields.done()?;
    let (made, text) = token::create(&app.broker, &member, input).await?;
    let mut answer = format.object(StatusCode::CREATED, &Shown::of(&made, Some(text.expose().to_owned())));
    let at = HeaderValue::from_str(&format!("/api/tokens/{}", made.id));
    answer.headers_mut().insert(LOCATION, at.map_err(|e| Error::internal(e.to_string()))?);
    Ok(answer)
}

/// Lists one's own tokens, oldest first.
#[utoipa::path(
    get,
    path = "/api/tokens",
    operation_id = "list_tokens",
    tag = "tokens",
    params(
        ("start" = Option<u64>, Query, description = "How many to skip."),
        ("limit" = Option<u8>, Query, description = "1 to 100, 30 unless given.")
    ),
    responses(
        (status = 200, body = Object, description = "A HAL collection of tokens, rel `inf:token`."),
        (status = 400, body = Problem, description = "A parameter is wrong."),
        (status = 401, body = Problem, description = "No session, token or password that holds.")
    )
)]
pub async fn list(
    State(app): State<App>,
    Caller(member): Caller,
    format: Format,
    Query(asked): Query,
) -> Answer {
    let page = paging::stretch(&asked)?;
    let (tokens, total) = token::list(&app.broker, &member, &page).await?;
    let members = tokens.iter().map(|token| json!(Shown::of(token, None))).collect();
    let (path, rel) = ("/api/tokens", "inf:token");
    Ok(format.list(List { path, rel, members, page, total, asked: &asked, kept: &[] }))
}

/// Shows one of one's own tokens.
#[utoipa::path(
    get,
    path = "/api/tokens/{id}",
    operation_id = "show_token",
    tag = "tokens",
    params(("id" = String, Path, description = "The token's id.")),
    responses(
        (status = 200, body = Shown),
        (status = 401, body = Problem, description = "No session, token or password that holds."),
        (status = 404, body = Problem, description = "There is no such token, or it is somebody else's.")
    )
)]
pub async fn show(
    State(app): State<App>,
    Caller(member): Caller,
    format: Format,
    Named(id): Named<String>,
) -> Answer {
    let found = token::show(&app.broker, &member, &id).await?;
    Ok(format.object(StatusCode::OK, &Shown::of(&found, None)))
}

/// Stops one of one's own tokens, at once and for good.
#[utoipa::path(
    delete,
    path = "/api/tokens/{id}",
    operation_id = "delete_token",
    tag = "tokens",
    params(("id" = String, Path, description = "The token's id.")),
    responses(
        (status = 204, description = "It is stopped."),
        (status = 401, body = Problem, description = "No session, token or password that holds."),
        (status = 403, body = Problem, description = "Asked with a token that only reads, or from another origin."),
        (status = 404, body = Problem, description = "There is no such token, or it is somebody else's.")
    )
)]
pub async fn delete(State(app): State<App>, Caller(member): Caller, Named(id): Named<String>) -> Answer {
    token::delete(&app.broker, &member, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
