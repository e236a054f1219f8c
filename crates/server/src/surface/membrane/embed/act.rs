//! `/embed/{flow}…`: what the buttons and the script of a framed page ask for, each time with the handle that was written
//! into it, and from that page alone.

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header::SET_COOKIE, request::Parts},
    response::{IntoResponse, Response},
};
use claviger_engine::{
    connect::{Ended, Given, Next},
    customer::embed::{self, State as Standing},
    error::{Error, Result},
    id::FlowId,
    secret::Secret,
};
use serde_json::json;

use super::page;
use crate::{
    app::App,
    hosted::{
        connect::{look, read},
        page::{redirect, sentence},
    },
    http::{
        browser,
        client::{ClientAddr, subscriber},
        csrf, site,
    },
    surface::membrane::{asked::Named, error, popup},
};

/// What a form brings besides its fields.
struct Form {
    flow: FlowId,
    handle: Secret,
    decision: Option<String>,
    way: Option<String>,
    given: Given,
}

/// `POST /embed/{flow}`: the page's form.
pub async fn submit(
    State(app): State<App>,
    Named(flow): Named<String>,
    parts: Parts,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Response {
    let pages = app.pages.to(&parts.headers, parts.uri.query()).of(look(&app, &flow, &parts.headers).await);
    let acted = async {
        let form = form(&app, &flow, &parts, body).await?;
        let Form { flow, handle, decision, way, given } = &form;
        let framed = match decision.as_deref() {
            Some("cancel") => embed::cancel(&app.broker, flow, handle).await?,
            Some("check") => embed::check(&app.broker, flow, handle).await?,
            // Sent without any of its buttons: by one that only looks.
            None if way.is_none() => embed::check(&app.broker, flow, handle).await?,
            _ => embed::submit(&app.broker, flow, handle, way.as_deref(), given).await?,
        };
        let page = page::Page { app: &app, pages: &pages, query: parts.uri.query(), flow: Some(flow) };
        page.show(&framed, Some(handle), Some(given)).await
    };
    acted.await.unwrap_or_else(|error| pages.engine_error(&error))
}

/// `POST /embed/{flow}/popup`: the window that the page opened, on its way.
pub async fn window(
    State(app): State<App>,
    ClientAddr(address): ClientAddr,
    Named(flow): Named<String>,
    parts: Parts,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Response {
    let pages = app.pages.to(&parts.headers, parts.uri.query()).of(look(&app, &flow, &parts.headers).await);
    let begun = async {
        let Form { flow, handle, .. } = form(&app, &flow, &parts, body).await?;
        let browser = browser::identify(&parts.headers, app.https)?;
        let address = subscriber(address);
        let to = match embed::popup(&app.broker, &flow, &handle, &browser.id, &address).await? {
            Next::Provider(url) => url,
            Next::Page(flow) => format!("/connect/{flow}"),
            Next::Back(_) => return Err(Error::internal("a window ended before it began")),
        };
        let mut response = redirect(StatusCode::SEE_OTHER, &to);
        response.headers_mut().append(SET_COOKIE, browser.set_cookie);
        Ok(response)
    };
    begun.await.unwrap_or_else(|error| pages.engine_error(&error))
}

/// `POST /embed/{flow}/state`: whether the window has ended, for the page's script.
pub async fn state(
    State(app): State<App>,
    Named(flow): Named<String>,
    parts: Parts,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Response {
    let looked = async {
        let Form { flow, handle, .. } = form(&app, &flow, &parts, body).await?;
        embed::state(&app.broker, &flow, &handle).await
    };
    match looked.await {
        Ok(Standing::Changed) => Json(json!({ "state": "changed" })).into_response(),
        Ok(Standing::Open) => Json(json!({ "state": "open" })).into_response(),
        Ok(Standing::Ended(Ended::Connected(_))) => Json(json!({ "state": "connected" })).into_response(),
        Ok(Standing::Ended(Ended::Failed(failure))) => {
            let said =
                json!({ "state": "failed", "error": sentence(&failure.text), "errorData": failure.data() });
            Json(said).into_response()
        }
        Err(Error::Invalid { .. }) => {
            error::problem(StatusCode::NOT_FOUND, Some("not_found"), "There is nothing to wait for here")
        }
        Err(error) => error::answer(&error),
    }
}

/// `GET /embed/{flow}`: a page that was loaded anew by its address has nothing to go on with.
pub async fn gone(State(app): State<App>, Named(flow): Named<String>, headers: HeaderMap) -> Response {
    popup::nothing(&app.pages.to(&headers, None).of(look(&app, &flow, &headers).await))
}

async fn form(
    app: &App,
    flow: &str,
    parts: &Parts,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Result<Form> {
    let origin = site::find(app, parts).await.map_or(app.broker.urls.app.clone(), |site| site.origin);
    if !csrf::same_origin(&parts.headers, &origin) {
        let message = "this form was not sent from our page; begin again".to_owned();
        return Err(Error::Denied { message });
    }
    let unreadable = || Error::invalid("form", "what was sent can't be read; begin again");
    let body = body.map_err(|_| unreadable())?;
    let mut given = read(std::str::from_utf8(&body).map_err(|_| unreadable())?)?;
    let nobody = || Error::invalid("flow", "this page can't be used any more; begin again");
    let handle = given.inputs.remove("handle").filter(|handle| !handle.is_empty()).ok_or_else(nobody)?;
    Ok(Form {
        flow: FlowId::parse(flow).ok_or_else(nobody)?,
        handle: Secret::new(handle),
        decision: given.inputs.remove("decision"),
        way: given.inputs.remove("way"),
        given,
    })
}
