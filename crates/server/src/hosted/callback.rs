//! The callback: where providers send browsers back to. One for all doors, on three paths.

use axum::{
    body::Bytes,
    extract::{
        Path, RawQuery, State,
        rejection::{BytesRejection, PathRejection},
    },
    http::{HeaderMap, StatusCode, Uri},
    response::Response,
};
use claviger_engine::{
    connect::{self, Callback},
    domain::integration::CallbackKind,
};

use super::{done, page::redirect};
use crate::{
    app::App,
    http::{browser, session},
};

/// `GET /oauth2/callback/{integration_id}`.
pub async fn own(
    State(app): State<App>,
    integration: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let integration = integration.map(|Path(integration)| integration).unwrap_or_default();
    finish(&app, CallbackKind::Own, Some(integration), query, &headers).await
}

/// `GET /oauth2/callback`.
pub async fn shared(State(app): State<App>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    finish(&app, CallbackKind::Shared, None, query, &headers).await
}

/// `GET /oauth-callback`.
pub async fn oauth_callback(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    finish(&app, CallbackKind::OauthCallback, None, query, &headers).await
}

/// A `form_post` answer (OAuth 2.0 Form Post Response Mode): Lax cookies don't come with a cross-site POST, so
/// the browser is sent to the same path once more, as GET.
pub async fn posted(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    // The query is the provider's.
    let pages = app.pages.to(&headers, None);
    let body = match body {
        Ok(body) => body,
        Err(unread) => return pages.unreadable(unread.status()),
    };
    match std::str::from_utf8(&body) {
        Ok(form) if form.bytes().all(|b| b.is_ascii_graphic()) => {
            redirect(StatusCode::SEE_OTHER, &format!("{}?{form}", uri.path()))
        }
        _ => pages.unreadable(StatusCode::BAD_REQUEST),
    }
}

async fn finish(
    app: &App,
    kind: CallbackKind,
    integration: Option<String>,
    query: Option<String>,
    headers: &HeaderMap,
) -> Response {
    let (browser, session) = (browser::read(headers, app.https), session::read(headers));
    let callback = Callback { kind, integration, query: query.unwrap_or_default(), browser, session };
    // The query is the provider's.
    let pages = app.pages.to(headers, None);
    match connect::finish(&app.broker, callback).await {
        Ok(outcome) => done::perform(&pages, StatusCode::FOUND, &outcome),
        Err(error) => pages.engine_error(&error),
    }
}
