//! Parameters: what a product's page says about one connection besides what its customer is asked for.
//!
//! They come from a browser, so only those count that the integration lists: values of the provider's inputs, each held to
//! its pattern, and the scopes to ask for. Never a URL, a client id or a secret.

use std::collections::BTreeMap;

use claviger_catalog::{Provider, pattern};
use serde_json::{Map, Value};

use super::SCOPES;
use crate::{
    domain::integration::Integration,
    error::{Error, Result},
};

/// Bytes of the longest list of scopes.
const SCOPES_MAX: usize = 4096;

/// The values that a connection through this integration is to begin with, of what a page said. What is empty or null is
/// as if it were not there. Scopes are kept among the values, with a space between them.
///
/// # Errors
/// `Invalid` naming `connector_parameters`, and in its words the key that is not taken.
pub fn connector_parameters(
    integration: &Integration,
    provider: &Provider,
    given: &Map<String, Value>,
) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for (key, value) in given {
        let wrong = |what: &str| Error::invalid("connector_parameters", format!("{key}: {what}"));
        if !integration.config.connector_parameters.contains(key) {
            return Err(wrong("is not taken by this integration"));
        }
        let input = provider.inputs.iter().find(|input| input.key == *key);
        let text = match (value, input) {
            (Value::Null, _) => continue,
            (Value::String(text), _) => text.trim().to_owned(),
            (Value::Array(scopes), None) => {
                let words: Option<Vec<_>> = scopes.iter().map(Value::as_str).collect();
                words.ok_or_else(|| wrong("must be text"))?.join(" ")
            }
            _ => return Err(wrong("must be text")),
        };
        if text.is_empty() {
            continue;
        }
        let sound = match input {
            Some(input) => pattern::admits(&input.pattern, &text),
            None => text.len() <= SCOPES_MAX && !text.chars().any(char::is_control),
        };
        if !sound {
            return Err(wrong("does not look as it must"));
        }
        values.insert(key.clone(), text);
    }
    Ok(values)
}

/// The scopes that a connection is to ask for: those that a page said, where the integration takes them from one; else
/// the integration's own.
pub(super) fn scopes(
    integration: &Integration,
    provider: &Provider,
    values: &BTreeMap<String, String>,
) -> Vec<String> {
    let listed = integration.config.connector_parameters.iter().any(|name| name == SCOPES);
    let input = provider.inputs.iter().any(|input| input.key == SCOPES);
    match values.get(SCOPES) {
        Some(said) if listed && !input => said.split_whitespace().map(str::to_owned).collect(),
        _ => integration.scopes.clone(),
    }
}

#[cfg(test)]
#[path = "parameters_tests.rs"]
mod tests;
