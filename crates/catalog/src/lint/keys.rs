//! The rules for credentials that are typed in, `[api_key]`, `[basic]`, `[bearer]` and `[fields]`, for tokens of
//! Claviger's own, and for where calls carry a credential.
//!
//! Must never ask for what only OAuth has; its rules are in [`super::rules`] and [`super::oauth1`].

use super::{
    certificate, form, grant,
    rules::List,
    templates::{is_header, is_https},
};
use crate::{Api, Auth, IdentitySource, KeyField, KeyKind, Keys, Provider, TypedValue, pattern, template};

/// The category of providers that an integration makes whole: no API of their own, no page about it.
const GENERIC: &str = "generic";

/// The longest life of a token of Claviger's own, in seconds: nothing can take it back before its end.
const LONGEST_LIFE: u32 = 86_400;

/// Whether a provider without a consent leaves it to the integration where its API is.
pub(super) fn is_generic(provider: &Provider) -> bool {
    matches!(provider.auth, Auth::Keys(_) | Auth::WorkspaceToken(_))
        && provider.category.as_deref() == Some(GENERIC)
}

/// What is typed in under this name of the file's own.
pub(super) fn typed<'a>(provider: &'a Provider, name: &str) -> Option<TypedValue<'a>> {
    provider.typed_values().find(|value| value.name == name)
}

/// Whether this is the name of a secret of the file's own naming.
pub(super) fn is_secret(provider: &Provider, name: &str) -> bool {
    provider.secret_names().any(|secret| secret == name)
}

/// Whether a template can't have this reserved name, for there is no such thing with a credential of this kind. A
/// user name with its password is nothing to put anywhere but into the Base64 of `[api.place]`.
pub(super) fn has_not(provider: &Provider, name: &str) -> bool {
    let of_token = matches!(name, "token" | "access_token");
    match &provider.auth {
        Auth::OAuth2(_) => false,
        Auth::Keys(keys) if of_token => keys.kind == KeyKind::Basic,
        Auth::OAuth1(_) => template::RESERVED.contains(&name) && name != "client_id",
        Auth::WorkspaceToken(_) | Auth::Steps(_) if of_token => false,
        Auth::Keys(_) | Auth::SigV4(_) | Auth::Steps(_) | Auth::WorkspaceToken(_) => {
            template::RESERVED.contains(&name)
        }
    }
}

/// What is asked for, and what needs OAuth.
pub(super) fn check(provider: &Provider, list: &mut List) {
    let source = provider.identity.as_ref().map(|identity| identity.source);
    if let Some(keys) = provider.keys() {
        for one in &keys.fields {
            label(keys.kind, one, list);
            form::field(keys.kind, one, list);
        }
    }
    match &provider.auth {
        Auth::OAuth1(_) => return,
        Auth::OAuth2(oauth2) => {
            if source.is_some_and(|source| !grant::tells(oauth2, source)) {
                list.error("identity.source", "must be `call`, `id_token` or `saved`: there is no user");
            }
            return;
        }
        Auth::Keys(keys) if keys.kind == KeyKind::Fields => fields(provider, keys, list),
        Auth::Keys(_) | Auth::SigV4(_) | Auth::Steps(_) => {}
        Auth::WorkspaceToken(table) => {
            if !(60..=LONGEST_LIFE).contains(&table.lifetime) {
                let message = format!("must be 60 to {LONGEST_LIFE} seconds");
                list.error("workspace_token.lifetime", message);
            }
            if !carried(&provider.api).any(|text| text.contains("{token}")) {
                list.error("api.headers", "must hold {token}: no call carries it");
            }
        }
    }
    let along = source == Some(IdentitySource::Saved) && provider.steps().is_some();
    if source.is_some_and(|source| source != IdentitySource::Call) && !along {
        list.error("identity.source", "must be `call`: nothing else tells it for a credential of this kind");
    }
    if provider.api.base_url.is_none() && !is_generic(provider) {
        list.warn("api.base_url", "is missing: every integration has to set its own");
    }
}

/// Several fields: one of them is a secret that must be typed, and calls carry each.
fn fields(provider: &Provider, keys: &Keys, list: &mut List) {
    let mut secret = keys.values().filter(|value| value.secret).peekable();
    match secret.peek() {
        None => list.error("fields", "must have one that is secret"),
        Some(first) if first.optional => {
            list.error(format!("fields.{}.optional", first.name), "the first secret can't be left empty");
        }
        Some(_) => {}
    }
    let first = secret.peek().map(|value| value.name);
    let api = &provider.api;
    // A certificate and its key are shown by TLS.
    for value in secret.filter(|value| !certificate::has(provider, value.name)) {
        let name = format!("{{{}}}", value.name);
        let placed = api.place.query.is_some() || carried(api).any(|text| text.contains("{token}"));
        let alias = placed && first == Some(value.name);
        if !alias && !carried(api).any(|text| text.contains(&name)) {
            list.error(format!("fields.{}", value.name), "no call carries it");
        }
    }
}

/// The texts that calls carry.
pub(super) fn carried(api: &Api) -> impl Iterator<Item = &String> {
    let place = [Some(&api.place.format), api.place.base64.as_ref()].into_iter().flatten();
    place.chain(api.headers.values()).chain(api.query.values())
}

/// Where in a file a field stands.
pub(super) fn place_of(kind: KeyKind, field: &KeyField) -> String {
    match (kind, field.key.as_str()) {
        (KeyKind::ApiKey, _) => format!("{}.key", kind.table()),
        (KeyKind::Client, key) => format!("oauth2.labels.{key}"),
        (KeyKind::Grant | KeyKind::Steps, key) => format!("{}.fields.{key}", kind.table()),
        (_, key) => format!("{}.{key}", kind.table()),
    }
}

fn label(kind: KeyKind, field: &KeyField, list: &mut List) {
    let at = |name: &str| format!("{}.{name}", place_of(kind, field));
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
    if label.optional && !matches!(field.key.as_str(), "password" | "session_token") && !kind.is_named() {
        list.error(at("optional"), "only a password or a field can be left empty");
    }
}

/// Where calls carry the credential, whatever its kind.
pub(super) fn place(provider: &Provider, list: &mut List) {
    let place = &provider.api.place;
    if place.is_nowhere() && may_be_nowhere(provider) {
        return;
    }
    let kind = if let Auth::Keys(keys) = &provider.auth { Some(keys.kind) } else { None };
    let own = provider.typed_values().map(|value| value.name).chain(provider.secret_names());
    let names: Vec<String> = own.map(|name| format!("{{{name}}}")).collect();
    let holds = |text: &str| text.contains("{token}") || names.iter().any(|name| text.contains(name));
    if !holds(&place.format) {
        list.error("api.place.format", "must hold {token}");
    }
    if place.base64.as_ref().is_some_and(|text| !holds(text)) {
        list.error("api.place.base64", "must hold {token}");
    }
    if place.base64.is_some() && !place.format.contains("{token}") {
        list.error("api.place.format", "must hold {token}, which the Base64 stands for");
    }
    for (key, text) in [("format", Some(&place.format)), ("base64", place.base64.as_ref())] {
        for name in text.into_iter().flat_map(|text| template::names(text)) {
            let own = typed(provider, name).is_some() || is_secret(provider, name);
            if name != "token" && name != "access_token" && !own {
                list.error(format!("api.place.{key}"), format!("there is no `{{{name}}}` here"));
            }
        }
    }
    if !is_header(&place.header) {
        list.error("api.place.header", "is not a header name");
    }
    let Some(param) = &place.query else { return };
    if kind == Some(KeyKind::Basic) {
        list.error("api.place.query", "a user name and a password go into a header");
    }
    if param.is_empty() || param.chars().any(char::is_control) {
        list.error("api.place.query", "is not a parameter's name");
    }
    if kind.is_some() && kind != Some(KeyKind::Basic) && place.base64.is_some() {
        list.error("api.place.base64", "is for a header only");
    }
}

/// Whether something else than the place may carry the credential.
fn may_be_nowhere(provider: &Provider) -> bool {
    match &provider.auth {
        Auth::OAuth1(_) | Auth::SigV4(_) | Auth::WorkspaceToken(_) => true,
        Auth::Steps(_) => carried(&provider.api).any(|text| text.contains("{token}")),
        Auth::Keys(keys) => keys.kind == KeyKind::Fields,
        Auth::OAuth2(_) => false,
    }
}

#[cfg(test)]
mod tests;
