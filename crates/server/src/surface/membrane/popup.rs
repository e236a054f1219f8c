//! `/connection-popup` and `/connect`: a product sends a customer's browser here, with a token of its own.
//!
//! What can be said goes where the caller wants to be told; what can't, because nobody is known to have asked, is said on a
//! page. A token that came in a URL is gone from it with the first redirect.

use axum::{
    body::Bytes,
    extract::{RawQuery, State, rejection::BytesRejection},
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_TYPE, ORIGIN, SET_COOKIE},
    },
    response::Response,
};
use claviger_engine::{
    access::{self, Shown},
    connect,
    customer::connect::{self as customer, Next, Start},
    error::{Error, Result},
    id::FlowId,
    secret::Secret,
};

use super::{asked::Named, caller, params::Given, result};
use crate::{
    app::App,
    hosted::{done, page::redirect},
    http::{
        browser,
        client::{ClientAddr, subscriber},
        params::Params,
    },
};

/// `GET /connection-popup`, `GET /connect`.
pub async fn open(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let asked = Asked { address: subscriber(address), headers: &headers, answering: StatusCode::FOUND };
    let given = Given::read(&query.unwrap_or_default(), None);
    let begun = async { begin(&app, asked, given?, Some(&browser::identify(&headers, app.https)?)).await };
    begun.await.unwrap_or_else(|error| app.pages.engine_error(&error))
}

/// `POST /connection-popup`, `POST /connect`.
pub async fn submit(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(unread) => return app.pages.unreadable(unread.status()),
    };
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let json =
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    let asked = Asked { address: subscriber(address), headers: &headers, answering: StatusCode::SEE_OTHER };
    let begun = async {
        let given = Given::read(&query.unwrap_or_default(), Some((&body, json && !body.is_empty())))?;
        begin(&app, asked, given, None).await
    };
    begun.await.unwrap_or_else(|error| app.pages.engine_error(&error))
}

/// `GET /connection-popup/{flow}`: on the way, with a handle; at the end, without.
pub async fn flow(
    State(app): State<App>,
    Named(flow): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let handle = Params::parse(&query.unwrap_or_default()).get("handle");
    let Some(flow) = FlowId::parse(&flow) else { return nothing(&app) };
    match handle {
        Ok(Some(handle)) => {
            let adopted = adopt(&app, &flow, &Secret::new(handle), &headers).await;
            adopted.unwrap_or_else(|error| app.pages.engine_error(&error))
        }
        Ok(None) => {
            match connect::told(&app.broker, &flow, browser::read(&headers, app.https).as_ref()).await {
                Ok(told) => result::page(&app, &told).await,
                Err(Error::Invalid { .. }) => nothing(&app),
                Err(error) => app.pages.engine_error(&error),
            }
        }
        Err(_) => nothing(&app),
    }
}

async fn adopt(app: &App, flow: &FlowId, handle: &Secret, headers: &HeaderMap) -> Result<Response> {
    let browser = browser::identify(headers, app.https)?;
    let mut response = match connect::adopt(&app.broker, flow, handle, &browser.id).await? {
        connect::Next::Provider(url) => redirect(StatusCode::FOUND, &url),
        connect::Next::Page(flow) => redirect(StatusCode::FOUND, &format!("/connect/{flow}")),
        connect::Next::Back(outcome) => done::perform(&app.pages, StatusCode::FOUND, &outcome),
    };
    response.headers_mut().append(SET_COOKIE, browser.set_cookie);
    Ok(response)
}

fn nothing(app: &App) -> Response {
    let message = "There is nothing to show here any more.";
    app.pages.error(StatusCode::NOT_FOUND, "Nothing to show", message)
}

/// A request, apart from its parameters.
struct Asked<'a> {
    address: String,
    headers: &'a HeaderMap,
    /// With which status it is redirected.
    answering: StatusCode,
}

async fn begin(
    app: &App,
    asked: Asked<'_>,
    mut given: Given,
    browser: Option<&browser::Browser>,
) -> Result<Response> {
    let token = given.token()?.map_or_else(|| caller::bearer(asked.headers), |token| Ok(Some(token)))?;
    let shown =
        access::workspace_token(&app.broker, token.ok_or_else(access::token_refused)?.expose()).await?;
    let said = |name| asked.headers.get(name).and_then(|value| value.to_str().ok());
    let back = given.back(said(ORIGIN.as_str()).map(str::to_owned))?;
    let holder = match shown {
        Shown::Holds(holder) => holder,
        Shown::Expired(workspace) => {
            let back = customer::expired(&app.broker, &workspace, back).await?;
            return Ok(redirect(asked.answering, &back.ok_or_else(access::token_refused)?));
        }
    };
    let start = Start {
        browser: browser.map(|browser| &browser.id),
        address: &asked.address,
        framed: matches!(said("sec-fetch-dest"), Some("iframe" | "frame" | "embed" | "object")),
    };
    let next = customer::begin(&app.broker, &holder, back, start, given.wish()).await?;
    let mut response = match next {
        Next::Provider(url) | Next::Back(url) => redirect(asked.answering, &url),
        Next::Page(flow) => redirect(asked.answering, &format!("/connect/{flow}")),
        Next::Adopt(flow, handle) => {
            redirect(asked.answering, &format!("/connection-popup/{flow}?handle={}", handle.expose()))
        }
        Next::Told(told) => result::page(app, &told).await,
    };
    if let Some(browser) = browser {
        response.headers_mut().append(SET_COOKIE, browser.set_cookie.clone());
    }
    Ok(response)
}
