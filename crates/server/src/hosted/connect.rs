//! The page before the provider: asks for what the provider needs to know, or for a confirming click, or both.

use std::collections::BTreeMap;

use axum::{
    body::Bytes,
    extract::{
        Path, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode},
    response::Response,
};
use claviger_engine::{
    connect::{self, Ask, Form},
    error::Error,
    id::FlowId,
};
use minijinja::{Value, context};

use super::{
    done,
    page::{Kind, redirect},
};
use crate::{
    app::App,
    http::{browser, csrf, params::Params},
};

/// `GET /connect/{flow}`.
pub async fn show(
    State(app): State<App>,
    flow: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let flow = flow.map(|Path(flow)| flow).unwrap_or_default();
    let browser = browser::read(&headers, app.https);
    let asked = match FlowId::parse(&flow) {
        Some(flow) => connect::open(&app.broker, &flow, browser.as_ref()).await,
        None => Err(unknown()),
    };
    match asked {
        Ok(ask) => page(&app, StatusCode::OK, &ask, &BTreeMap::new(), &BTreeMap::new()),
        Err(error) => app.pages.engine_error(&error),
    }
}

/// `POST /connect/{flow}`.
pub async fn submit(
    State(app): State<App>,
    flow: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if !csrf::same_origin(&headers, &app.broker.urls.app) {
        let message = "This form was not sent from our page. Open the link again.";
        return app.pages.error(StatusCode::FORBIDDEN, "This can't be connected", message);
    }
    let body = match body.map_err(|unread| unread.status()) {
        Ok(body) if std::str::from_utf8(&body).is_ok() => String::from_utf8_lossy(&body).into_owned(),
        Ok(_) => return app.pages.unreadable(StatusCode::BAD_REQUEST),
        Err(status) => return app.pages.unreadable(status),
    };
    let flow = flow.map(|Path(flow)| flow).unwrap_or_default();
    match take(&app, &flow, &headers, &body).await {
        Ok(response) => response,
        Err(error) => app.pages.engine_error(&error),
    }
}

async fn take(app: &App, flow: &str, headers: &HeaderMap, body: &str) -> Result<Response, Error> {
    let browser = browser::read(headers, app.https);
    let flow = FlowId::parse(flow).ok_or_else(unknown)?;
    let params = Params::parse(body);
    let mut given = BTreeMap::new();
    for name in params.names() {
        let value = params.get(name).map_err(|e| Error::invalid("form", format!("{name} is {e}")))?;
        given.insert(name.to_owned(), value.unwrap_or_default());
    }
    if given.get("decision").is_some_and(|d| d == "cancel") {
        let outcome = connect::cancel(&app.broker, &flow, browser.as_ref()).await?;
        return Ok(done::perform(&app.pages, StatusCode::SEE_OTHER, &outcome));
    }
    Ok(match connect::submit(&app.broker, &flow, browser.as_ref(), &given).await? {
        Form::Provider(url) => redirect(StatusCode::SEE_OTHER, &url),
        Form::Back(outcome) => done::perform(&app.pages, StatusCode::SEE_OTHER, &outcome),
        Form::Wrong(ask, wrong) => page(app, StatusCode::UNPROCESSABLE_ENTITY, &ask, &given, &wrong),
    })
}

fn unknown() -> Error {
    Error::invalid("flow", "this link is not one of ours; begin again")
}

fn page(
    app: &App,
    status: StatusCode,
    ask: &Ask,
    given: &BTreeMap<String, String>,
    wrong: &BTreeMap<String, String>,
) -> Response {
    let inputs: Vec<Value> = ask
        .inputs
        .iter()
        .map(|input| {
            context! {
                key => &input.key,
                title => &input.title,
                description => &input.description,
                placeholder => input.placeholder.as_deref().unwrap_or_default(),
                required => input.is_needed(),
                value => given.get(&input.key).or(input.default.as_ref()).map(String::as_str).unwrap_or_default(),
                error => wrong.get(&input.key),
            }
        })
        .collect();
    let Ask { product, integration, owner, confirm, framed_by, .. } = ask;
    app.pages.render(
        status,
        Kind::Form { framed_by },
        "connect.html",
        context! { product, integration, owner, confirm, inputs },
    )
}
