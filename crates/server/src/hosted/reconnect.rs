//! The page behind a reconnect link: names what is connected anew and for whom, and wants a click.
//!
//! Showing it uses nothing up, for mail programs and scanners look at links too; the button does, once.

use axum::{
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, header::SET_COOKIE, request::Parts},
    response::Response,
};
use claviger_engine::{
    connect::{
        Next, Symbol,
        reconnect::{self, Shown, Start},
    },
    error::{Error, Result},
    secret::Secret,
};
use minijinja::{Value, context};

use super::{
    done,
    page::{Kind, Pages, redirect},
    picture,
};
use crate::{
    app::App,
    http::{
        browser,
        client::{self, ClientAddr},
        csrf,
    },
};

/// The longest token that is looked for; ours have 43 characters.
const LONGEST: usize = 128;

/// `GET /reconnect/{token}`.
pub async fn show(
    State(app): State<App>,
    token: std::result::Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let pages = app.pages.to(&headers, query.as_deref());
    let secret = secret(token);
    let pages = pages.of(reconnect::look_of(&app.broker, &secret).await.ok().flatten());
    match reconnect::show(&app.broker, &secret).await {
        Ok(shown) => page(&pages, &shown),
        Err(error) => refused(&pages, &error),
    }
}

/// `POST /reconnect/{token}`.
pub async fn submit(
    State(app): State<App>,
    token: std::result::Result<Path<String>, PathRejection>,
    ClientAddr(address): ClientAddr,
    parts: Parts,
) -> Response {
    let secret = secret(token);
    let look = reconnect::look_of(&app.broker, &secret).await.ok().flatten();
    let pages = app.pages.to(&parts.headers, parts.uri.query()).of(look);
    // Links are made for our public address, whatever host of a workspace's own leads here too.
    if !csrf::same_origin(&parts.headers, &app.broker.urls.app) {
        let message = "This form was not sent from our page. Open the link again.";
        return pages.error(StatusCode::FORBIDDEN, "This can't be connected", message);
    }
    match follow(&app, &pages, &secret, &client::subscriber(address), &parts.headers).await {
        Ok(response) => response,
        Err(error) => refused(&pages, &error),
    }
}

async fn follow(
    app: &App,
    pages: &Pages,
    secret: &Secret,
    address: &str,
    headers: &HeaderMap,
) -> Result<Response> {
    let browser = browser::identify(headers, app.https)?;
    let start = Start { browser: &browser.id, address };
    let mut response = match reconnect::follow(&app.broker, secret, start).await? {
        Next::Provider(url) => redirect(StatusCode::SEE_OTHER, &url),
        Next::Page(flow) => redirect(StatusCode::SEE_OTHER, &format!("/connect/{flow}")),
        Next::Back(outcome) => done::perform(pages, StatusCode::SEE_OTHER, &outcome),
    };
    response.headers_mut().append(SET_COOKIE, browser.set_cookie);
    Ok(response)
}

fn page(pages: &Pages, shown: &Shown) -> Response {
    let Shown { look, integration, symbol, owner, shared } = shown;
    let product = &look.product;
    let symbol = picture_of(symbol, integration);
    let values = context! { product, integration, symbol, owner, shared };
    pages.render(StatusCode::OK, Kind::Form { framed_by: &[] }, "reconnect.html", values)
}

/// There is no flow yet by which an icon of the integration's own could be asked for.
fn picture_of(symbol: &Symbol, name: &str) -> Value {
    let key = match symbol {
        Symbol::Provider(key) => key,
        Symbol::Own(_) => name,
    };
    context! { src => (), letter => picture::letter(name), hue => picture::hue(key) }
}

fn refused(pages: &Pages, error: &Error) -> Response {
    match error {
        Error::Provider { message, .. } | Error::TargetNotAllowed { message } => {
            tracing::warn!(%message, "a connection could not be renewed");
            let text = "The service could not be reached; try again later.";
            pages.error(StatusCode::BAD_GATEWAY, "This can't be connected", text)
        }
        error => pages.engine_error(error),
    }
}

/// What a link's path ends in. What can't be one of ours is as unknown as one that never was.
fn secret(token: std::result::Result<Path<String>, PathRejection>) -> Secret {
    let token = token.map(|Path(token)| token).unwrap_or_default();
    Secret::new(if token.len() > LONGEST { String::new() } else { token })
}
