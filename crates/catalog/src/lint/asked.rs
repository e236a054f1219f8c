//! The rules for what is asked of a provider: an authorization request that is pushed (RFC 9126), and what is asked for
//! when a connection that is there is authorized anew.

use super::{rules::List, templates::texts};
use crate::{EndpointSource, Grant, Grown, Provider};

/// What the request itself says, which nothing may say besides.
const OWN: &[&str] = &[
    "state",
    "scope",
    "client_id",
    "client_secret",
    "redirect_uri",
    "response_type",
    "code_verifier",
    "code_challenge",
    "code_challenge_method",
];

/// Both of them.
pub(super) fn check(provider: &Provider, list: &mut List) {
    let Some(oauth2) = provider.oauth2() else { return };
    let ends = &oauth2.endpoints;
    if oauth2.grant != Grant::AuthorizationCode && (oauth2.par || ends.par_url.is_some()) {
        list.error("oauth2.par", "needs grant = \"authorization_code\": no other request is pushed");
    } else if oauth2.par && ends.source == EndpointSource::File && ends.par_url.is_none() {
        list.error("oauth2.endpoints.par_url", "is missing");
    }
    let scopes = &oauth2.scopes;
    texts(provider, "oauth2.scopes.grown_params", &scopes.grown_params, list);
    for name in scopes.grown_params.keys().filter(|name| OWN.contains(&name.as_str())) {
        list.error(format!("oauth2.scopes.grown_params.{name}"), "can't be set by a file");
    }
    let asks = matches!(oauth2.grant, Grant::AuthorizationCode | Grant::DeviceCode);
    if !asks && (scopes.grown != Grown::default() || !scopes.grown_params.is_empty()) {
        list.error("oauth2.scopes.grown", "can't stand here: nobody is asked anew");
    }
}

#[cfg(test)]
mod tests;
