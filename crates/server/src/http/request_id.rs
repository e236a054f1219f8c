//! A request id on each answer, and one log line per request: method, path without query, status, time.
//!
//! A path that carries a secret is cut before it: no log line may let its reader in.

use std::time::Instant;

use axum::{extract::Request, http::HeaderValue, middleware::Next, response::Response};
use claviger_engine::id::RequestId;
use tracing::Instrument;

use crate::dashboard::first_run;

/// The header that carries it.
pub const HEADER: &str = "claviger-request-id";

/// Below them are links: reconnect links, and the one that sets up the first operator. The rest of the path is the
/// link's token.
const LINKS: [&str; 2] = ["/reconnect/", first_run::PREFIX];

/// Gives the request an id, puts it into the log's span and on the answer.
pub async fn layer(mut request: Request, next: Next) -> Response {
    let id = RequestId::new();
    let (method, path) = (request.method().clone(), shown(request.uri().path()));
    let span = tracing::info_span!("request", id = %id, %method, path);
    request.extensions_mut().insert(id.clone());
    let began = Instant::now();
    async move {
        let mut response = next.run(request).await;
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(status = response.status().as_u16(), ms, "answered");
        if let Ok(value) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert(HEADER, value);
        }
        response
    }
    .instrument(span)
    .await
}

/// A path for the log, cut to what fits a line. What follows one of [`LINKS`] is a link's token, and stays out of it.
fn shown(path: &str) -> String {
    if let Some(link) = LINKS.into_iter().find(|link| path.starts_with(link)) {
        return format!("{link}…");
    }
    path.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_of_a_link_is_not_shown() {
        assert_eq!(shown("/reconnect/Zk3vToken"), "/reconnect/…");
        assert_eq!(shown("/reconnect/Zk3vToken/more"), "/reconnect/…");
        assert_eq!(shown("/v1/connections/conn_1/reconnect"), "/v1/connections/conn_1/reconnect");
        assert_eq!(shown("/reconnected"), "/reconnected");
        assert_eq!(shown("/dashboard/setup/Zk3vToken"), "/dashboard/setup/…");
        assert_eq!(shown(&"ä".repeat(300)), "ä".repeat(200));
    }
}
