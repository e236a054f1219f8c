//! How a connect request ended, in this door's words: the message that a page posts and the stream carries, and that page.
//!
//! Nothing secret is in it: whoever opened the window, or knows the request's id, reads it.

use axum::{http::StatusCode, response::Response};
use claviger_engine::{
    broker::Broker,
    connect::{self, Ended, Failure, Look, Told},
    customer::connection,
    error::Error,
    id::{ConnectionId, WorkspaceId},
};
use minijinja::context;
use serde_json::{Value, json};

use super::wire;
use crate::{
    app::App,
    hosted::{
        connect::service,
        page::{Kind, Pages, sentence},
    },
};

/// What the SDKs take a message by.
const SOURCE: &str = "integration.app";

/// How it ended, as it is told.
pub struct Message {
    /// For programs.
    pub json: Value,
    /// The integration's name, where it is connected.
    pub integration: Option<String>,
    /// Why it is not.
    pub failure: Option<Failure>,
}

/// The message for an end. A connection that is gone by now is a failure.
pub async fn message(
    broker: &Broker,
    workspace: &WorkspaceId,
    request: Option<&str>,
    ended: &Ended,
) -> Message {
    let shown = match ended {
        Ended::Connected(id) => {
            let id = ConnectionId::from_row(id.clone());
            connection::told(broker, workspace, &id).await.map_err(|error| gone(&error))
        }
        Ended::Failed(failure) => Err(failure.clone()),
    };
    let mut message = match &shown {
        Ok(shown) => json!({ "type": "newConnectionCreated", "connection": wire::connection(shown) }),
        Err(failure) => {
            json!({ "type": "newConnectionFailure", "error": failure.text, "errorData": failure.data() })
        }
    };
    message["source"] = SOURCE.into();
    if let Some(request) = request {
        message["requestId"] = request.into();
    }
    let (integration, failure) = match shown {
        Ok(shown) => (Some(shown.integration.name), None),
        Err(failure) => (None, Some(failure)),
    };
    Message { json: message, integration, failure }
}

fn gone(error: &Error) -> Failure {
    if !matches!(error, Error::NotFound { .. }) {
        tracing::error!(?error, "a connection could not be shown to whoever made it");
    }
    let text = "the connection is not there any more".to_owned();
    Failure { error: "not_found".to_owned(), text, ours: None, field: None }
}

/// The page that posts it to whoever opened the window, or framed it, and closes the window.
pub async fn page(app: &App, pages: &Pages, told: &Told) -> Response {
    let pages = pages.of(look(app, &told.workspace_id).await);
    let request = told.message.request.as_deref();
    let Message { json, integration, failure } =
        message(&app.broker, &told.workspace_id, request, &told.message.ended).await;
    let status = match failure.as_ref().map(|failure| failure.error.as_str()) {
        None => StatusCode::OK,
        Some("rate_limit_exceeded") => StatusCode::TOO_MANY_REQUESTS,
        Some(_) => StatusCode::BAD_REQUEST,
    };
    let (name, symbol) = service(app, told.message.flow.as_deref().unwrap_or_default()).await;
    let integration = integration.or(name);
    let (message, target) = (json.to_string(), &told.message.target);
    let values = context! { integration, symbol, message, target, ..why(failure.as_ref()) };
    pages.render(status, Kind::Message { framed_by: &told.framed_by }, "told.html", values)
}

/// Why there is no connection, for `_failure.html`: in our words, and in the provider's where it gave any.
pub fn why(failure: Option<&Failure>) -> minijinja::Value {
    let (ours, said_by_service) = failure.map(Failure::words).unzip();
    context! { failure => ours.map(sentence), said_by_service => said_by_service.flatten() }
}

/// In whose name the pages of a workspace speak; in nobody's where that can't be read.
pub async fn look(app: &App, workspace: &WorkspaceId) -> Option<Look> {
    connect::look(&app.broker, workspace).await.unwrap_or_else(|error| {
        tracing::error!(?error, "it is not known in whose name a page speaks");
        None
    })
}
