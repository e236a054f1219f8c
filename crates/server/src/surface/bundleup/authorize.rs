//! `GET /authorize`: a product sends a customer's browser here.

use std::net::IpAddr;

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::Response,
};
use claviger_engine::{
    connect::{self, Begin, Next},
    domain::{
        connection::{Owner, OwnerKind},
        flow::{Handoff, Style},
    },
    error::{Error, Result},
};

use crate::{
    app::App,
    hosted::{done, page::redirect},
    http::{
        browser,
        client::{self, ClientAddr},
        params::{ParamError, Params},
    },
};

/// The longest `external_id`.
const LONGEST_OWNER: usize = 512;

/// Begins a flow and sends the browser to the provider, or to the page before it.
#[utoipa::path(
    get,
    path = "/authorize",
    tag = "authorization",
    params(
        ("client_id" = String, Query, description = "Identifies the application: the workspace's public client id."),
        ("integration_id" = String, Query, description = "Which provider to connect: an integration's id or key."),
        ("redirect_uri" = String, Query, description = "Where the browser comes back to; equals a registered URI character for character."),
        ("external_id" = Option<String>, Query, description = "The product's own reference for the customer, stored on the connection."),
        ("connection_id" = Option<String>, Query, description = "The connection to authorize anew, which keeps its id: one of this integration and external_id. Only where completion is `server`."),
        ("state" = Option<String>, Query, description = "Returned unchanged on the final redirect."),
        ("lang" = Option<String>, Query, description = "The language of pages on the way: `en`, `de`, `fr` or `es`. Without it the workspace's, else the browser's.")
    ),
    responses(
        (status = 302, description = "To the provider, to the page before it, or to redirect_uri with `error`."),
        (status = 400, description = "A page: unknown client or integration, unregistered redirect_uri, or a malformed parameter. Never a redirect."),
        (status = 429, description = "A page: too many authorizations begun from this address.")
    )
)]
pub async fn authorize(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    match begin(&app, address, query.as_deref().unwrap_or_default(), &headers).await {
        Ok(response) => response,
        Err(error) => app.pages.to(&headers, query.as_deref()).engine_error(&error),
    }
}

async fn begin(app: &App, address: IpAddr, query: &str, headers: &HeaderMap) -> Result<Response> {
    let params = Params::parse(query);
    let client_id = params.need("client_id").map_err(wrong("client_id"))?;
    let redirect_uri = params.need("redirect_uri").map_err(wrong("redirect_uri"))?;
    let integration = params.need("integration_id").map_err(wrong("integration_id"))?;
    let external_id = params.get("external_id").map_err(wrong("external_id"))?;
    let connection = params.get("connection_id").map_err(wrong("connection_id"))?;
    let state = params.raw("state").map_err(wrong("state"))?.map(str::to_owned);
    if external_id.as_ref().is_some_and(|id| id.len() > LONGEST_OWNER) {
        return Err(Error::invalid("external_id", format!("longer than {LONGEST_OWNER} bytes")));
    }
    let browser = browser::identify(headers, app.https)?;
    let next = connect::begin(
        &app.broker,
        Begin {
            client_id: &client_id,
            integration: &integration,
            owner: Owner { kind: OwnerKind::External, key: external_id },
            connection: connection.as_deref(),
            handoff: Handoff::Redirect {
                uri: redirect_uri,
                style: Style::BundleUp,
                integration: integration.clone(),
                state,
            },
            browser: &browser.id,
            address: &client::subscriber(address),
        },
    )
    .await?;
    let mut response = match next {
        Next::Provider(url) => redirect(StatusCode::FOUND, &url),
        Next::Page(flow) => redirect(StatusCode::FOUND, &format!("/connect/{flow}")),
        Next::Back(outcome) => done::perform(&app.pages, StatusCode::FOUND, &outcome),
    };
    response.headers_mut().append(SET_COOKIE, browser.set_cookie);
    Ok(response)
}

fn wrong(field: &'static str) -> impl Fn(ParamError) -> Error {
    move |error| match field {
        // Elsewhere a wrong `state` is not the product's doing, so a page does not name it by itself.
        "state" | "connection_id" => Error::invalid(field, format!("the {field} parameter is {error}")),
        _ => Error::invalid(field, error.to_string()),
    }
}
