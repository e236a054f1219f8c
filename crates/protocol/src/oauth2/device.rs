//! Device codes (RFC 8628): a person enters a code at the provider, on whatever device, and the token endpoint is asked
//! whether that is done.
//!
//! [`request`] asks for the codes, [`read`] reads them, [`poll`] asks for the tokens; those are read by
//! [`super::read::tokens`], and [`said`] tells what an error means. Must never give out a link that is neither https nor
//! of this machine, nor a device code to anything that shows it.

use bytes::Bytes;
use claviger_catalog::{OAuth2, template};
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use url::Url;

use std::collections::BTreeMap;

use super::{Client, TokenError, TokenErrorKind, authorize, client_auth, read as answers, token};
use crate::{ProtocolError, build::Draft, json, secret::Secret, text};

/// The grant of the token request (RFC 8628 §3.4).
pub const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// How many characters of a code a person is asked to enter.
pub const LONGEST_USER_CODE: usize = 64;
/// How many bytes of a link a person is asked to open.
pub const LONGEST_LINK: usize = 2048;
/// Seconds between two polls, where the provider does not say (RFC 8628 §3.2).
pub const INTERVAL: u64 = 5;
/// The most seconds between two polls that are believed.
pub const LONGEST_INTERVAL: u64 = 60;
/// The most seconds that a code is taken to be good for.
pub const LONGEST_LIFE: u64 = 30 * 60;

/// What the provider gave to enter elsewhere (RFC 8628 §3.2).
pub struct Device {
    /// What the token endpoint is asked with.
    pub device_code: Secret,
    /// What the person enters.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code filled in, where the provider has that.
    pub verification_uri_complete: Option<String>,
    /// For how many seconds both codes are good.
    pub expires_in: u64,
    /// How many seconds lie between two polls at least.
    pub interval: u64,
}

/// What the token endpoint's refusal means to whoever polls (RFC 8628 §3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// The person has not decided yet.
    Pending,
    /// Nor has it, and five seconds more are to lie between two polls from now on.
    SlowDown,
    /// The person said no.
    Denied,
    /// The code is not good any more.
    Expired,
    /// The provider can't say now: it is asked less often.
    Busy,
    /// It gives nothing for this code, and won't.
    Refused,
}

/// The device authorization request (RFC 8628 §3.1). `scopes` are the integration's; none means the provider file's.
/// The file's and the integration's (`extra`) further parameters of an authorization request go along.
///
/// # Errors
/// When the endpoint is not a usable URL, or an extra parameter is the protocol's.
pub fn request(
    oauth2: &OAuth2,
    device_url: &str,
    client: &Client<'_>,
    scopes: &[String],
    extra: &BTreeMap<String, String>,
) -> Result<Request<Bytes>, ProtocolError> {
    let mut draft = Draft::new("device authorization endpoint", device_url);
    // Asked for even where the client authenticates in a header: servers differ (RFC 8628 §3.1).
    draft.set("client_id", client.id);
    for (name, value) in authorize::scope_fields(oauth2, scopes) {
        draft.set(&name, &value);
    }
    for (name, value) in authorize::further(oauth2, client.id, extra)? {
        draft.set(&name, &value);
    }
    client_auth::add(oauth2, client, &mut draft)?;
    let names = [&BTreeMap::new(), &oauth2.token.param_names];
    token::finish(oauth2, client, None, draft, &BTreeMap::new(), names, &[])
}

/// The token request with a device code (RFC 8628 §3.4).
///
/// # Errors
/// When the token endpoint is not a usable URL.
pub fn poll(
    oauth2: &OAuth2,
    token_url: &str,
    client: &Client<'_>,
    device_code: &Secret,
) -> Result<Request<Bytes>, ProtocolError> {
    let shape = &oauth2.token;
    let mut draft = Draft::new("token endpoint", token_url);
    (draft.method, draft.format) = (shape.method, shape.format);
    (draft.in_query, draft.numbers) = (&shape.in_query, &shape.numbers);
    draft.set("grant_type", GRANT);
    draft.set("device_code", device_code.expose());
    client_auth::add(oauth2, client, &mut draft)?;
    let names = [&BTreeMap::new(), &shape.param_names];
    token::finish(oauth2, client, None, draft, &shape.params, names, &shape.omit)
}

/// Reads the answer to [`request`]. `device_url` is where it came from: only what is on this machine may name a plain
/// http link, and only one on this machine.
///
/// # Errors
/// [`TokenError`]: the provider refused, is in trouble, or the answer can't be read.
pub fn read(
    oauth2: &OAuth2,
    device_url: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now_ms: i64,
) -> Result<Device, TokenError> {
    let value = answers::accepted(oauth2, status, headers, body, now_ms)?;
    let here = Url::parse(device_url).is_ok_and(|url| template::is_loopback(&url));
    let device_code = json::text(&value, "device_code").filter(|code| is_code(code));
    let device_code = device_code.ok_or_else(|| unreadable("there is no device code in it"))?;
    let user_code = json::text(&value, "user_code").and_then(|code| text::visible(&code));
    let user_code = user_code.filter(|code| code.chars().count() <= LONGEST_USER_CODE);
    let user_code = user_code.ok_or_else(|| unreadable("there is no code to enter in it"))?;
    // Drafts of the RFC called it a URL, and not everybody has changed that.
    let link = ["verification_uri", "verification_url"].iter().find_map(|name| json::text(&value, name));
    let link = link.filter(|link| is_link(link, here));
    let verification_uri = link.ok_or_else(|| unreadable("there is no https page to enter the code at"))?;
    let whole = json::text(&value, "verification_uri_complete").filter(|link| is_link(link, here));
    let expires_in = seconds(&value, "expires_in");
    let expires_in = expires_in.ok_or_else(|| unreadable("it does not say how long the code is good"))?;
    Ok(Device {
        device_code: Secret::new(device_code),
        user_code,
        verification_uri,
        verification_uri_complete: whole,
        expires_in: expires_in.min(LONGEST_LIFE),
        interval: seconds(&value, "interval").unwrap_or(INTERVAL).min(LONGEST_INTERVAL),
    })
}

/// What an error of the token endpoint means to whoever polls.
pub fn said(error: &TokenError) -> Said {
    match error.code.as_deref() {
        Some("authorization_pending") => Said::Pending,
        Some("slow_down") => Said::SlowDown,
        Some("access_denied" | "authorization_declined") => Said::Denied,
        Some("expired_token") => Said::Expired,
        _ if error.kind == TokenErrorKind::Oauth => Said::Refused,
        _ => Said::Busy,
    }
}

/// A whole number of seconds above zero, also where it is written as a text.
fn seconds(value: &Value, name: &str) -> Option<u64> {
    let text = json::text(value, name)?;
    let whole = text.split_once('.').map_or(text.as_str(), |(whole, _)| whole);
    whole.trim().parse().ok().filter(|seconds| *seconds > 0)
}

fn is_code(code: &str) -> bool {
    !code.is_empty() && code.len() <= answers::MAX_TOKEN && code.bytes().all(|b| matches!(b, 0x20..=0x7e))
}

/// Whether a person may be sent there.
fn is_link(link: &str, here: bool) -> bool {
    let sound = |b: u8| b.is_ascii_graphic() && !b"<>\"`^{|}\\".contains(&b);
    let plain = link.len() <= LONGEST_LINK && template::is_plain_url(link) && link.bytes().all(sound);
    plain
        && Url::parse(link).is_ok_and(|url| {
            let bare = url.username().is_empty() && url.password().is_none();
            bare && (url.scheme() == "https" || url.scheme() == "http" && here && template::is_loopback(&url))
        })
}

fn unreadable(why: &str) -> TokenError {
    TokenError::new(TokenErrorKind::Unreadable, None, Some(why))
}

#[cfg(test)]
mod tests;
