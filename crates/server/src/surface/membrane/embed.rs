//! `/embed/…` and `/screens/…`: our page in a frame of a product's page, which the vendor's SDKs put it into, and by itself
//! where a browser is sent to it.
//!
//! In a frame there is no cookie: what its page goes on with is a handle that is written into it. By itself it is a
//! `/connection-popup` by another name. What its buttons do is `act`'s, how it looks `page`'s.

pub mod act;
mod page;

use axum::{
    body::Bytes,
    extract::{RawQuery, State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use claviger_engine::{
    access::{self, Shown},
    customer::embed,
    error::{Error, Result},
};

use self::page::Page;
use super::{
    asked::Named,
    caller,
    params::Given,
    popup::{self, Asked, Meant, in_frame},
};
use crate::{
    app::App,
    http::{
        browser,
        client::{ClientAddr, subscriber},
    },
};

/// Connects an account at an integration: a page for a frame.
#[utoipa::path(
    get,
    path = "/embed/integrations/{selector}/connect",
    operation_id = "embed_connect",
    tag = "connecting",
    params(
        ("selector" = String, Path, description = "The integration, by id or key."),
        ("token" = Option<String>, Query, description = "The product's token for this customer."),
        ("authOptionKey" = Option<String>, Query, description = "By which auth option; without it, and with several, the page asks."),
        ("connectionParameters" = Option<String>, Query, description = "Values by the auth option's schema, as JSON."),
        ("connectorParameters" = Option<String>, Query, description = "What the integration lets a page say, as JSON."),
        ("name" = Option<String>, Query, description = "What the connection is called."),
        ("allowMultipleConnections" = Option<bool>, Query, description = "Whether to make another one where the customer has one."),
        ("redirectUri" = Option<String>, Query, description = "Where the browser goes at the end when the page is in no frame.")
    ),
    responses(
        (status = 200, description = "The page; it tells the page around it how it ended."),
        (status = 302, description = "In no frame: to the provider, to a page of ours, or with the result to `redirectUri`."),
        (status = 401, description = "A page: no token that holds."),
        (status = 404, description = "A page: no such integration.")
    )
)]
pub async fn connect(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    Named(selector): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let asked = asked(subscriber(address), &headers, StatusCode::FOUND, Meant::Integration(selector));
    show(&app, asked, &query.unwrap_or_default(), None).await
}

/// Authorizes a connection anew: a page for a frame.
#[utoipa::path(
    get,
    path = "/embed/connections/{selector}/refresh",
    operation_id = "embed_refresh",
    tag = "connecting",
    params(
        ("selector" = String, Path, description = "The connection, by its id or by an integration at which the customer has one."),
        ("token" = Option<String>, Query, description = "The product's token for this customer."),
        ("redirectUri" = Option<String>, Query, description = "Where the browser goes at the end when the page is in no frame.")
    ),
    responses(
        (status = 200, description = "The page; it tells the page around it how it ended."),
        (status = 302, description = "In no frame: to the provider, to a page of ours, or with the result to `redirectUri`."),
        (status = 401, description = "A page: no token that holds."),
        (status = 404, description = "A page: no such connection of the customer's.")
    )
)]
pub async fn refresh(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    Named(selector): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let asked = asked(subscriber(address), &headers, StatusCode::FOUND, Meant::Connection(selector));
    show(&app, asked, &query.unwrap_or_default(), None).await
}

/// Connects what the parameters say: a page for a frame, which a form of the product's page opens.
#[utoipa::path(
    post,
    path = "/screens/connect",
    operation_id = "screen_connect",
    tag = "connecting",
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "The parameters of `/connection-popup` as fields."),
    responses(
        (status = 200, description = "The page; it tells the page around it how it ended."),
        (status = 303, description = "In no frame: to the provider, to a page of ours, or with the result to `redirectUri`."),
        (status = 401, description = "A page: no token that holds."),
        (status = 404, description = "A page: no such integration or connection.")
    )
)]
pub async fn screen(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Response {
    let asked = asked(subscriber(address), &headers, StatusCode::SEE_OTHER, Meant::Said);
    match body {
        Ok(body) => show(&app, asked, &query.unwrap_or_default(), Some(&body)).await,
        Err(unread) => app.pages.to(&headers, None).unreadable(unread.status()),
    }
}

/// The same for an integration that the path names.
#[utoipa::path(
    post,
    path = "/screens/integrations/{selector}/connect",
    operation_id = "screen_connect_integration",
    tag = "connecting",
    params(("selector" = String, Path, description = "The integration, by id or key.")),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "The parameters of `/connection-popup` as fields."),
    responses(
        (status = 200, description = "The page; it tells the page around it how it ended."),
        (status = 303, description = "In no frame: to the provider, to a page of ours, or with the result to `redirectUri`."),
        (status = 401, description = "A page: no token that holds."),
        (status = 404, description = "A page: no such integration.")
    )
)]
pub async fn screen_of(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    Named(selector): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Response {
    let asked = asked(subscriber(address), &headers, StatusCode::SEE_OTHER, Meant::Integration(selector));
    match body {
        Ok(body) => show(&app, asked, &query.unwrap_or_default(), Some(&body)).await,
        Err(unread) => app.pages.to(&headers, None).unreadable(unread.status()),
    }
}

fn asked(address: String, headers: &HeaderMap, answering: StatusCode, meant: Meant) -> Asked<'_> {
    Asked { address, headers, answering, meant }
}

/// Shows the page, in a frame or by itself.
async fn show(app: &App, asked: Asked<'_>, query: &str, form: Option<&[u8]>) -> Response {
    let pages = app.pages.to(asked.headers, Some(query));
    let shown = async {
        let given = Given::read(query, form.map(|form| (form, false)))?;
        // A browser that does not say is taken for a frame, unless the caller wants the browser back.
        if !in_frame(asked.headers).unwrap_or(!given.comes_back()) {
            let browser = match form {
                Some(_) => None,
                None => Some(browser::identify(asked.headers, app.https)?),
            };
            return popup::begin(app, &pages, asked, given, browser.as_ref()).await;
        }
        frame(Page { app, pages: &pages, query: Some(query), flow: None }, asked, given).await
    };
    shown.await.unwrap_or_else(|error| pages.engine_error(&error))
}

async fn frame(page: Page<'_>, asked: Asked<'_>, mut given: Given) -> Result<Response> {
    let app = page.app;
    let token = given.token()?.map_or_else(|| caller::bearer(asked.headers), |token| Ok(Some(token)))?;
    let token = token.ok_or_else(access::token_refused)?;
    let holder = match access::workspace_token(&app.broker, token.expose()).await? {
        Shown::Holds(holder) => holder,
        Shown::Expired(workspace) => {
            return page.show(&embed::failed(&workspace, &over()), None, None).await;
        }
    };
    let wish = asked.meant.wish(app, &holder, given).await;
    match embed::open(&app.broker, &holder, &asked.address, wish).await {
        Ok((framed, handle)) => page.show(&framed, handle.as_ref(), None).await,
        Err(error) => page.show(&embed::failed(&holder.workspace, &error), None, None).await,
    }
}

/// What the page says where the product's token was one of its own and is over.
fn over() -> Error {
    Error::Unauthenticated { message: "the token has expired".to_owned() }
}
