//! Comparing what a table says with what was made, and saying where they differ.

use std::{collections::BTreeMap, fmt::Debug};

use bytes::Bytes;
use claviger_protocol::{
    oauth2::{TokenError, TokenErrorKind, Tokens},
    secret::Secret,
};
use http::Request;

use crate::{
    table,
    walk::{NOW, Texts},
};

/// Differences as they come up.
#[derive(Default)]
pub(crate) struct Differences(pub Vec<String>);

impl Differences {
    /// A fault that is no difference between two values.
    pub fn fault(&mut self, at: &str, what: &str) {
        self.0.push(format!("{at}: {what}"));
    }

    /// Two texts, one below the other, with a mark where they part.
    pub fn text(&mut self, at: &str, expected: &str, actual: &str) {
        if expected == actual {
            return;
        }
        let same = expected.chars().zip(actual.chars()).take_while(|(a, b)| a == b).count();
        let mark = " ".repeat(same);
        self.0.push(format!("{at}\n  expected: {expected}\n  actual:   {actual}\n            {mark}^"));
    }

    /// Two values by what they show.
    pub fn value<T: Debug + PartialEq>(&mut self, at: &str, expected: &T, actual: &T) {
        if expected != actual {
            self.text(at, &format!("{expected:?}"), &format!("{actual:?}"));
        }
    }

    /// Two sets of named texts, name by name.
    pub fn texts(&mut self, at: &str, expected: &Texts, actual: &Texts) {
        for name in expected.keys().chain(actual.keys().filter(|name| !expected.contains_key(*name))) {
            let shown = |texts: &Texts| texts.get(name).map_or("(absent)", String::as_str).to_owned();
            self.text(&format!("{at}.{name}"), &shown(expected), &shown(actual));
        }
    }

    /// A request, whole.
    pub fn request(&mut self, at: &str, expected: &table::Sent, actual: &Request<Bytes>) {
        self.text(&format!("{at}.method"), &expected.method, actual.method().as_str());
        self.text(&format!("{at}.url"), &expected.url, &actual.uri().to_string());
        let mut sent = headers(actual.headers());
        let encoding = sent.remove("accept-encoding");
        self.value(&format!("{at}.headers.accept-encoding"), &Some("identity".to_owned()), &encoding);
        self.texts(&format!("{at}.headers"), &expected.headers, &sent);
        self.text(&format!("{at}.body"), &expected.body, &String::from_utf8_lossy(actual.body()));
    }

    /// What was read of a token endpoint's answer.
    pub fn answer(&mut self, at: &str, expected: &table::Answer, actual: &Result<Tokens, TokenError>) {
        match (&expected.tokens, &expected.error, actual) {
            (Some(expected), None, Ok(actual)) => self.tokens(at, expected, actual),
            (None, Some(expected), Err(actual)) => self.refusal(at, expected, actual),
            (Some(_), None, Err(error)) => self.fault(at, &format!("expected tokens, but {error}")),
            (None, Some(_), Ok(_)) => self.fault(at, "expected an error, but there are tokens"),
            _ => self.fault(at, "must say either `tokens` or `error`"),
        }
    }

    fn tokens(&mut self, at: &str, expected: &table::Tokens, actual: &Tokens) {
        let open = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
        let seconds = |at: Option<i64>| at.map(|at| (at - NOW) / 1000);
        self.text(&format!("{at}.access_token"), &expected.access_token, actual.access_token.expose());
        self.value(&format!("{at}.refresh_token"), &expected.refresh_token, &open(&actual.refresh_token));
        self.text(&format!("{at}.token_type"), &expected.token_type, &actual.token_type);
        self.value(&format!("{at}.id_token"), &expected.id_token, &open(&actual.id_token));
        self.value(&format!("{at}.expires_in"), &expected.expires_in, &seconds(actual.expires_at));
        let refresh = seconds(actual.refresh_expires_at);
        self.value(&format!("{at}.refresh_expires_in"), &expected.refresh_expires_in, &refresh);
        self.value(&format!("{at}.scopes"), &expected.scopes, &actual.scopes);
        self.texts(&format!("{at}.saved"), &expected.saved, &actual.saved);
        self.value(&format!("{at}.token_secret"), &expected.token_secret, &open(&actual.token_secret));
    }

    fn refusal(&mut self, at: &str, expected: &table::Refusal, actual: &TokenError) {
        let kind = match actual.kind {
            TokenErrorKind::Oauth => "oauth",
            TokenErrorKind::Unreadable => "unreadable",
            TokenErrorKind::Transient => "transient",
        };
        self.text(&format!("{at}.error.kind"), &expected.kind, kind);
        self.value(&format!("{at}.error.code"), &expected.code, &actual.code);
        self.value(&format!("{at}.error.description"), &expected.description, &actual.description);
        let no_good = actual.is_invalid_grant();
        self.value(&format!("{at}.error.invalid_grant"), &expected.invalid_grant, &no_good);
    }
}

/// Headers as texts.
pub(crate) fn headers(map: &http::HeaderMap) -> BTreeMap<String, String> {
    map.iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}
