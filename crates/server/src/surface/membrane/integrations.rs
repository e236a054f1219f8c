//! `/integrations`, `/integration` and `/connection-options`: what customers can connect, and in which ways.

use axum::{Json, extract::State, response::IntoResponse as _};
use claviger_engine::{customer::integration, error::Error};

use super::{
    asked::{Body, Named, Query, cursor},
    caller::Caller,
    error::{Answer, Problem},
    wire,
};
use crate::app::App;

/// For whom ways to authenticate are wanted: one of these.
#[derive(utoipa::ToSchema)]
#[schema(as = ConnectionOptionsInput, rename_all = "camelCase")]
#[expect(dead_code, reason = "it documents the body, which is read by hand for its error shape")]
pub struct Wanted {
    /// An integration's id or key.
    integration_id: Option<String>,
    /// The same.
    integration_key: Option<String>,
    /// A connection's id, or its integration's id or key: that connection's integration.
    connection_id: Option<String>,
}

/// Lists the integrations that the product's customers can connect, oldest first.
#[utoipa::path(
    get,
    path = "/integrations",
    operation_id = "list_integrations",
    tag = "integrations",
    params(
        ("search" = Option<String>, Query, description = "Only those whose name, key or description holds these words, in this order."),
        ("limit" = Option<u16>, Query, description = "1 to 1000, 25 unless given."),
        ("cursor" = Option<String>, Query, description = "What the page before ended with; `0` for the first.")
    ),
    responses(
        (status = 200, body = wire::Integrations),
        (status = 400, body = Problem, description = "A parameter is wrong or given twice. Unknown ones are ignored."),
        (status = 401, body = Problem, description = "No token that holds.")
    )
)]
pub async fn list(State(app): State<App>, Caller(holder): Caller, query: Query) -> Answer {
    let (search, page) = (query.text("search")?, query.page()?);
    let found = integration::list(&app.broker, &holder, search.as_deref(), &page).await?;
    let cursor = cursor(&page, found.len());
    let items = found.iter().map(|offered| wire::integration(offered, &app.broker.urls.app)).collect();
    Ok(Json(wire::Integrations { items, cursor }).into_response())
}

/// Shows an integration.
#[utoipa::path(
    get,
    path = "/integrations/{selector}",
    operation_id = "show_integration",
    tag = "integrations",
    params(("selector" = String, Path, description = "The integration's id or key.")),
    responses(
        (status = 200, body = wire::Integration),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 404, body = Problem, description = "There is no such integration.")
    )
)]
pub async fn show(State(app): State<App>, Caller(holder): Caller, Named(selector): Named<String>) -> Answer {
    let offered = integration::show(&app.broker, &holder, &selector).await?;
    Ok(Json(wire::integration(&offered, &app.broker.urls.app)).into_response())
}

/// Shows an integration that is named in the query.
#[utoipa::path(
    get,
    path = "/integration",
    operation_id = "find_integration",
    tag = "integrations",
    params(
        ("id" = Option<String>, Query, description = "Its id."),
        ("key" = Option<String>, Query, description = "Its key.")
    ),
    responses(
        (status = 200, body = wire::Integration),
        (status = 400, body = Problem, description = "Neither parameter is given, or one twice."),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 404, body = Problem, description = "There is no such integration.")
    )
)]
pub async fn find(State(app): State<App>, Caller(holder): Caller, query: Query) -> Answer {
    let selector = query.text("id")?.or(query.text("key")?);
    let selector = selector.ok_or_else(|| Error::invalid("key", "Is required, or an id"))?;
    let offered = integration::show(&app.broker, &holder, &selector).await?;
    Ok(Json(wire::integration(&offered, &app.broker.urls.app)).into_response())
}

/// Shows how an integration's connections authenticate.
#[utoipa::path(
    get,
    path = "/integrations/{selector}/connector-spec",
    operation_id = "show_connector_spec",
    tag = "integrations",
    params(("selector" = String, Path, description = "The integration's id or key.")),
    responses(
        (status = 200, body = wire::Spec),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 404, body = Problem, description = "There is no such integration.")
    )
)]
pub async fn spec(State(app): State<App>, Caller(holder): Caller, Named(selector): Named<String>) -> Answer {
    let offered = integration::show(&app.broker, &holder, &selector).await?;
    Ok(Json(wire::spec(&offered)).into_response())
}

/// Archives what the calling customer connected at an integration, all of it.
#[utoipa::path(
    post,
    path = "/integrations/{selector}/disconnect",
    operation_id = "disconnect_integration",
    tag = "integrations",
    params(("selector" = String, Path, description = "The integration's id or key.")),
    responses(
        (status = 200, body = wire::Integration),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 403, body = Problem, description = "The token speaks for no customer."),
        (status = 404, body = Problem, description = "There is no such integration.")
    )
)]
pub async fn disconnect(
    State(app): State<App>,
    Caller(holder): Caller,
    Named(selector): Named<String>,
) -> Answer {
    let offered = integration::disconnect(&app.broker, &holder, &selector).await?;
    Ok(Json(wire::integration(&offered, &app.broker.urls.app)).into_response())
}

/// Lists the ways to authenticate at an integration: the bare array. The integration's own way has no `key`.
#[utoipa::path(
    post,
    path = "/connection-options",
    operation_id = "list_connection_options",
    tag = "integrations",
    request_body = Wanted,
    responses(
        (status = 200, body = [wire::AuthOption]),
        (status = 400, body = Problem, description = "Neither an integration nor a connection is named."),
        (status = 401, body = Problem, description = "No token that holds."),
        (status = 404, body = Problem, description = "There is no such integration or connection for the caller.")
    )
)]
pub async fn options(State(app): State<App>, Caller(holder): Caller, body: Body) -> Answer {
    let mut fields = body.fields()?;
    let integration = fields.text("integrationId")?.or(fields.text("integrationKey")?);
    let offered = match (fields.text("connectionId")?, integration) {
        (Some(connection), _) => integration::of_connection(&app.broker, &holder, &connection).await?,
        (None, Some(selector)) => integration::show(&app.broker, &holder, &selector).await?,
        (None, None) => {
            return Err(Error::invalid(
                "integrationId",
                "Is required, or an integrationKey or a connectionId",
            )
            .into());
        }
    };
    let options: Vec<_> = offered.ways.iter().map(wire::auth_option).collect();
    Ok(Json(options).into_response())
}

/// What is configured by whoever runs the server, and not here.
pub async fn not_here(_: Caller) -> Answer {
    let message = "Integrations are configured by whoever runs the server";
    Err(Error::NotSupported { message: message.to_owned() }.into())
}
