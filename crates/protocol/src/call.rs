//! One call to a provider's API as a file describes it, with the credential: for identity and verification.

use bytes::Bytes;
use claviger_catalog::{Api, Call, Place};
use http::{Request, header};

use crate::{
    ProtocolError, apply,
    build::{self, Draft},
    oauth2::Tokens,
};

/// Builds the call. A path is put below the API's base URL. It carries the credential as every call of the API does,
/// unless it says where itself: with an `Authorization` or the API's own header or parameter.
pub(crate) fn request(call: &Call, api: &Api, tokens: &Tokens) -> Result<Request<Bytes>, ProtocolError> {
    let url = if call.url.starts_with('/') {
        let base = api.base_url.as_deref();
        let base = base.ok_or_else(|| ProtocolError::Missing("the API's base URL".to_owned()))?;
        format!("{}{}", base.trim_end_matches('/'), call.url)
    } else {
        call.url.clone()
    };
    let known = |name: &str| apply::named(tokens, name);
    let mut draft = Draft::new("API URL", &url);
    draft.method = call.method;
    draft.format = call.format;
    draft.body = call.body.as_deref();
    for (name, value) in &call.params {
        draft.set(name, &build::fill_by(value, known)?);
    }
    for (name, value) in &call.headers {
        draft.headers.push((name.clone(), build::fill_by(value, known)?));
    }
    let own = has_own(call, &api.place);
    let (mut parts, body) = draft.finish()?.into_parts();
    let said = |name: &str| {
        call.params.contains_key(name) || call.headers.keys().any(|own| own.eq_ignore_ascii_case(name))
    };
    apply::secrets(api, tokens, &mut parts, said)?;
    if !own {
        apply::place(&api.place, tokens, &mut parts)?;
    }
    Ok(Request::from_parts(parts, body))
}

/// Whether the call itself says where the credential goes.
fn has_own(call: &Call, place: &Place) -> bool {
    let names = |header: &str| call.headers.keys().any(|name| name.eq_ignore_ascii_case(header));
    match &place.query {
        Some(param) => call.params.contains_key(param) || names(header::AUTHORIZATION.as_str()),
        None => names(&place.header) || names(header::AUTHORIZATION.as_str()),
    }
}
