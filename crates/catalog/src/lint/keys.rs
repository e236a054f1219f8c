//! The rules for credentials that are typed in: `[api_key]`, `[basic]`, `[bearer]`.
//!
//! Must never ask for what only OAuth has; its rules are in [`super::rules`].

use super::rules::{List, is_https};
use crate::{Auth, IdentitySource, KeyField, KeyKind, Keys, Provider, pattern, template};

/// The category of providers that an integration makes whole: no API of their own, no page about it.
const GENERIC: &str = "generic";

/// Whether a provider with typed-in credentials leaves it to the integration where its API is.
pub(super) fn is_generic(provider: &Provider) -> bool {
    provider.keys().is_some() && provider.category.as_deref() == Some(GENERIC)
}

/// Whether a template can't have this reserved name, for there is no such thing with a typed-in credential. A user
/// name with its password is nothing to put anywhere but into the Base64 of `[api.place]`.
pub(super) fn has_not(provider: &Provider, name: &str) -> bool {
    let of_token = matches!(name, "token" | "access_token");
    match &provider.auth {
        Auth::OAuth2(_) => false,
        Auth::Keys(keys) if of_token => keys.kind == KeyKind::Basic,
        Auth::OAuth1(_) => template::RESERVED.contains(&name) && name != "client_id",
        Auth::WorkspaceToken(_) if of_token => false,
        Auth::Keys(_) | Auth::WorkspaceToken(_) => template::RESERVED.contains(&name),
    }
}

/// What is asked for, how calls carry it, and what needs OAuth.
pub(super) fn check(provider: &Provider, list: &mut List) {
    let Some(keys) = provider.keys() else { return };
    for one in &keys.fields {
        field(keys.kind, one, list);
    }
    place(provider, keys, list);
    if provider.identity.as_ref().is_some_and(|identity| identity.source != IdentitySource::Call) {
        list.error("identity.source", "must be `call`: nothing else tells it for a typed-in credential");
    }
    if provider.api.base_url.is_none() && !is_generic(provider) {
        list.warn("api.base_url", "is missing: every integration has to set its own");
    }
}

fn field(kind: KeyKind, field: &KeyField, list: &mut List) {
    let at = |name: &str| match (kind, field.key.as_str()) {
        (KeyKind::ApiKey, _) => format!("{}.key.{name}", kind.table()),
        (KeyKind::Client, key) => format!("oauth2.labels.{key}.{name}"),
        (_, key) => format!("{}.{key}.{name}", kind.table()),
    };
    let label = &field.label;
    for (name, text) in
        [("title", &label.title), ("description", &label.description), ("placeholder", &label.placeholder)]
    {
        let Some(text) = text else { continue };
        if text.trim().is_empty() {
            list.error(at(name), "must not be empty");
        }
        if !template::names(text).is_empty() {
            list.error(at(name), "is shown as it is: it can't hold placeholders");
        }
    }
    if let Some(problem) = label.pattern.as_deref().and_then(pattern::problem) {
        list.error(at("pattern"), problem);
    }
    if label.help.as_deref().is_some_and(|help| !is_https(help)) {
        list.error(at("help"), "must be an https URL");
    }
    if label.optional && field.key != "password" && kind != KeyKind::Fields {
        list.error(at("optional"), "only a password can be left empty");
    }
}

fn place(provider: &Provider, keys: &Keys, list: &mut List) {
    let place = &provider.api.place;
    if let Some(param) = &place.query {
        if keys.kind == KeyKind::Basic {
            list.error("api.place.query", "a user name and a password go into a header");
        }
        if param.is_empty() || param.chars().any(char::is_control) {
            list.error("api.place.query", "is not a parameter's name");
        }
        if keys.kind != KeyKind::Basic && place.base64.is_some() {
            list.error("api.place.base64", "is for a header only");
        }
    }
}

#[cfg(test)]
mod tests;
