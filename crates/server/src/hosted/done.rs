//! Done: performs a flow's outcome, and shows it where the flow ends here.

use axum::{
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use claviger_engine::{
    connect::{self, Landing, Message, Outcome},
    error::Error,
    id::FlowId,
};
use minijinja::context;

use super::{
    connect::{look, service},
    page::{Kind, Pages, redirect, sentence},
};
use crate::{app::App, http::browser};

/// Sends the browser where the outcome says. `status` is 302 answering GET, 303 answering POST.
pub fn perform(pages: &Pages, status: StatusCode, outcome: &Outcome) -> Response {
    match outcome {
        Outcome::Redirect { url } => redirect(status, url),
        Outcome::Landing(Landing { flow, .. }) => redirect(status, &format!("/connect/{flow}/done")),
        Outcome::Message(Message { flow: Some(flow), .. }) => {
            redirect(status, &format!("/connection-popup/{flow}"))
        }
        // Whoever tells of an end without a flow shows the page itself.
        Outcome::Message(Message { flow: None, .. }) => redirect(status, "/"),
        Outcome::Page { message } => {
            pages.error(StatusCode::BAD_REQUEST, "This can't be connected", &sentence(message))
        }
    }
}

/// `GET /connect/{flow}/done`: how it ended, for the browser that began it.
pub async fn show(
    State(app): State<App>,
    flow: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let flow = flow.map(|Path(flow)| flow).unwrap_or_default();
    let pages = app.pages.to(&headers, query.as_deref()).of(look(&app, &flow, &headers).await);
    let browser = browser::read(&headers, app.https);
    let found = match FlowId::parse(&flow) {
        Some(flow) => connect::landed(&app.broker, &flow, browser.as_ref()).await,
        None => Err(Error::NotFound { what: "page" }),
    };
    match found {
        Ok(Landing { integration, failure, said, .. }) => {
            let status = if failure.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
            let failure = failure.as_deref().map(sentence);
            let (_, symbol) = service(&app, &flow).await;
            let values = context! { integration, symbol, failure, said_by_service => said };
            pages.render(status, Kind::Plain, "done.html", values)
        }
        Err(Error::Invalid { message, .. }) => {
            pages.error(StatusCode::NOT_FOUND, "Nothing to show", &sentence(&message))
        }
        Err(error) => pages.engine_error(&error),
    }
}
