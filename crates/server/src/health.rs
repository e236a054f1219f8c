//! Health: whether the process answers, whether it can do its work, and what it has done.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT, CONTENT_TYPE, VARY},
    },
    response::{IntoResponse, Response},
};
use claviger_engine::{
    error::{Error, Result},
    gauges,
};
use serde_json::json;

use crate::{app::App, dashboard::sign_in, hosted::page::redirect};

/// How long the database may take for a write before it counts as failing: whoever asks does not wait for long.
const PATIENCE: Duration = Duration::from_secs(5);

/// `GET /`: health as JSON; whoever asks for a page is sent to the dashboard.
pub async fn root(headers: HeaderMap) -> Response {
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let mut kinds =
        lines.flat_map(|line| line.split(',')).map(|kind| kind.split(';').next().unwrap_or_default().trim());
    let mut response = if kinds.any(|kind| kind.eq_ignore_ascii_case("text/html")) {
        redirect(StatusCode::FOUND, sign_in::HOME)
    } else {
        live().await
    };
    response.headers_mut().append(VARY, HeaderValue::from_static("accept"));
    response
}

/// `GET /healthz`: the process answers.
pub async fn live() -> Response {
    Json(json!({ "status": "ok", "name": "claviger", "version": env!("CARGO_PKG_VERSION") })).into_response()
}

/// `GET /readyz`: the database takes a write and the key opens.
pub async fn ready(State(app): State<App>) -> Response {
    let database = takes_writes(&app).await;
    let key = app.broker.vault.check();
    for (check, result) in [("database", &database), ("key", &key)] {
        if let Err(error) = result {
            tracing::error!(check, error = ?error, "not ready");
        }
    }
    let say = |ok: bool| if ok { "ok" } else { "failing" };
    let ok = database.is_ok() && key.is_ok();
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "status": say(ok), "database": say(database.is_ok()), "key": say(key.is_ok()) });
    (status, Json(body)).into_response()
}

/// Whether the database takes a write, and soon.
async fn takes_writes(app: &App) -> Result<()> {
    let check = async {
        let _turn = app.checking.lock().await;
        app.broker.store.check_writable().await
    };
    let slow = |_| Error::internal(format!("the database did not take a write within {PATIENCE:?}"));
    tokio::time::timeout(PATIENCE, check).await.map_err(slow)?
}

/// `GET /metrics` on the metrics listener.
pub async fn metrics(State(app): State<App>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    gauges::held(&app.broker);
    app.held.count(&app.broker.metrics.held);
    match app.broker.metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(error = ?error, "metrics could not be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
