//! From what a person typed in to a credential that calls can carry: an API key, a user name with its password, a
//! token, several fields, a key that signs, the parts of a document.
//!
//! Checks what was typed before it is kept, by its kind and by the provider's pattern, and must never repeat it in an
//! error. Which fields there are is the catalog's (`claviger_catalog::keys`); how a call carries what comes out of
//! here, [`crate::apply`]'s.

mod check;
mod document;

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use claviger_catalog::{KeyKind, Keys};

pub use self::{check::MAX_LINES, document::MAX_DOCUMENT};
use crate::{oauth2::Tokens, secret::Secret};

/// The type of a user name with its password, as `Authorization` names it (RFC 7617).
const BASIC: &str = "Basic";
/// The type of a credential that is several fields.
const FIELDS: &str = "Fields";
/// The type of a secret key that signs calls.
const SIGNING: &str = "AWS4";

/// What is wrong with one value that was typed in. Never holds the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct KeyError {
    /// The field's key.
    pub field: String,
    /// What kind of wrong it is, for pages that speak other languages.
    pub amiss: Amiss,
    /// What is wrong, for whoever typed it.
    pub message: String,
}

/// What kind of wrong something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amiss {
    /// It is needed and was left empty.
    Missing,
    /// It is none of those that there are to choose from.
    NotListed,
    /// It is not what its pattern admits.
    Unlike,
    /// Something else, which the words say.
    Other,
}

/// A [`KeyError`] without its field.
struct Complaint {
    amiss: Amiss,
    message: String,
}

impl Complaint {
    fn of(amiss: Amiss, message: &str) -> Self {
        Self { amiss, message: message.to_owned() }
    }

    fn other(message: impl Into<String>) -> Self {
        Self { amiss: Amiss::Other, message: message.into() }
    }

    /// The same of what is at a path in a document.
    fn about(self, path: &str) -> Self {
        Self::other(format!("`{path}` in it: {}", self.message))
    }

    fn at(self, field: &str) -> KeyError {
        KeyError { field: field.to_owned(), amiss: self.amiss, message: self.message }
    }
}

/// What was typed, by name, each value checked: the fields, and in place of a document its parts. What may be left empty,
/// and is, is not in it. Names in `given` that the kind does not have are not looked at.
///
/// # Errors
/// [`KeyError`] names the first field that is missing, too long, not to be sent as it is, not what it must be, or not
/// what its pattern admits.
pub fn checked(keys: &Keys, given: &BTreeMap<String, Secret>) -> Result<BTreeMap<String, Secret>, KeyError> {
    let (mut out, none) = (BTreeMap::new(), Secret::new(""));
    for field in &keys.fields {
        let value = given.get(&field.key).unwrap_or(&none);
        if field.is_document() {
            let parts = document::parts(keys.kind, field, value);
            out.extend(parts.map_err(|complaint| complaint.at(&field.key))?);
            continue;
        }
        check::field(keys.kind, field, value).map_err(|complaint| complaint.at(&field.key))?;
        if !value.is_empty() {
            out.insert(field.key.clone(), value.clone());
        }
    }
    Ok(out)
}

/// The credential that the typed values make: it has no expiry, and nothing to refresh it with. Its access token is
/// the key, the token, `user:password` (RFC 7617 §2), the key that signs, or the first secret of the fields; all secret
/// values are in [`Tokens::typed`] then, the others in the connection's inputs ([`plain`]).
///
/// # Errors
/// As [`checked`]; also for what makes no credential by itself: a token is fetched with it.
pub fn tokens(keys: &Keys, given: &BTreeMap<String, Secret>) -> Result<Tokens, KeyError> {
    credential(keys, &checked(keys, given)?)
}

/// The same of values that are [`checked`] already.
///
/// # Errors
/// For what makes no credential by itself.
pub fn credential(keys: &Keys, typed: &BTreeMap<String, Secret>) -> Result<Tokens, KeyError> {
    let text = |key: &str| typed.get(key).map_or("", Secret::expose);
    let joined = || keys.fields.iter().map(|field| text(&field.key)).collect::<Vec<_>>().join(":");
    Ok(match keys.kind {
        KeyKind::ApiKey => Tokens::of(Secret::new(joined()), "ApiKey"),
        KeyKind::Basic => Tokens::of(Secret::new(joined()), BASIC),
        KeyKind::Bearer => Tokens::of(Secret::new(joined()), "Bearer"),
        KeyKind::Fields => {
            let secret: Vec<&str> =
                keys.values().filter(|value| value.secret).map(|value| value.name).collect();
            let first = secret.first().map_or("", |name| text(name));
            let kept = secret.iter().filter_map(|name| Some(((*name).to_owned(), typed.get(*name)?.clone())));
            Tokens { typed: kept.collect(), ..Tokens::of(Secret::new(first), FIELDS) }
        }
        KeyKind::SigV4 => {
            let key = Secret::new(text("secret_access_key"));
            Tokens { typed: typed.clone(), ..Tokens::of(key, SIGNING) }
        }
        KeyKind::Client | KeyKind::Grant | KeyKind::Steps => {
            let complaint = Complaint::other("Is not a credential yet: a token is fetched with it");
            return Err(complaint.at(keys.fields.first().map_or("", |field| &field.key)));
        }
    })
}

/// What of the typed values is no secret: it belongs to the connection's inputs, for URLs may name it. `typed` is
/// [`checked`].
pub fn plain(keys: &Keys, typed: &BTreeMap<String, Secret>) -> BTreeMap<String, String> {
    let open = keys.values().filter(|value| keys.kind.is_named() && !value.secret);
    open.filter_map(|value| Some((value.name.to_owned(), typed.get(value.name)?.expose().to_owned())))
        .collect()
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
    let open = ["client_id", "access_key_id"];
    let typed =
        tokens.typed.iter().filter(|(name, _)| !open.contains(&name.as_str())).map(|(_, value)| value);
    for secret in tokens.token_secret.iter().chain(&tokens.subject).chain(typed) {
        if !secret.is_empty() && out.iter().all(|known| known.expose() != secret.expose()) {
            out.push(secret.clone());
        }
    }
    out
}

#[cfg(test)]
mod tests;
