//! The device part of a page: the code that a person enters elsewhere, and whether that has happened.
//!
//! `_device.html` shows it. The code that the provider is asked with must never get in here.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use claviger_engine::{
    connect::{
        Ask,
        device::{self, Device, Stands},
    },
    id::FlowId,
};
use minijinja::{Value, context};
use serde_json::json;

use super::connect::Cookies;
use crate::app::App;

/// How often a page looks whether it has something else to show, in seconds.
const EVERY: u64 = 3;
/// The longest code that is written as one.
const WHOLE: usize = 5;

/// How far a code is, as `_device.html` shows it; nothing before somebody has asked for one. `state` is where the page's
/// script looks whether there is something else to show.
pub fn context(ask: &Ask) -> Option<Value> {
    match ask.device.as_ref()? {
        Device::Asked => None,
        Device::Given { user_code, verification_uri, verification_uri_complete, .. } => Some(context! {
            expired => false,
            code => user_code,
            groups => groups(user_code).into_iter().map(str::to_owned).collect::<Vec<_>>(),
            link => verification_uri,
            whole => verification_uri_complete,
            state => format!("/connect/{}/state", ask.flow),
            every => EVERY,
        }),
        Device::Expired { again } => Some(context! { expired => true, again }),
    }
}

/// A code in pieces that can be kept in mind, as its provider cut it, else in two.
fn groups(code: &str) -> Vec<&str> {
    let plain = code.chars().all(|c| c.is_ascii_alphanumeric());
    if plain && code.len() > WHOLE && code.len().is_multiple_of(2) && code.len() <= 12 {
        let (one, other) = code.split_at(code.len() / 2);
        return vec![one, other];
    }
    vec![code]
}

/// `GET /connect/{flow}/state`: for the page's script. Of a flow that is not this browser's it says what it says of none.
pub async fn state(
    State(app): State<App>,
    flow: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let flow = flow.map(|Path(flow)| flow).unwrap_or_default();
    let cookies = Cookies::of(&app, &headers);
    let stands = match FlowId::parse(&flow) {
        Some(flow) => device::stands(&app.broker, &flow, cookies.visitor()).await,
        None => Ok(Stands::Otherwise),
    };
    let state = match stands {
        Ok(Stands::Waiting) => "open",
        Ok(Stands::Otherwise) => "over",
        Err(error) => return app.pages.engine_error(&error),
    };
    let mut response = Json(json!({ "state": state })).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_cut_where_its_provider_did_not() {
        for (code, want) in [
            ("WDJB-MJHT", vec!["WDJB-MJHT"]),
            ("WDJBMJHT", vec!["WDJB", "MJHT"]),
            ("123456", vec!["123", "456"]),
            ("12345", vec!["12345"]),
            ("1234567", vec!["1234567"]),
            ("ABCDEFGHIJKLMN", vec!["ABCDEFGHIJKLMN"]),
            ("ключключ", vec!["ключключ"]),
            ("<b>ab</b>", vec!["<b>ab</b>"]),
        ] {
            assert_eq!(groups(code), want, "{code}");
            assert_eq!(groups(code).concat(), code);
        }
    }
}
