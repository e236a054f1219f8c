//! From what a person typed in to a credential that calls can carry: an API key, a user name with its password, a
//! token.
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

/// What is wrong with one value that was typed in. Never holds the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct KeyError {
    /// The field: `api_key`, `username`, `password` or `token`.
    pub field: &'static str,
    /// What is wrong, for whoever typed it.
    pub message: String,
}

/// The credential that the typed values make. Its access token is the key, the token, or `user:password`
/// (RFC 7617 §2); it has no expiry, and nothing to refresh it with. Names in `given` that the kind does not have are
/// not looked at.
///
/// # Errors
/// [`KeyError`] names the first field that is missing, too long, not to be sent as it is, or not what its pattern
/// admits.
pub fn tokens(keys: &Keys, given: &BTreeMap<String, Secret>) -> Result<Tokens, KeyError> {
    let mut texts = Vec::with_capacity(keys.fields.len());
    for field in &keys.fields {
        let text = given.get(field.key).map_or("", Secret::expose);
        check(keys.kind, field, text).map_err(|message| KeyError { field: field.key, message })?;
        texts.push(text);
    }
    let token_type = match keys.kind {
        KeyKind::ApiKey => "ApiKey",
        KeyKind::Basic => BASIC,
        KeyKind::Bearer => "Bearer",
    };
    Ok(Tokens {
        access_token: Secret::new(texts.join(":")),
        refresh_token: None,
        token_type: token_type.to_owned(),
        id_token: None,
        scopes: None,
        expires_at: None,
        refresh_expires_at: None,
        saved: BTreeMap::new(),
    })
}

/// Every text by which a provider could repeat this credential: the access token, and of a user name with its
/// password also the password alone and the Base64 that calls carry.
pub fn spellings(tokens: &Tokens) -> Vec<Secret> {
    let whole = tokens.access_token.expose();
    let mut out = vec![tokens.access_token.clone()];
    if tokens.token_type == BASIC {
        out.push(Secret::new(BASE64_STANDARD.encode(whole)));
        let password = whole.split_once(':').map_or("", |(_, password)| password);
        out.extend((!password.is_empty()).then(|| Secret::new(password)));
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
