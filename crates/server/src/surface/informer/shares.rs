//! `/api/integrations/{id}/shares`: with whom an integration is shared.

use axum::{extract::State, http::StatusCode, response::IntoResponse};
use claviger_engine::{
    domain::share::Level,
    error::{Error, Result},
    member::{
        principal::Known,
        share::{self, Shared},
    },
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    asked::{Body, Named, Query},
    caller::Caller,
    error::{self, Answer},
    hal::{Format, Link, List, link, segment},
};
use crate::{app::App, http::paging};

/// A user or a team.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Principal)]
pub struct Principal {
    /// A user's name, or `team:` and a team's slug.
    #[schema(example = "team:analytics")]
    pub id: String,
    /// What people call it.
    #[schema(example = "Analytics")]
    pub name: String,
    /// `user` or `team`.
    #[serde(rename = "type")]
    #[schema(example = "team")]
    pub kind: &'static str,
}

/// A share.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Share)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    #[serde(rename = "_links")]
    links: Own,
    #[schema(example = "int_0198c1f2a3b47c5d8e9f0a1b2c3d4e5f")]
    integration_id: String,
    /// A user's name, or `team:` and a team's slug.
    #[schema(example = "team:analytics")]
    principal_id: String,
    /// 1: see it, connect and make requests; 2: also change its configuration; 3: also delete and share it.
    #[schema(example = 1)]
    access_level: i64,
    principal: Principal,
    #[schema(example = "2026-01-02T03:04:05.678Z")]
    created_at: String,
    updated_at: String,
}

/// Where a resource is.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = SelfLink)]
pub struct Own {
    #[serde(rename = "self")]
    own: Link,
}

/// How far to share.
#[derive(utoipa::ToSchema)]
#[schema(as = ShareInput)]
#[expect(dead_code, reason = "the document describes it; the body is read field by field")]
pub struct Input {
    /// 1, 2 or 3; 1 unless given.
    #[schema(rename = "accessLevel", example = 1)]
    access_level: Option<i64>,
}

/// Lists with whom an integration is shared, longest first.
#[utoipa::path(
    get,
    path = "/api/integrations/{id}/shares",
    operation_id = "list_shares",
    tag = "sharing",
    params(
        ("id" = String, Path, description = "The integration's id or slug."),
        ("start" = Option<u64>, Query, description = "How many to skip."),
        ("limit" = Option<u64>, Query, description = "How many to give at most.")
    ),
    responses(
        (status = 200, body = [Shown], description = "A HAL collection, under `inf:integration-share`."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "The caller does not manage it."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller.")
    )
)]
pub async fn list(
    State(app): State<App>,
    Caller(member): Caller,
    Named(id): Named<String>,
    query: Query,
    format: Format,
) -> Answer {
    let page = paging::stretch(&query.0)?;
    let found = share::list(&app.broker, &member, &id, &page).await?;
    let path = format!("/api/integrations/{}/shares", found.seen.integration.id);
    let members: Vec<Value> = found.shares.into_iter().map(|it| json!(shown(it))).collect();
    let total = found.count;
    Ok(format.list(List {
        path: &path,
        rel: "inf:integration-share",
        members,
        page,
        total,
        asked: &query.0,
        kept: &[],
    }))
}

/// Shows the share of an integration with one user or team.
#[utoipa::path(
    get,
    path = "/api/integrations/{id}/shares/{principalId}",
    operation_id = "show_share",
    tag = "sharing",
    params(
        ("id" = String, Path, description = "The integration's id or slug."),
        ("principalId" = String, Path, description = "A user's name, or `team:` and a team's slug.")
    ),
    responses(
        (status = 200, body = Shown),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "The caller does not manage it."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller, or it is not shared with them.")
    )
)]
pub async fn show(
    State(app): State<App>,
    Caller(member): Caller,
    Named((id, with)): Named<(String, String)>,
    format: Format,
) -> Answer {
    let found = share::show(&app.broker, &member, &id, &with).await?;
    Ok(format.object(StatusCode::OK, &shown(found)))
}

/// Shares an integration with a user or a team, or changes how far.
#[utoipa::path(
    put,
    path = "/api/integrations/{id}/shares/{principalId}",
    operation_id = "set_share",
    tag = "sharing",
    params(
        ("id" = String, Path, description = "The integration's id or slug."),
        ("principalId" = String, Path, description = "A user's name, or `team:` and a team's slug.")
    ),
    request_body = Input,
    responses(
        (status = 200, body = Shown),
        (status = 400, body = error::Problem, description = "The level is none, or nobody is called this."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "The caller does not manage it, or lacks `integration:share`."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller."),
        (status = 409, body = error::Problem, description = "It belongs to them.")
    )
)]
pub async fn set(
    State(app): State<App>,
    Caller(member): Caller,
    Named((id, with)): Named<(String, String)>,
    format: Format,
    body: Body,
) -> Answer {
    let found = share::set(&app.broker, &member, &id, &with, level(&body)?).await?;
    Ok(format.object(StatusCode::OK, &shown(found)))
}

/// Ends the share of an integration with a user or a team.
#[utoipa::path(
    delete,
    path = "/api/integrations/{id}/shares/{principalId}",
    operation_id = "delete_share",
    tag = "sharing",
    params(
        ("id" = String, Path, description = "The integration's id or slug."),
        ("principalId" = String, Path, description = "A user's name, or `team:` and a team's slug.")
    ),
    responses(
        (status = 204, description = "It is shared with them no longer."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "The caller does not manage it, or lacks `integration:share`."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller, or it is not shared with them.")
    )
)]
pub async fn remove(
    State(app): State<App>,
    Caller(member): Caller,
    Named((id, with)): Named<(String, String)>,
) -> Answer {
    share::remove(&app.broker, &member, &id, &with).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A user or a team, as this door writes it.
pub fn principal(known: &Known) -> Principal {
    Principal { id: known.id(), name: known.name().to_owned(), kind: known.kind() }
}

fn level(body: &Body) -> Result<Level> {
    if body.0.is_empty() {
        return Ok(Level::Use);
    }
    let mut fields = body.fields()?;
    let given = fields.value("accessLevel")?;
    fields.done()?;
    let Some(given) = given else { return Ok(Level::Use) };
    let level = given.as_i64().and_then(Level::parse);
    level.ok_or_else(|| Error::invalid("accessLevel", "Must be 1 (use), 2 (edit) or 3 (manage)"))
}

fn shown(shared: Shared) -> Shown {
    let Shared { share, with } = shared;
    let principal = principal(&with);
    let name = segment(&principal.id);
    Shown {
        links: Own { own: link(format!("/api/integrations/{}/shares/{name}", share.integration_id)) },
        integration_id: share.integration_id.to_string(),
        principal_id: principal.id.clone(),
        access_level: share.level.number(),
        principal,
        created_at: share.created_at.rfc3339(),
        updated_at: share.updated_at.rfc3339(),
    }
}
