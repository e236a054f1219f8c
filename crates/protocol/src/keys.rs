//! From what a person typed in to a credential that calls can carry: an API key, a user name with its password, a
//! token, several fields.
//!
//! Checks what was typed before it is kept, by its kind and by the provider's pattern, and must never repeat it in an
//! error. Which fields there are is the catalog's (`claviger_catalog::keys`); how a call carries what comes out of
//! here, [`crate::apply`]'s.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use claviger_catalog::{KeyField, KeyKind, Keys, pattern};

use crate::{
    oauth2::{Tokens, read::MAX_TOKEN},
    secret::Secret,
};

/// The type of a user name with its password, as `Authorization` names it (RFC 7617).
const BASIC: &str = "Basic";
/// The type of a credential that is several fields.
const FIELDS: &str = "Fields";

/// What is wrong with one value that was typed in. Never holds the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct KeyError {
    /// The field's key.
    pub field: String,
    /// What is wrong, for whoever typed it.
    pub message: String,
}

/// What was typed, by field, each value checked; fields that may be left empty, and are, are not in it. Names in
/// `given` that the kind does not have are not looked at.
///
/// # Errors
/// [`KeyError`] names the first field that is missing, too long, not to be sent as it is, or not what its pattern
/// admits.
pub fn checked(keys: &Keys, given: &BTreeMap<String, Secret>) -> Result<BTreeMap<String, Secret>, KeyError> {
    let mut out = BTreeMap::new();
    for field in &keys.fields {
        let value = given.get(&field.key);
        let text = value.map_or("", Secret::expose);
        check(keys.kind, field, text).map_err(|message| KeyError { field: field.key.clone(), message })?;
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            out.insert(field.key.clone(), value.clone());
        }
    }
    Ok(out)
}

/// The credential that the typed values make: it has no expiry, and nothing to refresh it with. Its access token is
/// the key, the token, `user:password` (RFC 7617 §2), or the first secret of the fields; all secret fields are in
/// [`Tokens::typed`] then, the others in the connection's inputs ([`plain`]).
///
/// # Errors
/// As [`checked`]; also for a client's id and secret, which make no credential by themselves: a token is fetched with
/// them ([`client`]).
pub fn tokens(keys: &Keys, given: &BTreeMap<String, Secret>) -> Result<Tokens, KeyError> {
    let typed = checked(keys, given)?;
    let text = |key: &str| typed.get(key).map_or("", Secret::expose);
    let joined = || keys.fields.iter().map(|field| text(&field.key)).collect::<Vec<_>>().join(":");
    Ok(match keys.kind {
        KeyKind::ApiKey => Tokens::of(Secret::new(joined()), "ApiKey"),
        KeyKind::Basic => Tokens::of(Secret::new(joined()), BASIC),
        KeyKind::Bearer => Tokens::of(Secret::new(joined()), "Bearer"),
        KeyKind::Fields => {
            let secret = keys.fields.iter().filter(|field| field.secret).map(|field| &field.key);
            let first = secret.clone().next().map_or("", |key| text(key));
            let kept = secret.filter_map(|key| Some((key.clone(), typed.get(key)?.clone())));
            Tokens { typed: kept.collect(), ..Tokens::of(Secret::new(first), FIELDS) }
        }
        KeyKind::Client | KeyKind::Grant => {
            let message = "Is not a credential yet: a token is fetched with it".to_owned();
            let field = keys.fields.first().map(|field| field.key.clone()).unwrap_or_default();
            return Err(KeyError { field, message });
        }
    })
}

/// What of the typed values is no secret: it belongs to the connection's inputs, for URLs may name it.
pub fn plain(keys: &Keys, typed: &BTreeMap<String, Secret>) -> BTreeMap<String, String> {
    let open = keys.fields.iter().filter(|field| is_named(keys.kind) && !field.secret);
    open.filter_map(|field| Some((field.key.clone(), typed.get(&field.key)?.expose().to_owned()))).collect()
}

/// Whether the file names the fields itself.
fn is_named(kind: KeyKind) -> bool {
    matches!(kind, KeyKind::Fields | KeyKind::Grant)
}

/// The client that somebody typed in, of a connection's tokens or of what [`checked`] gave: its id and its secret.
pub fn client(typed: &BTreeMap<String, Secret>) -> Option<(&str, &Secret)> {
    Some((typed.get("client_id")?.expose(), typed.get("client_secret")?))
}

/// Every text by which a provider could repeat this credential: the access token, a token's secret, the secrets that
/// were typed in, and of a user name with its password also the password alone and the Base64 that calls carry.
pub fn spellings(tokens: &Tokens) -> Vec<Secret> {
    let whole = tokens.access_token.expose();
    let mut out = vec![tokens.access_token.clone()];
    if tokens.token_type == BASIC {
        out.push(Secret::new(BASE64_STANDARD.encode(whole)));
        let password = whole.split_once(':').map_or("", |(_, password)| password);
        out.extend((!password.is_empty()).then(|| Secret::new(password)));
    }
    let typed = tokens.typed.iter().filter(|(name, _)| *name != "client_id").map(|(_, value)| value);
    for secret in tokens.token_secret.iter().chain(typed) {
        if !secret.is_empty() && out.iter().all(|known| known.expose() != secret.expose()) {
            out.push(secret.clone());
        }
    }
    out
}

/// What is wrong with one typed value, in words for a person.
fn check(kind: KeyKind, field: &KeyField, text: &str) -> Result<(), String> {
    if text.is_empty() {
        return if field.label.optional { Ok(()) } else { Err("Is missing".to_owned()) };
    }
    if text.len() > MAX_TOKEN {
        return Err(format!("Longer than {MAX_TOKEN} bytes"));
    }
    if kind == KeyKind::Basic {
        // RFC 7617 §2: no control characters in either, no colon in the user's name.
        if text.chars().any(char::is_control) {
            return Err("Holds a control character, such as a line break".to_owned());
        }
        if field.key == "username" && text.contains(':') {
            return Err("Holds a colon, which a user name can't".to_owned());
        }
    } else if text != text.trim() {
        return Err("Has a space or a line break at its beginning or end".to_owned());
    } else if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err("Holds a space or a character that is not ASCII".to_owned());
    }
    match &field.label.pattern {
        Some(pattern) if !pattern::admits(pattern, text) => {
            Err("Does not look like one of this provider's".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
