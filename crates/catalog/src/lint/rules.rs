//! The rules behind [`super::check`], a function per part of a file.

use std::collections::BTreeMap;

use super::{
    Finding, Severity, assertion, form, grant, keys,
    templates::{in_url, is_https, texts, url},
};
use crate::{
    BodyFormat, Call, EndpointSource, Grant, IdentitySource, Method, OAuth2, Pkce, Provider, RefreshWith,
    RevokeAuth, Steps, pattern,
    template::{self, RESERVED},
};

/// Findings as they come up.
pub(super) struct List {
    file: String,
    pub(super) findings: Vec<Finding>,
}

impl List {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), findings: Vec::new() }
    }

    fn push(&mut self, severity: Severity, key: impl Into<String>, message: impl Into<String>) {
        let file = self.file.clone();
        self.findings.push(Finding { file, key: key.into(), severity, message: message.into() });
    }

    pub(super) fn error(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.push(Severity::Error, key, message);
    }

    pub(super) fn warn(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.push(Severity::Warning, key, message);
    }
}

/// Key, name, the file's name.
pub(super) fn head(provider: &Provider, list: &mut List) {
    let key = &provider.key;
    let sound = key.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && key.len() <= 64
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !sound {
        list.error("key", "must be lower-case letters, digits and hyphens");
    }
    if list.file != format!("{key}.toml") {
        list.error("key", format!("the file must be called `{key}.toml`"));
    }
    if provider.name.trim().is_empty() {
        list.error("name", "must not be empty");
    }
    let needs_docs = provider.endpoint_source() == EndpointSource::File && !keys::is_generic(provider);
    match &provider.docs {
        Some(docs) if !is_https(docs) => list.error("docs", "must be an https URL"),
        None if needs_docs => {
            list.warn("docs", "should name the provider's own page, so that the facts can be checked");
        }
        _ => {}
    }
}

/// Inputs and saved values: names, patterns, defaults.
pub(super) fn values(provider: &Provider, list: &mut List) {
    let mut seen: BTreeMap<String, ()> = BTreeMap::new();
    let mut check =
        |key: String, name: &str, pattern: Option<&str>, default: Option<&str>, list: &mut List| {
            if !template::is_name(name) {
                list.error(&key, "a name must be lower-case letters, digits and underscores");
            }
            if RESERVED.contains(&name) {
                list.error(&key, format!("the name `{name}` is reserved"));
            }
            if seen.insert(name.to_owned(), ()).is_some() {
                list.error(&key, format!("the name `{name}` is used twice"));
            }
            if let Some(pattern) = pattern {
                if let Some(problem) = pattern::problem(pattern) {
                    list.error(format!("{key}.pattern"), problem);
                } else if default.is_some_and(|default| !pattern::admits(pattern, default)) {
                    list.error(format!("{key}.default"), "the pattern does not admit it");
                } else if let Some(bad) = HOSTILE.iter().find(|bad| pattern::admits(pattern, bad)) {
                    list.warn(format!("{key}.pattern"), format!("admits {bad:?}"));
                }
            }
        };
    for (i, input) in provider.inputs.iter().enumerate() {
        check(format!("inputs[{i}]"), &input.key, Some(&input.pattern), input.default.as_deref(), list);
        if input.title.trim().is_empty() {
            list.error(format!("inputs[{i}].title"), "must not be empty");
        }
        form::input(i, input, list);
    }
    for (name, saved) in provider.oauth2().into_iter().flat_map(|oauth2| &oauth2.callback.save) {
        let key = format!("oauth2.callback.save.{name}");
        check(key, name, Some(&saved.pattern), saved.default.as_deref(), list);
    }
    for (name, saved) in provider.oauth2().into_iter().flat_map(|oauth2| &oauth2.answer.save) {
        let key = format!("oauth2.answer.save.{name}");
        check(key, name, saved.pattern.as_deref(), saved.default.as_deref(), list);
    }
    for (name, saved) in provider.oauth1().into_iter().flat_map(|oauth1| &oauth1.save) {
        let key = format!("oauth1.save.{name}");
        check(key, name, saved.pattern.as_deref(), saved.default.as_deref(), list);
    }
    for value in provider.typed_values() {
        // Only what is no secret can come into a URL; patterns of all are looked at by `keys`.
        check(format!("fields.{}", value.name), value.name, None, None, list);
    }
    for (name, saved) in provider.steps().into_iter().flat_map(Steps::saved) {
        check(format!("steps.request.save.{name}"), name, saved.pattern.as_deref(), None, list);
    }
    for (name, saved) in provider.steps().into_iter().flat_map(|steps| &steps.answer.save) {
        let key = format!("steps.answer.save.{name}");
        check(key, name, saved.pattern.as_deref(), saved.default.as_deref(), list);
    }
    for (name, saved) in provider.identity.iter().flat_map(|identity| &identity.save) {
        check(
            format!("identity.save.{name}"),
            name,
            saved.pattern.as_deref(),
            saved.default.as_deref(),
            list,
        );
    }
}

/// What no pattern for a host name, a region or an id should admit.
const HOSTILE: &[&str] =
    &["user@evil", "evil/", "a\nb", "a b", "a\\b", "a#b", "a?b", "a:b@c", "\u{430}", "a%2fb"];

/// Endpoints, scopes, the token endpoint's tables.
pub(super) fn oauth2(provider: &Provider, list: &mut List) {
    let Some(oauth2) = provider.oauth2() else { return };
    endpoints(provider, oauth2, list);
    grant::check(oauth2, list);
    assertion::check(provider, oauth2, list);
    let separator = &oauth2.scopes.separator;
    if separator.is_empty() || separator.len() > 3 || separator.chars().any(char::is_alphanumeric) {
        list.error("oauth2.scopes.separator", "must be one to three characters that no scope holds");
    }
    for (key, scopes) in [("default", &oauth2.scopes.default), ("always", &oauth2.scopes.always)] {
        for scope in scopes {
            if scope.is_empty() || scope.contains(separator.as_str()) || scope.chars().any(char::is_control) {
                let message = format!("`{}` holds the separator, or nothing", scope.escape_debug());
                list.error(format!("oauth2.scopes.{key}"), message);
            }
        }
    }
    for (key, map) in [
        ("oauth2.authorize.params", &oauth2.authorize.params),
        ("oauth2.token.params", &oauth2.token.params),
        ("oauth2.token.headers", &oauth2.token.headers),
        ("oauth2.refresh.params", &oauth2.refresh.params),
    ] {
        texts(provider, key, map, list);
    }
    if oauth2.authorize.omit.iter().any(|omitted| omitted == "state") {
        list.error("oauth2.authorize.omit", "the state can't be left out");
    }
    for name in ["state", "client_secret", "code_verifier", "code_challenge", "code_challenge_method"] {
        if oauth2.authorize.params.contains_key(name) {
            list.error(format!("oauth2.authorize.params.{name}"), "can't be set by a file");
        }
    }
    let codes = oauth2.grant == Grant::AuthorizationCode;
    if codes && oauth2.pkce == Pkce::Unsupported && oauth2.client_auth == crate::ClientAuth::None {
        list.warn("oauth2.pkce", "a public client without PKCE can't protect its codes");
    }
    if oauth2.refresh.url.is_some() {
        list.error("oauth2.refresh.url", "belongs in oauth2.endpoints.refresh_url");
    }
    if oauth2.refresh.extends_only && oauth2.refresh.with == RefreshWith::Client {
        list.error("oauth2.refresh.extends_only", "makes no sense with `with = \"client\"`");
    }
    if let Some(upgrade) = &oauth2.upgrade {
        texts(provider, "oauth2.upgrade.params", &upgrade.params, list);
        match &upgrade.url {
            Some(address) => url(provider, "oauth2.upgrade.url", address, list),
            None => list.error("oauth2.upgrade.url", "is missing"),
        }
        if upgrade.answer.is_some() {
            list.error("oauth2.upgrade.answer", "is not offered: it is read as oauth2.answer");
        }
    }
    if let Some(revoke) = &oauth2.revoke {
        url(provider, "oauth2.revoke.url", &revoke.url, list);
        texts(provider, "oauth2.revoke.params", &revoke.params, list);
        texts(provider, "oauth2.revoke.headers", &revoke.headers, list);
        let formed = revoke.params.is_empty() && revoke.client_auth == RevokeAuth::No;
        body("oauth2.revoke.body", revoke.body.as_ref(), (revoke.method, revoke.format), formed, list);
    }
    numbers(oauth2, list);
}

/// Parameters that a JSON body holds as numbers.
fn numbers(oauth2: &OAuth2, list: &mut List) {
    let key = "oauth2.token.numbers";
    let json = [Some(oauth2.token.format), oauth2.refresh.format].contains(&Some(BodyFormat::Json));
    if !oauth2.token.numbers.is_empty() && !json {
        list.error(key, "needs format = \"json\"");
    }
    for name in &oauth2.token.numbers {
        let given: Vec<&String> = [&oauth2.token.params, &oauth2.refresh.params]
            .iter()
            .filter_map(|params| params.get(name))
            .collect();
        if given.is_empty() {
            list.error(key, format!("`{name}` is not among the params"));
        } else if !given
            .iter()
            .all(|value| value.parse::<i64>().is_ok() || !template::names(value).is_empty())
        {
            list.error(key, format!("`{name}` is not a whole number"));
        }
    }
}

/// A body that is written out.
pub(super) fn body(
    key: &str,
    body: Option<&String>,
    how: (Method, BodyFormat),
    alone: bool,
    list: &mut List,
) {
    let Some(text) = body else { return };
    if how.0 == Method::Get || how.1 != BodyFormat::Json {
        list.error(key, "needs format = \"json\" and another method than GET");
    }
    if !alone {
        list.error(key, "can't stand beside parameters");
    }
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        list.error(key, "must be JSON in one line");
    }
}

fn endpoints(provider: &Provider, oauth2: &OAuth2, list: &mut List) {
    let ends = &oauth2.endpoints;
    for (key, address, needed) in [
        ("authorize_url", &ends.authorize_url, oauth2.grant == Grant::AuthorizationCode),
        ("token_url", &ends.token_url, true),
        ("refresh_url", &ends.refresh_url, false),
        ("revoke_url", &ends.revoke_url, false),
        ("introspect_url", &ends.introspect_url, false),
        ("userinfo_url", &ends.userinfo_url, false),
        ("device_url", &ends.device_url, oauth2.grant == Grant::DeviceCode),
        ("par_url", &ends.par_url, false),
        ("issuer", &ends.issuer, false),
    ] {
        let full = format!("oauth2.endpoints.{key}");
        match address {
            Some(_) if ends.source != EndpointSource::File => {
                list.error(full, "can't stand here: the source is not `file`");
            }
            Some(address) => {
                if key != "authorize_url" && address.contains('#') {
                    list.error(&full, "must not have a fragment");
                }
                url(provider, &full, address, list);
            }
            None if needed && ends.source == EndpointSource::File => list.error(full, "is missing"),
            None => {}
        }
    }
    let shows_refresh_tokens = matches!(oauth2.grant, Grant::AuthorizationCode | Grant::DeviceCode)
        && oauth2.refresh.with == RefreshWith::RefreshToken;
    if ends.introspect_url.is_some() && !shows_refresh_tokens {
        let why = "has no use: nothing is refreshed with a refresh token, and nothing else is asked of";
        list.error("oauth2.endpoints.introspect_url", why);
    }
    if oauth2.callback.iss_required && ends.source == EndpointSource::File && ends.issuer.is_none() {
        list.error("oauth2.callback.iss_required", "needs oauth2.endpoints.issuer to compare with");
    }
    if provider.api.base_url.is_none() && ends.source == EndpointSource::File {
        list.warn("api.base_url", "is missing: every integration has to set its own");
    }
}

/// API, identity, verification.
pub(super) fn api(provider: &Provider, list: &mut List) {
    if let Some(base) = &provider.api.base_url {
        if base.contains(['?', '#']) {
            list.error("api.base_url", "must not have a query or a fragment");
        }
        url(provider, "api.base_url", base, list);
    }
    for host in &provider.api.allowed_hosts {
        if host.contains(['/', ':', '@', '*', ' ']) {
            list.error("api.allowed_hosts", format!("`{host}` is not a host name"));
        } else {
            url(provider, "api.allowed_hosts", &format!("https://{host}/"), list);
        }
    }
    texts(provider, "api.headers", &provider.api.headers, list);
    texts(provider, "api.query", &provider.api.query, list);
    keys::place(provider, list);
    if let Some(identity) = &provider.identity {
        match (&identity.call, identity.source) {
            (Some(one), IdentitySource::Call) => call(provider, "identity.call", one, list),
            (None, IdentitySource::Call) => list.error("identity.call", "is missing"),
            (Some(_), _) => list.error("identity.call", "needs source = \"call\""),
            (None, _) => {}
        }
    }
    if let Some(verify) = &provider.verify {
        if verify.calls.is_empty() {
            list.error("verify.calls", "must not be empty");
        }
        for (i, one) in verify.calls.iter().enumerate() {
            call(provider, &format!("verify.calls[{i}]"), one, list);
        }
    }
    for status in provider.verify.iter().flat_map(|verify| &verify.refused) {
        if !(400..500).contains(status) || *status == 429 {
            list.error("verify.refused", format!("{status} does not refuse a credential"));
        }
    }
    for status in provider.rate_limit.iter().flat_map(|limit| &limit.statuses) {
        if !(400..600).contains(status) {
            list.error("rate_limit.statuses", format!("{status} is not an error status"));
        }
    }
}

fn call(provider: &Provider, key: &str, call: &Call, list: &mut List) {
    if call.url.starts_with('/') {
        in_url(provider, &format!("{key}.url"), &call.url, list);
    } else {
        url(provider, &format!("{key}.url"), &call.url, list);
    }
    texts(provider, &format!("{key}.params"), &call.params, list);
    texts(provider, &format!("{key}.headers"), &call.headers, list);
    let how = (call.method, call.format);
    body(&format!("{key}.body"), call.body.as_ref(), how, call.params.is_empty(), list);
    early(provider, key, call, list);
}

/// What only the identity tells is not there yet when it is asked for, nor when a token is verified.
fn early(provider: &Provider, key: &str, call: &Call, list: &mut List) {
    let base = provider.api.base_url.iter().filter(|_| call.url.starts_with('/'));
    let texts = base.chain([&call.url]).chain(call.params.values()).chain(call.headers.values());
    for name in texts.flat_map(|text| template::names(text)) {
        let saved = provider.identity.iter().find_map(|identity| identity.save.get(name));
        if saved.is_some_and(|saved| saved.default.is_none()) {
            list.error(format!("{key}.url"), format!("needs `{{{name}}}`, which only the identity tells"));
        }
    }
}
