//! The rules for `[oauth2.assertion]`.
//!
//! Must never let a private key, or any other secret, into what an assertion says: it is signed, not sealed.

use super::{rules::List, templates::names};
use crate::{Assertion, Form, Grant, OAuth2, Provider, template};

/// The shortest and the longest life of an assertion, in seconds: the clocks of two servers differ, and whoever got hold
/// of one should not have it for long.
const LIFE: std::ops::RangeInclusive<u32> = 30..=3600;
/// Claims that are Claviger's to set (RFC 7519 §4.1).
const OURS: [&str; 8] = ["iss", "sub", "aud", "iat", "exp", "nbf", "jti", "scope"];

/// What an assertion says, there where one is shown and nowhere else.
pub(super) fn check(provider: &Provider, oauth2: &OAuth2, list: &mut List) {
    let Some(assertion) = &oauth2.assertion else {
        if oauth2.grant == Grant::JwtBearer {
            list.error("oauth2.assertion", "is missing: grant = \"jwt_bearer\" shows one");
        }
        return;
    };
    if oauth2.grant != Grant::JwtBearer {
        list.error("oauth2.assertion", "needs grant = \"jwt_bearer\"");
    }
    if !LIFE.contains(&assertion.lifetime) {
        let message = format!("must be {} to {} seconds", LIFE.start(), LIFE.end());
        list.error("oauth2.assertion.lifetime", message);
    }
    key(provider, assertion, list);
    said(provider, assertion, list);
}

/// The key is one of the values that are typed in, on several lines, and a secret; or none is.
fn key(provider: &Provider, assertion: &Assertion, list: &mut List) {
    let Some(name) = &assertion.key else {
        if assertion.kid.is_some() {
            list.error("oauth2.assertion.kid", "can't stand here: our own keys have names of their own");
        }
        return;
    };
    match provider.typed_values().find(|value| value.name == name) {
        Some(value) if value.secret && !value.optional => {}
        Some(_) => {
            list.error("oauth2.assertion.key", format!("`{name}` must be a secret that can't be left empty"));
        }
        None => list.error("oauth2.assertion.key", format!("`{name}` is none of oauth2.fields")),
    }
    let fields = provider.keys().into_iter().flat_map(|keys| &keys.fields);
    if fields.into_iter().any(|field| field.key == *name && field.label.form == Form::Text) {
        list.error(format!("oauth2.fields.{name}.form"), "must be `multiline`: a key has several lines");
    }
}

/// The texts of an assertion.
fn said(provider: &Provider, assertion: &Assertion, list: &mut List) {
    let one = |at: &str, text: &str, list: &mut List| {
        let at = format!("oauth2.assertion.{at}");
        names(provider, &at, text, list);
        for name in template::names(text) {
            let secret = provider.typed_values().any(|value| value.secret && value.name == name);
            if secret || (template::RESERVED.contains(&name) && name != "client_id") {
                list.error(&at, format!("`{{{name}}}` is a secret: it can't stand in an assertion"));
            }
        }
    };
    one("issuer", &assertion.issuer, list);
    one("subject", &assertion.subject, list);
    if let Some(kid) = &assertion.kid {
        one("kid", kid, list);
    }
    if assertion.issuer.is_empty() {
        list.error("oauth2.assertion.issuer", "must not be empty");
    }
    for (claim, text) in &assertion.claims {
        one(&format!("claims.{claim}"), text, list);
        if OURS.contains(&claim.as_str()) {
            list.error(format!("oauth2.assertion.claims.{claim}"), "is set by Claviger itself");
        }
    }
}

#[cfg(test)]
mod tests;
