//! `GET /api/integrations/{id}/connect`: a user's browser sets out to connect an account.

use axum::{
    extract::State,
    http::{StatusCode, header::SET_COOKIE, request::Parts},
};
use claviger_engine::{
    connect::Next,
    member::connect::{self, Start},
};

use super::{
    asked::Named,
    caller::Caller,
    error::{self, Answer},
};
use crate::{
    app::App,
    hosted::{done, page::redirect},
    http::{
        browser,
        client::{ClientAddr, subscriber},
        csrf, site,
    },
};

/// Sends the browser to the provider, or to the page that asks what has to be known first.
///
/// The provider sends it back to us, and we to the integration's `returnUri` with `integrationId` and `connectionId`, or
/// with `error`, `error_description` and `integrationId`; without a `returnUri` a page of ours says how it ended. The
/// browser that asked with a session must still be signed in with it then.
#[utoipa::path(
    get,
    path = "/api/integrations/{id}/connect",
    tag = "connections",
    params(("id" = String, Path, description = "The integration's id or slug.")),
    responses(
        (status = 302, description = "To the provider, or to a page of ours: where a credential is typed in, where the provider's address has to be known, or where another site made the browser ask."),
        (status = 401, body = error::Problem, description = "Not authenticated."),
        (status = 403, body = error::Problem, description = "The token only reads, or another user has connected this shared integration."),
        (status = 404, body = error::Problem, description = "There is no such integration, or it is not visible."),
        (status = 409, body = error::Problem, description = "The integration is switched off, or not set up completely."),
        (status = 429, body = error::Problem, description = "Too many authorizations begun."),
        (status = 502, body = error::Problem, description = "The provider's endpoints could not be found out."),
        (status = 504, body = error::Problem, description = "The same, and it did not answer in time.")
    )
)]
pub async fn start(
    State(app): State<App>,
    Caller(member): Caller,
    Named(id): Named<String>,
    ClientAddr(address): ClientAddr,
    parts: Parts,
) -> Answer {
    let browser = browser::identify(&parts.headers, app.https)?;
    let site = site::find(&app, &parts).await.ok().filter(|site| site.workspace == member.workspace_id);
    let start = Start {
        browser: &browser.id,
        address: &subscriber(address),
        origin: site.as_ref().map_or(&app.broker.urls.app, |site| &site.origin),
        cross_site: csrf::is_led_here(&parts.headers),
    };
    let mut response = match connect::start(&app.broker, &member, &id, start).await? {
        Next::Provider(url) => redirect(StatusCode::FOUND, &url),
        Next::Page(flow) => redirect(StatusCode::FOUND, &format!("/connect/{flow}")),
        Next::Back(outcome) => done::perform(&app.pages, StatusCode::FOUND, &outcome),
    };
    response.headers_mut().append(SET_COOKIE, browser.set_cookie);
    Ok(response)
}
