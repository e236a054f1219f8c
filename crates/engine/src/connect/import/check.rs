//! Check: whether what a product brings can become a connection, before anybody is asked.

use std::collections::BTreeMap;

use claviger_catalog::{AskedOf, Provider, TemplateError, pattern};
use claviger_protocol::oauth2::read::{self, MAX_TOKEN};

use super::{Import, LONGEST_LIFE};
use crate::{
    domain::{connection::OwnerKind, integration::Integration},
    error::{Error, Result},
    secret::Secret,
};

/// The longest key of an owner, in bytes.
const LONGEST_OWNER: usize = 512;
/// The most scopes, and the longest.
const SCOPES: usize = 1000;
const LONGEST_SCOPE: usize = 512;

/// Tokens, owner, expiry and scopes.
pub(super) fn plain(given: &Import<'_>) -> Result<()> {
    token("access_token", &given.access_token)?;
    if let Some(refresh_token) = &given.refresh_token {
        token("refresh_token", refresh_token)?;
    }
    if let Some(key) = given.owner.key.as_ref().filter(|_| given.owner.kind == OwnerKind::External) {
        if key.is_empty() {
            return Err(Error::invalid("external_id", "Is empty; leave it out for a connection of nobody"));
        }
        if key.len() > LONGEST_OWNER {
            return Err(Error::invalid("external_id", format!("Longer than {LONGEST_OWNER} bytes")));
        }
        if key.contains('\0') {
            return Err(Error::invalid("external_id", "Holds a NUL"));
        }
    }
    if given.expires_in.is_some_and(|seconds| seconds > LONGEST_LIFE.as_secs()) {
        return Err(Error::invalid("expires_in", "More than ten years; it is a number of seconds from now"));
    }
    let scopes = given.scopes.as_deref().unwrap_or_default();
    let sound = |scope: &String| {
        !scope.is_empty()
            && scope.len() <= LONGEST_SCOPE
            && !scope.chars().any(|c| c.is_control() || c == ' ')
    };
    if scopes.len() > SCOPES || !scopes.iter().all(sound) {
        let text = format!("At most {SCOPES} scopes of up to {LONGEST_SCOPE} bytes, without spaces");
        return Err(Error::invalid("scopes", text));
    }
    Ok(())
}

/// A token has to stand in a header and in a form as it is.
pub(in crate::connect) fn token(field: &'static str, token: &Secret) -> Result<()> {
    let text = token.expose();
    if text.trim().is_empty() {
        return Err(Error::invalid(field, "Is empty"));
    }
    if text.len() > MAX_TOKEN {
        return Err(Error::invalid(field, format!("Longer than {MAX_TOKEN} bytes")));
    }
    if !read::is_token(text) || text != text.trim() {
        return Err(Error::invalid(field, "Is no token: only printable ASCII, without spaces around it"));
    }
    Ok(())
}

/// The values that the connection starts with: those given, then what the integration fixes over them. Besides
/// the provider's inputs these may be values that it saves from a callback or a token answer, which here is none.
pub(in crate::connect) fn inputs(
    provider: &Provider,
    integration: &Integration,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>> {
    let fixed = &integration.config.inputs;
    let mut inputs = BTreeMap::new();
    for (name, value) in given {
        let value = value.trim();
        if value.is_empty() || fixed.get(name).is_some_and(|fixed| !fixed.is_empty()) {
            continue;
        }
        if provider.inputs.iter().any(|input| input.key == *name && input.asked_of == AskedOf::Operator) {
            return Err(wrong(format!("`{name}` is set on the integration, not on a connection")));
        }
        let one = BTreeMap::from([(name.clone(), value.to_owned())]);
        let short = value.len() <= pattern::MAX_VALUE && !value.chars().any(char::is_control);
        match provider.values(&one) {
            Ok(known) if name != "client_id" && known.contains_key(name) => {
                if !short {
                    return Err(wrong(format!("the value of `{name}` is not allowed")));
                }
            }
            Ok(_) => return Err(wrong(format!("{} has no input `{name}`", provider.name))),
            Err(TemplateError::Refused(_)) => {
                return Err(wrong(format!("the value of `{name}` is not allowed")));
            }
            Err(error) => return Err(Error::internal(format!("inputs of {}: {error}", provider.key))),
        }
        inputs.extend(one);
    }
    inputs.extend(fixed.clone());
    Ok(inputs)
}

/// Fails when a value is missing without which no call can be made. `later` are names whose values the provider
/// is still going to tell.
pub(in crate::connect) fn complete(
    provider: &Provider,
    integration: &Integration,
    inputs: &BTreeMap<String, String>,
    later: &[&str],
) -> Result<()> {
    if let Some(input) = provider.missing_inputs(inputs).first() {
        let example = input.placeholder.as_deref().map(|p| format!(", such as {p}")).unwrap_or_default();
        return Err(wrong(format!("`{}` is needed: {}{example}", input.key, input.title)));
    }
    let known = provider.values(inputs).map_err(|e| wrong(e.to_string()))?;
    let base = integration.config.base_url.as_deref().or(provider.api.base_url.as_deref());
    let used = base.map(claviger_catalog::template::names).unwrap_or_default();
    match used.into_iter().find(|name| !known.contains_key(*name) && !later.contains(name)) {
        Some(name) => Err(wrong(format!("`{name}` is needed: the API's address is made of it"))),
        None => Ok(()),
    }
}

fn wrong(message: String) -> Error {
    Error::invalid("inputs", message)
}

#[cfg(test)]
mod tests;
