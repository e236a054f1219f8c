//! The authorization request: where the browser is sent (RFC 6749 §4.1.1, RFC 7636 §4.3).
//!
//! Must never carry a secret other than the state, nor a PKCE method other than S256.

use std::collections::BTreeMap;

use claviger_catalog::{Grown, OAuth2, Pkce, template};

use crate::{ProtocolError, build, form, oauth2::pkce, secret::Secret};

/// What an authorization URL is made of.
pub struct Request<'a> {
    /// The authorization endpoint; its own query is kept.
    pub authorize_url: &'a str,
    /// The client's id.
    pub client_id: &'a str,
    /// Where the provider sends the browser back to.
    pub redirect_uri: &'a str,
    /// The state (RFC 6749 §10.12).
    pub state: &'a Secret,
    /// Scopes of the integration; none means the provider file's.
    pub scopes: &'a [String],
    /// The PKCE challenge; needed unless the provider file says that PKCE is unsupported.
    pub challenge: Option<&'a str>,
    /// The integration's own parameters; they win over the file's and can't be the protocol's.
    pub extra: &'a BTreeMap<String, String>,
    /// Whether a connection that is there is authorized anew: the file's `grown_params` go along.
    pub grown: bool,
}

/// Parameters that nobody but this module sets.
const OWN: &[&str] = &[
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
];

/// The scopes that are asked for: the integration's, or the file's defaults, and those always asked for.
pub fn scopes(oauth2: &OAuth2, wanted: &[String]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let chosen = if wanted.is_empty() { &oauth2.scopes.default } else { wanted };
    for scope in chosen.iter().chain(&oauth2.scopes.always).filter(|scope| !scope.is_empty()) {
        if !out.contains(scope) {
            out.push(scope.clone());
        }
    }
    out
}

/// The scopes of an authorization anew: those that a new connection asks for, and those that were `granted`, as far as
/// they were `asked` for before: a provider grants some under names that it does not take.
pub fn grown(oauth2: &OAuth2, wanted: &[String], asked: &[String], granted: &[String]) -> Vec<String> {
    let mut out = wanted.to_vec();
    if oauth2.scopes.grown == Grown::Union {
        for scope in granted.iter().filter(|scope| asked.contains(scope)) {
            if !out.contains(scope) {
                out.push(scope.clone());
            }
        }
    }
    out
}

/// The URL to send the browser to.
///
/// # Errors
/// When the endpoint is not a usable URL, the challenge is missing, or an extra parameter is the protocol's.
pub fn url(oauth2: &OAuth2, req: &Request<'_>) -> Result<String, ProtocolError> {
    check_url(req.authorize_url)?;
    let fields = fields(oauth2, req)?;
    Ok(form::append(req.authorize_url, &form::write(&fields, &oauth2.authorize.raw)))
}

/// Whether a browser can be sent there.
pub(super) fn check_url(authorize_url: &str) -> Result<(), ProtocolError> {
    if !template::is_plain_url(authorize_url) || authorize_url.contains(['{', '}']) {
        return Err(ProtocolError::Url("authorization endpoint"));
    }
    Ok(())
}

/// The parameters of the request, by the names that are sent.
pub(super) fn fields(oauth2: &OAuth2, req: &Request<'_>) -> Result<Vec<(String, String)>, ProtocolError> {
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: &str| {
        if !oauth2.authorize.omit.iter().any(|omitted| omitted == name) {
            let sent = oauth2.authorize.param_names.get(name).map_or(name, String::as_str);
            fields.push((sent.to_owned(), value.to_owned()));
        }
    };
    add("response_type", "code");
    add("client_id", req.client_id);
    add("redirect_uri", req.redirect_uri);
    for (name, value) in scope_fields(oauth2, req.scopes) {
        add(&name, &value);
    }
    add("state", req.state.expose());
    if oauth2.pkce == Pkce::S256 {
        let challenge = req.challenge.filter(|challenge| !challenge.is_empty());
        add(
            "code_challenge",
            challenge.ok_or_else(|| ProtocolError::Missing("the PKCE challenge".to_owned()))?,
        );
        add("code_challenge_method", "S256");
    }
    if let Some(param) = &oauth2.authorize.nonce_param {
        add(param, &nonce(req.state));
    }
    let mut more = further(oauth2, req.client_id, req.extra)?;
    let known = [("client_id", Some(req.client_id))];
    for (name, value) in oauth2.scopes.grown_params.iter().filter(|_| req.grown) {
        if !more.iter().any(|(other, _)| other == name) {
            more.push((name.clone(), build::fill(value, &known)?));
        }
    }
    fields.append(&mut more);
    Ok(fields)
}

/// What an ID token has to repeat (OpenID Connect Core §3.1.2.1): as hard to guess as the state, which it hangs on.
pub fn nonce(state: &Secret) -> String {
    pkce::sha256(&format!("nonce.{}", state.expose()))
}

/// The file's further parameters and the integration's own, which win over them.
pub(super) fn further(
    oauth2: &OAuth2,
    client_id: &str,
    extra: &BTreeMap<String, String>,
) -> Result<Vec<(String, String)>, ProtocolError> {
    let known = [("client_id", Some(client_id))];
    let mut fields = Vec::new();
    for (name, value) in &oauth2.authorize.params {
        if !extra.contains_key(name) {
            fields.push((name.clone(), build::fill(value, &known)?));
        }
    }
    for (name, value) in extra {
        let renamed = |own: &str| oauth2.authorize.param_names.get(own).is_some_and(|sent| sent == name);
        if OWN.iter().any(|own| own == name || renamed(own)) {
            return Err(ProtocolError::Forbidden(name.clone()));
        }
        fields.push((name.clone(), value.clone()));
    }
    Ok(fields)
}

/// The scope parameter, and that for scopes of the user where the provider keeps them apart.
pub(super) fn scope_fields(oauth2: &OAuth2, wanted: &[String]) -> Vec<(String, String)> {
    let (scope, user_scope) = written_scopes(oauth2, wanted);
    let user = oauth2.scopes.user_param.clone().map(|param| (param, user_scope));
    [("scope".to_owned(), scope)].into_iter().chain(user).collect()
}

/// The values of the scope parameter and of the user-scope parameter.
fn written_scopes(oauth2: &OAuth2, wanted: &[String]) -> (String, String) {
    let of_user =
        |scope: &String| oauth2.scopes.user_param.is_some() && scope.starts_with(&oauth2.scopes.user_prefix);
    let (user, app): (Vec<String>, Vec<String>) = scopes(oauth2, wanted).into_iter().partition(of_user);
    let user: Vec<&str> = user.iter().map(|scope| &scope[oauth2.scopes.user_prefix.len()..]).collect();
    (app.join(&oauth2.scopes.separator), user.join(&oauth2.scopes.separator))
}

#[cfg(test)]
mod tests;
