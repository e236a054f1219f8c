//! One call to a provider's API as a file describes it, with the access token: for identity and verification.

use bytes::Bytes;
use claviger_catalog::Call;
use http::{Request, header};

use crate::{
    ProtocolError,
    build::{self, Draft},
    oauth2::Tokens,
};

/// Builds the call. A path is put below `base_url`. Without an `Authorization` of its own it carries
/// `Bearer`.
pub(crate) fn request(
    call: &Call,
    base_url: Option<&str>,
    tokens: &Tokens,
) -> Result<Request<Bytes>, ProtocolError> {
    let url = if call.url.starts_with('/') {
        let base = base_url.ok_or_else(|| ProtocolError::Missing("the API's base URL".to_owned()))?;
        format!("{}{}", base.trim_end_matches('/'), call.url)
    } else {
        call.url.clone()
    };
    let token = tokens.access_token.expose();
    let known = [("token", Some(token)), ("access_token", Some(token))];
    let mut draft = Draft::new("API URL", &url);
    draft.method = call.method;
    draft.format = call.format;
    draft.body = call.body.as_deref();
    for (name, value) in &call.params {
        draft.set(name, &build::fill(value, &known)?);
    }
    for (name, value) in &call.headers {
        draft.headers.push((name.clone(), build::fill(value, &known)?));
    }
    let own = draft.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(header::AUTHORIZATION.as_str()));
    if !own {
        draft.headers.push((header::AUTHORIZATION.to_string(), format!("Bearer {token}")));
    }
    draft.finish()
}
