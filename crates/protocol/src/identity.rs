//! Who a connected account is, as the provider says it.
//!
//! The answer is for display and for knowing two connections of one account apart; it must never sign
//! anybody in. Where it is asked is the provider file's `[identity]`.

use std::collections::BTreeMap;

use bytes::Bytes;
use claviger_catalog::{Api, Call, Identity, IdentitySource, pattern};
use http::Request;
use serde_json::Value;

use crate::{ProtocolError, call, json, jwt, oauth2::Tokens, text};

/// An account at a provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// The provider's stable id for it.
    pub id: Option<String>,
    /// A name to show.
    pub name: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// Values for templates (`cloud_id`); only those whose pattern admits them.
    pub saved: BTreeMap<String, String>,
}

/// Longer ids, names and addresses are left out.
const MAX_FIELD: usize = 512;

/// The request that asks for the identity; `None` when it is known without asking ([`from_tokens`]) or there
/// is no userinfo endpoint. A call carries the credential where calls of `api` do, the userinfo endpoint takes
/// `Bearer` always (OpenID Connect Core §5.3.1). `api` is the filled provider's, with the base URL that holds for this
/// connection.
///
/// # Errors
/// When the call can't be built from what is known.
pub fn request(
    identity: &Identity,
    userinfo_url: Option<&str>,
    api: &Api,
    tokens: &Tokens,
) -> Result<Option<Request<Bytes>>, ProtocolError> {
    match (identity.source, userinfo_url, &identity.call) {
        (IdentitySource::Userinfo, Some(url), _) => {
            call::request(&Call::get(url), &Api::default(), tokens).map(Some)
        }
        (IdentitySource::Call, _, Some(one)) => call::request(one, api, tokens).map(Some),
        _ => Ok(None),
    }
}

/// Reads the answer. What can't be read is `None`: a connection without a known account is still one.
pub fn read(identity: &Identity, body: &[u8]) -> Account {
    serde_json::from_slice::<Value>(body).map(|value| pick(identity, &value)).unwrap_or_default()
}

/// The identity where it came along with the tokens: ID token claims or saved values.
pub fn from_tokens(identity: &Identity, tokens: &Tokens) -> Option<Account> {
    match identity.source {
        IdentitySource::IdToken => {
            let claims = jwt::claims_unverified(tokens.id_token.as_ref()?)?;
            Some(pick(identity, &claims))
        }
        IdentitySource::Saved => {
            let saved = tokens.saved.iter().map(|(name, value)| (name.clone(), Value::String(value.clone())));
            Some(pick(identity, &Value::Object(saved.collect())))
        }
        IdentitySource::Userinfo | IdentitySource::Call => None,
    }
}

/// The identity in claims that were verified.
pub fn from_claims(identity: &Identity, claims: &Value) -> Account {
    pick(identity, claims)
}

fn pick(identity: &Identity, value: &Value) -> Account {
    let field = |path: &str| {
        json::text(value, path)
            .filter(|text| !text.is_empty() && text.len() <= MAX_FIELD && !text.chars().any(char::is_control))
    };
    let saved = identity.save.iter().filter_map(|(name, from)| {
        let found = json::text(value, &from.path)?;
        from.pattern
            .as_deref()
            .map_or(found.len() <= MAX_FIELD, |pattern| pattern::admits(pattern, &found))
            .then(|| (name.clone(), found))
    });
    Account {
        id: field(&identity.id),
        name: identity.name.iter().find_map(|path| field(path)).and_then(|name| text::visible(&name)),
        email: identity.email.as_deref().and_then(field),
        saved: saved.collect(),
    }
}

#[cfg(test)]
mod tests;
