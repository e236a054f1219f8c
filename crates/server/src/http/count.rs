//! Counts requests at the app origin: what they asked for, in words of our own, and the class of the answer.

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};

use crate::app::App;

/// Counts one request.
pub async fn layer(State(app): State<App>, request: Request, next: Next) -> Response {
    let resource = resource(request.uri().path());
    let response = next.run(request).await;
    app.broker.metrics.request(resource, response.status().as_u16());
    response
}

/// What a path asks for: one of [`claviger_engine::metrics::RESOURCES`], never the caller's text.
fn resource(path: &str) -> &'static str {
    let mut parts = path.strip_prefix('/').unwrap_or("*").split('/');
    match (parts.next().unwrap_or_default(), parts.next()) {
        ("authorize", None) => "authorize",
        ("connection", None) => "connection",
        ("oauth2", Some("callback")) | ("oauth-callback", None) => "callback",
        ("connect" | "connection-popup", None | Some(""))
        | ("screens", Some(_))
        | ("embed", Some("integrations" | "connections")) => "popup",
        ("sse", Some("connection-events")) => "events",
        ("connect" | "connection-popup" | "embed", Some(_)) => "hosted",
        ("v1", Some("connections")) => "connections",
        ("v1", Some("integrations")) => "integrations",
        ("v1", Some("webhooks")) => "webhooks",
        ("dashboard", _) => "dashboard",
        ("" | "healthz" | "readyz", None) => "health",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use claviger_engine::metrics::RESOURCES;

    use super::*;

    #[test]
    fn every_path_is_one_of_few_words() {
        for (path, word) in [
            ("/authorize", "authorize"),
            ("/authorize/", "other"),
            ("/dashboard", "dashboard"),
            ("/dashboard/w/acme/logs", "dashboard"),
            ("/connection", "connection"),
            ("/oauth2/callback", "callback"),
            ("/oauth2/callback/int_1", "callback"),
            ("/oauth-callback", "callback"),
            ("/connect/flow_1", "hosted"),
            ("/connect", "popup"),
            ("/connection-popup", "popup"),
            ("/connection-popup/flow_1", "hosted"),
            ("/embed/integrations/int_1/connect", "popup"),
            ("/embed/connections/conn_1/refresh", "popup"),
            ("/screens/connect", "popup"),
            ("/embed/flow_1/state", "hosted"),
            ("/sse/connection-events/r", "events"),
            ("/v1/connections", "connections"),
            ("/v1/connections/conn_1", "connections"),
            ("/v1/integrations/", "integrations"),
            ("/v1/webhooks/wh_1/deliveries", "webhooks"),
            ("/v1/webhooksx", "other"),
            ("/", "health"),
            ("/healthz", "health"),
            ("/readyz", "health"),
            ("/v1/chat", "other"),
            ("/../etc", "other"),
            ("*", "other"),
            ("", "other"),
        ] {
            assert_eq!(resource(path), word, "{path}");
            assert!(RESOURCES.contains(&word), "{word}");
        }
    }
}
