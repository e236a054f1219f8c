//! The rules for `[oauth2]` whose grant is a code that a person enters elsewhere (RFC 8628).
//!
//! Must never let a file say of a browser's way to the provider what nobody would read.

use super::rules::List;
use crate::{EndpointSource, Grant, OAuth2, Pkce, Provider, RefreshWith};

/// What only this grant has, and what it has not.
pub(super) fn check(provider: &Provider, list: &mut List) {
    let Some(oauth2) = provider.oauth2() else { return };
    let ends = &oauth2.endpoints;
    if oauth2.grant != Grant::DeviceCode {
        if ends.device_url.is_some() {
            list.error("oauth2.endpoints.device_url", "needs grant = \"device_code\"");
        }
        return;
    }
    if ends.source == EndpointSource::File && ends.authorize_url.is_some() {
        list.error("oauth2.endpoints.authorize_url", "can't stand here: no browser is sent there");
    }
    if oauth2.pkce != Pkce::Unsupported {
        list.error("oauth2.pkce", "can't stand here: no code comes back by a browser");
    }
    if !oauth2.callback.save.is_empty() || oauth2.callback.iss_required {
        list.error("oauth2.callback", "can't stand here: nothing comes back by a browser");
    }
    if oauth2.token.resend_state {
        list.error("oauth2.token.resend_state", "can't stand here: there is no state");
    }
    if oauth2.refresh.with == RefreshWith::Client {
        list.error("oauth2.refresh.with", "can't be `client`: a person has to enter a code again");
    }
    browser(oauth2, list);
}

/// What is said of an address that no browser is sent to.
fn browser(oauth2: &OAuth2, list: &mut List) {
    let asked = &oauth2.authorize;
    for (key, is_there) in [
        ("authorize.param_names", !asked.param_names.is_empty()),
        ("authorize.omit", !asked.omit.is_empty()),
        ("authorize.raw", !asked.raw.is_empty()),
        ("authorize.nonce_param", asked.nonce_param.is_some()),
        ("scopes.grown_params", !oauth2.scopes.grown_params.is_empty()),
    ] {
        if is_there {
            list.error(format!("oauth2.{key}"), "can't stand here: no browser is sent to the provider");
        }
    }
}

#[cfg(test)]
mod tests;
