//! The rules for `[oauth2]` whose grant needs no browser: the client's own credentials (RFC 6749 §4.4), an assertion
//! (RFC 7523 §2.1).
//!
//! Must never let a client be asked of those who connect where a browser brings a code: the code would be theirs who
//! know the client.

use super::rules::List;
use crate::{ClientAuth, ClientSource, EndpointSource, Grant, IdentitySource, OAuth2, Pkce, RefreshWith};

/// What only one of the two grants has.
pub(super) fn check(oauth2: &OAuth2, list: &mut List) {
    if oauth2.client == ClientSource::Connection && oauth2.grant != Grant::ClientCredentials {
        list.error("oauth2.client", "needs grant = \"client_credentials\"");
    }
    if !matches!(oauth2.grant, Grant::ClientCredentials | Grant::JwtBearer) {
        return;
    }
    let ends = &oauth2.endpoints;
    if ends.source == EndpointSource::File && ends.authorize_url.is_some() {
        list.error("oauth2.endpoints.authorize_url", "can't stand here: no browser goes anywhere");
    }
    if oauth2.pkce != Pkce::Unsupported {
        list.error("oauth2.pkce", "can't stand here: there is no code to protect");
    }
    if oauth2.client_auth == ClientAuth::None && oauth2.grant == Grant::ClientCredentials {
        list.error("oauth2.client_auth", "a client without a secret has nothing to show");
    }
    if oauth2.refresh.with != RefreshWith::Client {
        list.error("oauth2.refresh.with", "must be `client`: a token is fetched again");
    }
    if oauth2.upgrade.is_some() {
        list.error("oauth2.upgrade", "is not offered for this grant");
    }
    if !oauth2.callback.save.is_empty() || oauth2.callback.iss_required {
        list.error("oauth2.callback", "can't stand here: nothing comes back by a browser");
    }
    if oauth2.scopes.user_param.is_some() {
        list.error("oauth2.scopes.user_param", "can't stand here: there is no user");
    }
}

/// Whether an identity can be told where there is no user: a userinfo endpoint has nobody to speak of.
pub(super) fn tells(oauth2: &OAuth2, source: IdentitySource) -> bool {
    matches!(oauth2.grant, Grant::AuthorizationCode | Grant::DeviceCode) || source != IdentitySource::Userinfo
}

#[cfg(test)]
mod tests;
