//! `/connections`: what customers have connected.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse as _};
use claviger_engine::{
    customer::{
        connect,
        connection::{self, Wanted},
    },
    error::Result,
};

use super::{
    asked::{Body, Named, Query, cursor},
    brought,
    caller::Caller,
    error::{Answer, Problem},
    wire,
};
use crate::app::App;

/// Lists connections, newest first: a customer's own, or all customers' for an admin.
#[utoipa::path(
    get,
    path = "/connections",
    operation_id = "list_connections",
    tag = "connections",
    params(
        ("integrationId" = Option<String>, Query, description = "Only those at this integration, by id or key."),
        ("integrationKey" = Option<String>, Query, description = "The same."),
        ("userId" = Option<String>, Query, description = "For admins: only those of this customer, by our id for it or the product's own."),
        ("tenantId" = Option<String>, Query, description = "The same."),
        ("connectorId" = Option<String>, Query, description = "Only those at integrations of this provider."),
        ("search" = Option<String>, Query, description = "Only those with these words in their own name, or in their integration's name, key or description, in this order."),
        ("connected" = Option<bool>, Query, description = "Only those that calls can be made with, or only others."),
        ("disconnected" = Option<bool>, Query, description = "The contrary."),
        ("includeArchived" = Option<bool>, Query, description = "Archived ones too."),
        ("isTest" = Option<bool>, Query, description = "`true` finds none: there are none such."),
        ("limit" = Option<u16>, Query, description = "1 to 1000, 25 unless given."),
        ("cursor" = Option<String>, Query, description = "What the page before ended with; `0` for the first.")
    ),
    responses(
        (status = 200, body = wire::Connections),
        (status = 400, body = Problem, description = "A parameter is wrong or given twice. Unknown ones are ignored."),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "The token speaks for no customer, and is no admin's.")
    )
)]
pub async fn list(State(app): State<App>, Caller(holder): Caller, query: Query) -> Answer {
    let page = query.page()?;
    let found = match wanted(&query)? {
        Some(wanted) => connection::list(&app.broker, &holder, &wanted, &page).await?,
        None => Vec::new(),
    };
    let cursor = cursor(&page, found.len());
    let items = found.iter().map(wire::connection).collect();
    Ok(Json(wire::Connections { items, cursor }).into_response())
}

/// Which connections a list is to have; `None` when there can be none.
fn wanted(query: &Query) -> Result<Option<Wanted>> {
    let both = |one, other| -> Result<Vec<String>> {
        Ok([query.text(one)?, query.text(other)?].into_iter().flatten().collect())
    };
    let (connected, disconnected) = (query.flag("connected")?, query.flag("disconnected")?);
    let usable = disconnected.map(|gone| !gone);
    let contradictory = connected.zip(usable).is_some_and(|(one, other)| one != other);
    let wanted = Wanted {
        integrations: both("integrationId", "integrationKey")?,
        customers: both("userId", "tenantId")?,
        provider: query.text("connectorId")?,
        search: query.text("search")?,
        usable: connected.or(usable),
        archived: query.flag("includeArchived")?.unwrap_or(false),
    };
    let no_such = query.flag("isTest")? == Some(true) || query.text("externalAppId")?.is_some();
    Ok((!contradictory && !no_such).then_some(wanted))
}

/// Shows a connection. Archived ones are found by their id.
#[utoipa::path(
    get,
    path = "/connections/{selector}",
    operation_id = "show_connection",
    tag = "connections",
    params(
        ("selector" = String, Path, description = "The connection's id; or the id or key of an integration at which the customer has exactly one."),
        ("includeSecrets" = Option<bool>, Query, description = "For admins: also what it was made with that is no secret. Credentials are never given out.")
    ),
    responses(
        (status = 200, body = wire::Connection),
        (status = 400, body = Problem, description = "There are several: their ids are named."),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "`includeSecrets` is true and the token is no admin's."),
        (status = 404, body = Problem, description = "There is no such connection for the caller.")
    )
)]
pub async fn show(
    State(app): State<App>,
    Caller(holder): Caller,
    Named(selector): Named<String>,
    query: Query,
) -> Answer {
    let object = if query.flag("includeSecrets")? == Some(true) {
        wire::connection_with_values(&connection::values(&app.broker, &holder, &selector).await?)
    } else {
        wire::connection(&connection::show(&app.broker, &holder, &selector).await?)
    };
    Ok(Json(object).into_response())
}

/// Makes a connection for the token's customer without a browser: of values that are typed in elsewhere, or of an OAuth 2
/// grant's tokens. The provider is asked first whether it takes them.
#[utoipa::path(
    post,
    path = "/connections",
    operation_id = "create_connection",
    tag = "connections",
    request_body = brought::Wanted,
    responses(
        (status = 201, body = wire::Connection),
        (status = 400, body = Problem, description = "A value is missing, wrong or refused by the provider; or a browser is needed (`configuration`)."),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "The token speaks for no customer."),
        (status = 404, body = Problem, description = "There is no such integration or auth option."),
        (status = 413, body = Problem, description = "The body is too large."),
        (status = 429, body = Problem, description = "Too many tries; `Retry-After` says when to go on."),
        (status = 502, body = Problem, description = "The provider can't be asked."),
        (status = 504, body = Problem, description = "The provider did not answer in time.")
    )
)]
pub async fn create(State(app): State<App>, Caller(holder): Caller, body: Body) -> Answer {
    let brought = brought::read(&body)?;
    let made = connect::bring(&app.broker, &holder, brought.wish, brought.held).await?;
    let shown = connection::told(&app.broker, &made.workspace_id, &made.id).await?;
    Ok((StatusCode::CREATED, Json(wire::connection(&shown))).into_response())
}

/// Changes a connection: what it is called; and with `credentials` or `input` it is authorized anew, its id kept.
#[utoipa::path(
    patch,
    path = "/connections/{selector}",
    operation_id = "update_connection",
    tag = "connections",
    params(("selector" = String, Path, description = "As for showing one.")),
    request_body = brought::Wanted,
    responses(
        (status = 200, body = wire::Connection),
        (status = 400, body = Problem, description = "A value is missing, wrong or refused by the provider; a browser is needed (`configuration`); or there are several connections."),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "Only its customer authorizes it anew."),
        (status = 404, body = Problem, description = "There is no such connection for the caller."),
        (status = 413, body = Problem, description = "The body is too large."),
        (status = 429, body = Problem, description = "Too many tries; `Retry-After` says when to go on."),
        (status = 502, body = Problem, description = "The provider can't be asked."),
        (status = 504, body = Problem, description = "The provider did not answer in time.")
    )
)]
pub async fn update(
    State(app): State<App>,
    Caller(holder): Caller,
    Named(selector): Named<String>,
    body: Body,
) -> Answer {
    let brought::Brought { name, wish, held, anew } = brought::read(&body)?;
    let shown = if anew {
        connection::authorize(&app.broker, &holder, &selector, wish, held).await?
    } else {
        connection::rename(&app.broker, &holder, &selector, name.as_deref()).await?
    };
    Ok(Json(wire::connection(&shown)).into_response())
}

/// Archives a connection: the provider is told to forget the grant where it can be, and the credential is erased.
#[utoipa::path(
    delete,
    path = "/connections/{selector}",
    operation_id = "archive_connection",
    tag = "connections",
    params(("selector" = String, Path, description = "As for showing one.")),
    responses(
        (status = 204, description = "It is archived."),
        (status = 400, body = Problem, description = "There are several: their ids are named."),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "The token speaks for no customer, and is no admin's."),
        (status = 404, body = Problem, description = "There is no such connection for the caller.")
    )
)]
pub async fn archive(
    State(app): State<App>,
    Caller(holder): Caller,
    Named(selector): Named<String>,
) -> Answer {
    connection::archive(&app.broker, &holder, &selector).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Makes a connection's credential anew at once. Where nothing can be had in its place, its provider is asked whether it
/// still takes it.
#[utoipa::path(
    post,
    path = "/connections/{selector}/refresh-credentials",
    operation_id = "refresh_connection",
    tag = "connections",
    params(("selector" = String, Path, description = "As for showing one.")),
    responses(
        (status = 200, body = wire::Connection),
        (status = 400, body = Problem, description = "Its customer has to authorize it again (`connection`, `connection_is_defunct`); or there are several."),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "It is frozen."),
        (status = 404, body = Problem, description = "There is no such connection for the caller."),
        (status = 429, body = Problem, description = "Too often; `Retry-After` says when to go on."),
        (status = 502, body = Problem, description = "The provider can't be asked."),
        (status = 504, body = Problem, description = "The provider did not answer in time.")
    )
)]
pub async fn refresh(
    State(app): State<App>,
    Caller(holder): Caller,
    Named(selector): Named<String>,
) -> Answer {
    let shown = connection::refresh(&app.broker, &holder, &selector).await?;
    Ok(Json(wire::connection(&shown)).into_response())
}
