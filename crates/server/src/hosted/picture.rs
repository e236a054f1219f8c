//! Pictures on pages: a product's logo, and the icon of what is connected. Both were uploaded, so they are served as
//! pictures that can do nothing, also where somebody opens one by itself.

use axum::{
    body::Body,
    extract::{Path, State, rejection::PathRejection},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use claviger_engine::{
    connect::{self, Symbol},
    domain::icon::Icon,
    error::{Error, Result},
    id::FlowId,
};
use minijinja::{Value, context};

use crate::app::App;

/// What a picture may do: show itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// `GET /brand/{client_id}/logo`.
pub async fn logo(
    State(app): State<App>,
    client_id: std::result::Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let client_id = client_id.map(|Path(client_id)| client_id).unwrap_or_default();
    // A new one is at another address.
    answer(connect::logo(&app.broker, &client_id).await, &headers, "public, max-age=300")
}

/// `GET /connect/{flow}/icon`.
pub async fn icon(
    State(app): State<App>,
    flow: std::result::Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let flow = flow.map(|Path(flow)| flow).unwrap_or_default();
    let found = match FlowId::parse(&flow) {
        Some(flow) => connect::icon(&app.broker, &flow).await,
        None => Err(Error::NotFound { what: "icon" }),
    };
    answer(found, &headers, "private, max-age=300")
}

/// The picture of what a page connects, as `_service.html` shows it: where it is, or the first letter of its name on its
/// provider's colour.
pub fn symbol(flow: &FlowId, symbol: &Symbol, name: &str) -> Value {
    match symbol {
        Symbol::Own(hash) => context! { src => format!("/connect/{flow}/icon?v={}", mark(hash)) },
        Symbol::Provider(key) => context! { src => (), letter => letter(name), hue => hue(key) },
    }
}

/// The letter that stands for a name.
pub fn letter(name: &str) -> String {
    name.chars().find(|c| c.is_alphanumeric()).unwrap_or('?').to_uppercase().collect()
}

/// The colour that is a provider's alone, as far as there are colours: degrees on the wheel.
pub fn hue(provider: &str) -> u32 {
    provider.bytes().fold(7, |sum, byte| (sum * 31 + u32::from(byte)) % 360)
}

/// So much of a hash as tells one picture from the next.
pub fn mark(hash: &str) -> &str {
    hash.get(..16).unwrap_or(hash)
}

fn answer(found: Result<Icon>, headers: &HeaderMap, keep: &'static str) -> Response {
    let icon = match found {
        Ok(icon) => icon,
        Err(Error::NotFound { .. }) => return StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            tracing::error!(?error, "a picture could not be shown");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    let tag = format!("\"{}\"", icon.hash);
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut known = known.flat_map(|line| line.split(',')).map(|it| it.trim().trim_start_matches("W/"));
    let mut response = if known.any(|it| it == tag || it == "*") {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Body::from(icon.body).into_response()
    };
    let set = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, icon.media_type.as_str()),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (CONTENT_DISPOSITION, "inline"),
        (CACHE_CONTROL, keep),
        (ETAG, &tag),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            set.insert(name, value);
        }
    }
    response
}
