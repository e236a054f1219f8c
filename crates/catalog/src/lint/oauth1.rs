//! The rules for `[oauth1]`.
//!
//! As for OAuth 2: endpoints are https and their hosts guarded by patterns. Must never let a file set a parameter of
//! the protocol's own.

use super::{
    rules::List,
    templates::{names, texts, url},
};
use crate::{EndpointSource, IdentitySource, Method, OAuth1, Provider};

/// Endpoints, parameters, and what the token can't do.
pub(super) fn check(provider: &Provider, list: &mut List) {
    let Some(oauth1) = provider.oauth1() else { return };
    endpoints(provider, oauth1, list);
    for (key, map) in
        [("oauth1.params", &oauth1.params), ("oauth1.authorize_params", &oauth1.authorize_params)]
    {
        texts(provider, key, map, list);
        for name in map.keys().filter(|name| name.starts_with("oauth_")) {
            list.error(format!("{key}.{name}"), "can't be set by a file");
        }
    }
    if let Some(realm) = &oauth1.realm {
        names(provider, "oauth1.realm", realm, list);
        if realm.chars().any(|c| c.is_control() || c == '"' || c == '\\') {
            list.error("oauth1.realm", "must not hold quotes, backslashes or control characters");
        }
    }
    if !matches!(oauth1.method, Method::Post | Method::Get) {
        list.error("oauth1.method", "must be POST or GET");
    }
    let source = provider.identity.as_ref().map(|identity| identity.source);
    if matches!(source, Some(IdentitySource::Userinfo | IdentitySource::IdToken)) {
        list.error("identity.source", "must be `call` or `saved`: nothing else tells it for OAuth 1");
    }
    if !provider.api.place.is_nowhere() {
        list.error("api.place", "can't stand here: each call is signed");
    }
}

fn endpoints(provider: &Provider, oauth1: &OAuth1, list: &mut List) {
    let ends = &oauth1.endpoints;
    if ends.source == EndpointSource::Issuer {
        list.error("oauth1.endpoints.source", "must be `file` or `integration`: OAuth 1 has no issuers");
    }
    for (key, address) in [
        ("request_token_url", &ends.request_token_url),
        ("authorize_url", &ends.authorize_url),
        ("access_token_url", &ends.access_token_url),
    ] {
        let full = format!("oauth1.endpoints.{key}");
        match address {
            Some(_) if ends.source != EndpointSource::File => {
                list.error(full, "can't stand here: the source is not `file`");
            }
            Some(address) => {
                if address.contains('#') {
                    list.error(&full, "must not have a fragment");
                }
                url(provider, &full, address, list);
            }
            None if ends.source == EndpointSource::File => list.error(full, "is missing"),
            None => {}
        }
    }
    if provider.api.base_url.is_none() && ends.source == EndpointSource::File {
        list.warn("api.base_url", "is missing: every integration has to set its own");
    }
}

#[cfg(test)]
mod tests;
