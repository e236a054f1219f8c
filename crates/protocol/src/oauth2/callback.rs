//! Reading the callback: what the browser brings back from the provider (RFC 6749 §4.1.2, RFC 9207).
//!
//! Nothing in it is trusted. Must never choose between two values of one parameter: duplicates are refused.

use std::collections::BTreeMap;

use claviger_catalog::{OAuth2, pattern};

use crate::{secret::Secret, text};

/// Longer queries are refused.
pub const MAX_QUERY: usize = 64 * 1024;
/// Longer states are refused: a product's own part, behind ours, may have 1,024 characters.
pub const MAX_STATE: usize = 43 + 1 + 4 * 1024;
const MAX_CODE: usize = 16 * 1024;

/// What the provider answered.
pub enum Answer {
    /// A code to redeem.
    Code {
        /// The authorization code.
        code: Secret,
        /// The issuer, when told (RFC 9207).
        iss: Option<String>,
        /// Values that arrive only here, each admitted by its pattern.
        saved: BTreeMap<String, String>,
    },
    /// The user or the provider refused (RFC 6749 §4.1.2.1).
    Error {
        /// The error's code: `access_denied`.
        error: String,
        /// The provider's words, made harmless.
        description: Option<String>,
        /// The issuer, when told.
        iss: Option<String>,
    },
}

/// A callback that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// No state, or an empty one.
    #[error("the callback has no state")]
    NoState,
    /// The state or another parameter can't be what we or the provider sent.
    #[error("`{0}` in the callback is not allowed")]
    Malformed(String),
    /// A parameter is there twice.
    #[error("`{0}` is in the callback twice")]
    Duplicate(String),
    /// Neither a code nor an error, or both.
    #[error("the callback has no code")]
    NoCode,
    /// A value that the provider should send along is missing.
    #[error("`{0}` is missing in the callback")]
    Missing(String),
    /// The issuer is missing although the provider always tells it.
    #[error("the callback does not name its issuer")]
    NoIssuer,
    /// The answer is of another issuer than the one asked.
    #[error("the callback is of another issuer")]
    WrongIssuer,
    /// The whole query is too long.
    #[error("the callback is too long")]
    TooLong,
}

/// The state in a callback's query, under the parameter that the provider uses (`callback.state_param`).
///
/// # Errors
/// When it is not there exactly once, is empty, too long, or holds a control character.
pub fn state(oauth2_param: &str, query: &str) -> Result<Secret, CallbackError> {
    let state =
        one(&pairs(query)?, oauth2_param)?.filter(|state| !state.is_empty()).ok_or(CallbackError::NoState)?;
    if state.len() > MAX_STATE || state.chars().any(|c| c.is_control() || c == '\u{fffd}') {
        return Err(CallbackError::Malformed(oauth2_param.to_owned()));
    }
    Ok(Secret::new(state))
}

/// The provider's answer in a callback's query.
///
/// # Errors
/// When code, state, issuer or error is there twice, there is no code, or a value is not what its pattern
/// admits.
pub fn read(oauth2: &OAuth2, query: &str) -> Result<Answer, CallbackError> {
    let shape = &oauth2.callback;
    let pairs = pairs(query)?;
    let code = one(&pairs, &shape.code_param)?;
    let error = one(&pairs, "error")?;
    let iss = one(&pairs, "iss")?;
    let description = one(&pairs, "error_description")?;
    one(&pairs, &shape.state_param)?;
    if iss.as_ref().is_some_and(|iss| iss.len() > 2048 || iss.chars().any(char::is_control)) {
        return Err(CallbackError::Malformed("iss".to_owned()));
    }
    match (code.filter(|code| !code.is_empty()), error.filter(|error| !error.is_empty())) {
        (Some(code), None) => {
            if code.len() > MAX_CODE || code.chars().any(|c| c.is_control() || c == '\u{fffd}') {
                return Err(CallbackError::Malformed(shape.code_param.clone()));
            }
            let mut saved = BTreeMap::new();
            for (name, wanted) in &shape.save {
                let value = one(&pairs, &wanted.param)?.filter(|value| !value.is_empty());
                match value.or_else(|| wanted.default.clone()) {
                    Some(value) if pattern::admits(&wanted.pattern, &value) => {
                        saved.insert(name.clone(), value);
                    }
                    Some(_) => return Err(CallbackError::Malformed(wanted.param.clone())),
                    None if wanted.required => return Err(CallbackError::Missing(wanted.param.clone())),
                    None => {}
                }
            }
            Ok(Answer::Code { code: Secret::new(code), iss, saved })
        }
        (None, Some(error)) => {
            let error = text::clean(&error).unwrap_or_default().chars().take(100).collect();
            Ok(Answer::Error { error, description: description.as_deref().and_then(text::clean), iss })
        }
        _ => Err(CallbackError::NoCode),
    }
}

/// Compares the issuer in a callback with the one that was asked (RFC 9207 §2.4): equal as texts. `required`
/// is true where the provider's metadata says that it always names itself. Without an expected issuer there
/// is nothing to compare.
///
/// # Errors
/// When it is missing though required, or another.
pub fn check_iss(expected: Option<&str>, required: bool, got: Option<&str>) -> Result<(), CallbackError> {
    match (expected, got) {
        (_, None) if required => Err(CallbackError::NoIssuer),
        (Some(expected), Some(got)) if expected != got => Err(CallbackError::WrongIssuer),
        _ => Ok(()),
    }
}

fn pairs(query: &str) -> Result<Vec<(String, String)>, CallbackError> {
    if query.len() > MAX_QUERY {
        return Err(CallbackError::TooLong);
    }
    let query = query.strip_prefix('?').unwrap_or(query);
    Ok(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
}

fn one(pairs: &[(String, String)], name: &str) -> Result<Option<String>, CallbackError> {
    let mut found = pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(CallbackError::Duplicate(name.to_owned())),
        (value, _) => Ok(value.cloned()),
    }
}

#[cfg(test)]
mod tests;
