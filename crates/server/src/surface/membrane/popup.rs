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
    access::{self, Holder, Shown},
    connect,
    customer::{
        connect::{self as customer, Next, Start, Wish},
        embed,
    },
    error::{Error, Result},
    id::FlowId,
    secret::Secret,
};

use super::{asked::Named, caller, params::Given, result};
use crate::{
    app::App,
    hosted::{
        connect::look,
        done,
        page::{Pages, redirect},
    },
    http::{
        browser,
        client::{ClientAddr, subscriber},
        params::Params,
    },
};

/// Connects an account: the page that a customer's browser is sent to.
#[utoipa::path(
    get,
    path = "/connection-popup",
    operation_id = "open_popup",
    tag = "connecting",
    params(
        ("token" = Option<String>, Query, description = "The product's token for this customer."),
        ("integrationId" = Option<String>, Query, description = "What to connect, by id or key."),
        ("integrationKey" = Option<String>, Query, description = "The same."),
        ("connectionId" = Option<String>, Query, description = "The connection to authorize anew, in place of an integration."),
        ("connectionParameters" = Option<String>, Query, description = "Values by the auth option's schema, as JSON."),
        ("connectorParameters" = Option<String>, Query, description = "What the integration lets a page say, as JSON."),
        ("authOptionKey" = Option<String>, Query, description = "By which auth option."),
        ("name" = Option<String>, Query, description = "What the connection is called."),
        ("allowMultipleConnections" = Option<bool>, Query, description = "Whether to make another one where the customer has one."),
        ("customState" = Option<String>, Query, description = "What stands in the provider's `state` behind ours."),
        ("redirectUri" = Option<String>, Query, description = "Where the browser goes at the end: a registered redirect URI."),
        ("requestId" = Option<String>, Query, description = "The id by which the caller listens for the end."),
        ("payload" = Option<String>, Query, description = "All of these as a JSON object.")
    ),
    responses(
        (status = 200, description = "A page: the result, which tells the page that opened this one, or a question."),
        (status = 302, description = "To the provider, to a page of ours, or with the result to `redirectUri`."),
        (status = 400, description = "A page: a parameter can't be read, or `redirectUri` is not registered."),
        (status = 401, description = "A page: no token that holds.")
    )
)]
pub async fn open(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let (answering, meant) = (StatusCode::FOUND, Meant::Said);
    let pages = app.pages.to(&headers, query.as_deref());
    let asked = Asked { address: subscriber(address), headers: &headers, answering, meant };
    let given = Given::read(&query.unwrap_or_default(), None);
    let begun =
        async { begin(&app, &pages, asked, given?, Some(&browser::identify(&headers, app.https)?)).await };
    begun.await.unwrap_or_else(|error| pages.engine_error(&error))
}

/// The same by a form, of the product's own page or of an SDK; parameters also in its fields or in `payload`.
#[utoipa::path(
    post,
    path = "/connection-popup",
    operation_id = "submit_popup",
    tag = "connecting",
    params(
        ("token" = Option<String>, Query, description = "The product's token for this customer."),
        ("integrationId" = Option<String>, Query, description = "What to connect, by id or key."),
        ("integrationKey" = Option<String>, Query, description = "The same."),
        ("connectionId" = Option<String>, Query, description = "The connection to authorize anew, in place of an integration."),
        ("connectionParameters" = Option<String>, Query, description = "Values by the auth option's schema, as JSON."),
        ("connectorParameters" = Option<String>, Query, description = "What the integration lets a page say, as JSON."),
        ("authOptionKey" = Option<String>, Query, description = "By which auth option."),
        ("name" = Option<String>, Query, description = "What the connection is called."),
        ("allowMultipleConnections" = Option<bool>, Query, description = "Whether to make another one where the customer has one."),
        ("customState" = Option<String>, Query, description = "What stands in the provider's `state` behind ours."),
        ("redirectUri" = Option<String>, Query, description = "Where the browser goes at the end: a registered redirect URI."),
        ("requestId" = Option<String>, Query, description = "The id by which the caller listens for the end."),
        ("payload" = Option<String>, Query, description = "All of these as a JSON object.")
    ),
    request_body(content = String, content_type = "application/x-www-form-urlencoded", description = "The same names as fields, or `payload`; or JSON."),
    responses(
        (status = 200, description = "A page: the result, which tells the page that opened this one, or a question."),
        (status = 303, description = "To the provider, to a page of ours, or with the result to `redirectUri`."),
        (status = 400, description = "A page: a parameter can't be read, or `redirectUri` is not registered."),
        (status = 401, description = "A page: no token that holds.")
    )
)]
pub async fn submit(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Response {
    let pages = app.pages.to(&headers, query.as_deref());
    let body = match body {
        Ok(body) => body,
        Err(unread) => return pages.unreadable(unread.status()),
    };
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let json =
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    let (answering, meant) = (StatusCode::SEE_OTHER, Meant::Said);
    let asked = Asked { address: subscriber(address), headers: &headers, answering, meant };
    let begun = async {
        let given = Given::read(&query.unwrap_or_default(), Some((&body, json && !body.is_empty())))?;
        begin(&app, &pages, asked, given, None).await
    };
    begun.await.unwrap_or_else(|error| pages.engine_error(&error))
}

/// `GET /connection-popup/{flow}`: on the way, with a handle; at the end, without.
pub async fn flow(
    State(app): State<App>,
    Named(flow): Named<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let pages = app.pages.to(&headers, query.as_deref()).of(look(&app, &flow, &headers).await);
    let handle = Params::parse(&query.unwrap_or_default()).get("handle");
    let Some(flow) = FlowId::parse(&flow) else { return nothing(&pages) };
    match handle {
        Ok(Some(handle)) => {
            let adopted = adopt(&app, &pages, &flow, &Secret::new(handle), &headers).await;
            adopted.unwrap_or_else(|error| pages.engine_error(&error))
        }
        Ok(None) => {
            match connect::told(&app.broker, &flow, browser::read(&headers, app.https).as_ref()).await {
                Ok(told) => result::page(&app, &pages, &told).await,
                Err(Error::Invalid { .. }) => nothing(&pages),
                Err(error) => pages.engine_error(&error),
            }
        }
        Err(_) => nothing(&pages),
    }
}

async fn adopt(
    app: &App,
    pages: &Pages,
    flow: &FlowId,
    handle: &Secret,
    headers: &HeaderMap,
) -> Result<Response> {
    let browser = browser::identify(headers, app.https)?;
    let mut response = match connect::adopt(&app.broker, flow, handle, &browser.id).await? {
        connect::Next::Provider(url) => redirect(StatusCode::FOUND, &url),
        connect::Next::Page(flow) => redirect(StatusCode::FOUND, &format!("/connect/{flow}")),
        connect::Next::Back(outcome) => done::perform(pages, StatusCode::FOUND, &outcome),
    };
    response.headers_mut().append(SET_COOKIE, browser.set_cookie);
    Ok(response)
}

/// The page where there is nothing to show.
pub(super) fn nothing(pages: &Pages) -> Response {
    let message = "There is nothing to show here any more.";
    pages.error(StatusCode::NOT_FOUND, "Nothing to show", message)
}

/// Whether the page will be in a frame, as far as the browser says.
pub(super) fn in_frame(headers: &HeaderMap) -> Option<bool> {
    let dest = headers.get("sec-fetch-dest")?.to_str().ok();
    Some(matches!(dest, Some("iframe" | "frame" | "embed" | "object")))
}

/// A request, apart from its parameters.
pub(super) struct Asked<'a> {
    pub address: String,
    pub headers: &'a HeaderMap,
    /// With which status it is redirected.
    pub answering: StatusCode,
    pub meant: Meant,
}

/// What is meant to be connected.
pub(super) enum Meant {
    /// What the parameters say.
    Said,
    /// The integration with this id or key.
    Integration(String),
    /// The connection that is named so, anew.
    Connection(String),
}

impl Meant {
    /// What is wanted, all in all.
    pub(super) async fn wish(&self, app: &App, holder: &Holder, given: Given) -> Result<Wish> {
        let mut wish = given.wish()?;
        match self {
            Self::Said => {}
            Self::Integration(selector) => wish.integration = Some(selector.clone()),
            Self::Connection(selector) => {
                wish.connection = Some(embed::meant(&app.broker, holder, selector).await?);
            }
        }
        Ok(wish)
    }
}

/// Begins for a browser whose page this is: one that is in no frame.
pub(super) async fn begin(
    app: &App,
    pages: &Pages,
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
        framed: in_frame(asked.headers) == Some(true),
    };
    let wish = asked.meant.wish(app, &holder, given).await;
    let next = match customer::begin(&app.broker, &holder, back, start, wish).await {
        Ok(next) => next,
        // Whose page it is, is known by now.
        Err(error) => {
            let look = result::look(app, &holder.workspace.id).await;
            return Ok(pages.of(look).engine_error(&error));
        }
    };
    let mut response = match next {
        Next::Provider(url) | Next::Back(url) => redirect(asked.answering, &url),
        Next::Page(flow) => redirect(asked.answering, &format!("/connect/{flow}")),
        Next::Adopt(flow, handle) => {
            redirect(asked.answering, &format!("/connection-popup/{flow}?handle={}", handle.expose()))
        }
        Next::Told(told) => result::page(app, pages, &told).await,
    };
    if let Some(browser) = browser {
        response.headers_mut().append(SET_COOKIE, browser.set_cookie.clone());
    }
    Ok(response)
}
