//! `/api/integrations`: which services users can connect, and how.

use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ETAG, IF_NONE_MATCH, LOCATION},
    },
    response::IntoResponse,
};
use claviger_engine::{
    access::Member,
    error::Error,
    member::integration::{self, Wanted},
    store::{IntegrationOrder, Page},
    vault::hash,
};

use super::{
    asked::{Body, Named, Query},
    caller::{At, Caller},
    error::{self, Answer, Refused},
    hal::{Format, List},
    wanted, wire,
};
use crate::{app::App, http::paging};

/// What integrations can be ordered by.
const ORDERS: [(&str, IntegrationOrder); 4] = [
    ("name", IntegrationOrder::Name),
    ("createdAt", IntegrationOrder::Created),
    ("updatedAt", IntegrationOrder::Updated),
    ("type", IntegrationOrder::Provider),
];
const BY_NAME: (IntegrationOrder, bool) = (IntegrationOrder::Name, false);

/// Lists the integrations that the caller sees: its own, its teams', and what is shared with either; a superuser sees all.
#[utoipa::path(
    get,
    path = "/api/integrations",
    operation_id = "list_integrations",
    tag = "integrations",
    params(
        ("q" = Option<String>, Query, description = "Only those whose name, slug or description holds these words, in this order."),
        ("supportsUpload" = Option<bool>, Query, description = "Only those whose provider takes uploads, or only others."),
        ("sort" = Option<String>, Query, description = "`name`, `createdAt`, `updatedAt` or `type`; with `-` in front to go down. By name unless given."),
        ("start" = Option<u64>, Query, description = "How many to skip."),
        ("limit" = Option<u8>, Query, description = "1 to 100, 30 unless given.")
    ),
    responses(
        (status = 200, body = [wire::Member], description = "A HAL collection, under `inf:integration`."),
        (status = 400, body = error::Problem, description = "A parameter is wrong or given twice. Unknown ones are ignored."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking.")
    )
)]
pub async fn list(State(app): State<App>, Caller(member): Caller, query: Query, format: Format) -> Answer {
    let wanted = Wanted {
        search: query.text("q")?,
        supports_upload: query.flag("supportsUpload")?,
        order: paging::sort(&query.0, &ORDERS)?.unwrap_or(BY_NAME),
    };
    let page = paging::stretch(&query.0)?;
    let found = integration::list(&app.broker, &member, wanted, &page).await?;
    // What is written here has text keys and finite numbers only, so it always is JSON.
    let member = |shown| serde_json::to_value(wire::member(shown)).unwrap_or_default();
    Ok(format.list(List {
        path: "/api/integrations",
        rel: "inf:integration",
        members: found.shown.iter().map(member).collect(),
        page,
        total: found.total,
        asked: &query.0,
        kept: &["q", "supportsUpload", "sort"],
    }))
}

/// Lists the same integrations by name, all at once and without endpoints, for galleries and pickers.
///
/// The answer has an `ETag`; whoever asks again with it in `If-None-Match` is told when nothing has changed.
#[utoipa::path(
    get,
    path = "/api/integrations-list",
    operation_id = "pick_integrations",
    tag = "integrations",
    responses(
        (status = 200, body = [wire::Brief], description = "The bare array."),
        (status = 304, description = "It is the one that `If-None-Match` names."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking.")
    )
)]
pub async fn pick(State(app): State<App>, Caller(member): Caller, headers: HeaderMap) -> Answer {
    let wanted = Wanted { search: None, supports_upload: None, order: BY_NAME };
    let all = Page { offset: 0, limit: i64::MAX };
    let found = integration::list(&app.broker, &member, wanted, &all).await?;
    let briefs: Vec<_> = found.shown.iter().map(wire::brief).collect();
    // As above.
    let text = serde_json::to_string(&briefs).unwrap_or_default();
    let tag = format!("\"{}\"", &hash::token(&text)[..32]);
    let mut response = if is_known(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(briefs).into_response()
    };
    response.headers_mut().insert(ETAG, HeaderValue::from_str(&tag).map_err(|_| odd())?);
    Ok(response)
}

/// Makes an integration, which belongs to the caller.
#[utoipa::path(
    post,
    path = "/api/integrations",
    operation_id = "create_integration",
    tag = "integrations",
    request_body = wanted::Wanted,
    responses(
        (status = 201, body = wire::Whole, description = "It is made; `Location` says where it is."),
        (status = 400, body = error::Problem, description = "A field is wrong, unknown, missing, or not one that the provider takes."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "The caller lacks `integration:write`."),
        (status = 409, body = error::Problem, description = "The slug is taken."),
        (status = 413, body = error::Problem, description = "The body is too large.")
    )
)]
pub async fn create(
    State(app): State<App>,
    Caller(member): Caller,
    at: Result<At, Refused>,
    format: Format,
    body: Body,
) -> Answer {
    let edit = wanted::edit(body.fields()?)?;
    let made = integration::create(&app.broker, &member, edit).await.map_err(wanted::worded)?;
    let mut response = format.object(StatusCode::CREATED, &wire::whole(&made, origin(&app, &member, &at)));
    let location = HeaderValue::from_str(&wire::path(&made)).map_err(|_| odd())?;
    response.headers_mut().insert(LOCATION, location);
    Ok(response)
}

/// Shows an integration. How it is configured is shown to whoever may edit it.
#[utoipa::path(
    get,
    path = "/api/integrations/{id}",
    operation_id = "show_integration",
    tag = "integrations",
    params(("id" = String, Path, description = "The integration's id or slug.")),
    responses(
        (status = 200, body = wire::Whole),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller.")
    )
)]
pub async fn show(
    State(app): State<App>,
    Caller(member): Caller,
    Named(id): Named<String>,
    at: Result<At, Refused>,
    format: Format,
) -> Answer {
    let shown = integration::show(&app.broker, &member, &id).await?;
    Ok(format.object(StatusCode::OK, &wire::whole(&shown, origin(&app, &member, &at))))
}

/// Changes an integration: what the body leaves out stays as it is, and null clears.
///
/// When secrets would be sent elsewhere than before, the client secret is dropped unless it is given anew, and
/// connections must be authorized again; the answer says so in `notice` and `invalidated`.
#[utoipa::path(
    put,
    path = "/api/integrations/{id}",
    operation_id = "update_integration",
    tag = "integrations",
    params(("id" = String, Path, description = "The integration's id or slug.")),
    request_body = wanted::Wanted,
    responses(
        (status = 200, body = wire::Whole),
        (status = 400, body = error::Problem, description = "A field is wrong, unknown, or not one that the provider takes."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "The caller may not edit it, or lacks `integration:write`."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller."),
        (status = 409, body = error::Problem, description = "The slug is taken, another change came first, another provider is named, or the mode differs while users are connected."),
        (status = 413, body = error::Problem, description = "The body is too large.")
    )
)]
pub async fn update(
    State(app): State<App>,
    Caller(member): Caller,
    Named(id): Named<String>,
    at: Result<At, Refused>,
    format: Format,
    body: Body,
) -> Answer {
    let edit = wanted::edit(body.fields()?)?;
    let updated = integration::update(&app.broker, &member, &id, edit).await.map_err(wanted::worded)?;
    Ok(format.object(StatusCode::OK, &wire::changed(&updated, origin(&app, &member, &at))))
}

/// Deletes an integration, once each of its users' connections was ended at the provider.
#[utoipa::path(
    delete,
    path = "/api/integrations/{id}",
    operation_id = "delete_integration",
    tag = "integrations",
    params(("id" = String, Path, description = "The integration's id or slug.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 403, body = error::Problem, description = "The caller does not manage it, or lacks `integration:delete`."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller."),
        (status = 409, body = error::Problem, description = "Customers' connections are left, or it was changed meanwhile.")
    )
)]
pub async fn delete(State(app): State<App>, Caller(member): Caller, Named(id): Named<String>) -> Answer {
    integration::delete(&app.broker, &member, &id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Would look into the directories of a provider of files. Not offered.
#[utoipa::path(
    post,
    path = "/api/integrations/{id}/directories/preview",
    operation_id = "preview_directories",
    tag = "integrations",
    params(("id" = String, Path, description = "The integration's id or slug.")),
    request_body = Option<Value>,
    responses(
        (status = 401, body = error::Problem, description = "Nobody, or somebody unknown, is asking."),
        (status = 404, body = error::Problem, description = "There is no such integration for the caller."),
        (status = 501, body = error::Problem, description = "Always, otherwise: ask the provider itself, through `request`.")
    )
)]
pub async fn preview(State(app): State<App>, Caller(member): Caller, Named(id): Named<String>) -> Answer {
    let shown = integration::show(&app.broker, &member, &id).await?;
    let message = format!(
        "Directory previews are not offered: ask the provider itself, through {}/request",
        wire::path(&shown)
    );
    Err(Error::NotSupported { message }.into())
}

/// Where the caller's browser reaches us; a program's may name any host.
fn origin<'a>(app: &'a App, member: &Member, at: &'a Result<At, Refused>) -> &'a str {
    match at {
        Ok(At(site)) if site.workspace == member.workspace_id => &site.origin,
        _ => &app.broker.urls.app,
    }
}

/// Whether `If-None-Match` names this tag (RFC 9110 §13.1.2).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| line.split(','))
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == tag || one == "*")
}

fn odd() -> Error {
    Error::internal("a header could not be written")
}
