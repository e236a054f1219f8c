//! `/oauth-callback` without a state, with an integration: a provider's shop sent a browser to us that never was here.
//!
//! Whatever has a state, or names no integration, is a callback like any other.

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header::SET_COOKIE},
    response::Response,
};
use claviger_engine::{
    access::{self, Shown},
    customer::connect::{self as customer, Next, Start},
    error::Result,
};

use super::{params::Given, result};
use crate::{
    app::App,
    hosted::{
        callback,
        page::{Pages, redirect},
    },
    http::{
        browser,
        client::{ClientAddr, subscriber},
        params::Params,
    },
};

/// `GET /oauth-callback`.
pub async fn callback(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let text = query.clone().unwrap_or_default();
    let names: Vec<String> = Params::parse(&text).names().map(str::to_owned).collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    if has("state") || !has("integration") {
        return callback::oauth_callback(State(app), RawQuery(query), headers).await;
    }
    // The query is the provider's.
    let pages = app.pages.to(&headers, None);
    let taken_up = take_up(&app, &pages, &subscriber(address), &text, &headers).await;
    taken_up.unwrap_or_else(|error| pages.engine_error(&error))
}

async fn take_up(
    app: &App,
    pages: &Pages,
    address: &str,
    query: &str,
    headers: &HeaderMap,
) -> Result<Response> {
    let mut given = Given::read(query, None)?;
    let token = given.token()?.ok_or_else(access::token_refused)?;
    let shown = access::workspace_token(&app.broker, token.expose()).await?;
    let back = given.back(None)?;
    let holder = match shown {
        Shown::Holds(holder) => holder,
        Shown::Expired(workspace) => {
            let back = customer::expired(&app.broker, &workspace, back).await?;
            return Ok(redirect(StatusCode::FOUND, &back.ok_or_else(access::token_refused)?));
        }
    };
    let browser = browser::identify(headers, app.https)?;
    let start = Start { browser: Some(&browser.id), address, framed: false };
    let integration = given.text("integration")?;
    let next = customer::outside(&app.broker, &holder, back, start, integration.as_deref(), query).await;
    let next = match next {
        Ok(next) => next,
        Err(error) => {
            let look = result::look(app, &holder.workspace.id).await;
            return Ok(pages.of(look).engine_error(&error));
        }
    };
    let mut response = match next {
        Next::Page(flow) => redirect(StatusCode::FOUND, &format!("/connect/{flow}")),
        Next::Provider(url) | Next::Back(url) => redirect(StatusCode::FOUND, &url),
        Next::Adopt(flow, _) => redirect(StatusCode::FOUND, &format!("/connection-popup/{flow}")),
        Next::Told(told) => result::page(app, pages, &told).await,
    };
    response.headers_mut().append(SET_COOKIE, browser.set_cookie);
    Ok(response)
}
