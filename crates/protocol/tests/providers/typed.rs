//! One connection whose credential is typed in: what may be typed, the calls that verify it, the account, a call.

use std::collections::BTreeMap;

use claviger_catalog::Keys;
use claviger_protocol::{
    keys,
    oauth2::Tokens,
    secret::Secret,
    verify::{self, Verdict},
};
use http::StatusCode;

use super::{Texts, Walk};

impl Walk<'_> {
    pub(super) fn typed(&mut self, keys: &Keys) {
        let of_oauth = [
            "temporary",
            "authorize",
            "exchange",
            "answers",
            "upgrade",
            "refresh",
            "revoke",
            "given.scopes",
            "given.callback",
        ];
        self.without(&of_oauth, "the credential is typed in");
        self.wrong(keys);
        let tokens = match typed_in(keys, &self.table.given.keys) {
            Ok(tokens) => tokens,
            Err(fault) => return self.out.fault("given.keys", &fault),
        };
        // What is no secret is among the connection's inputs, as the engine keeps it.
        let given = table_keys(&self.table.given.keys);
        self.values.extend(keys::plain(keys, &given));
        self.step("verify", |walk| walk.verify(&tokens));
        self.step("identity", |walk| walk.identity(&tokens));
        self.step("call", |walk| walk.call(&tokens));
        self.limited();
    }

    /// Each field has something that must not be taken, and it is not.
    pub(super) fn wrong(&mut self, keys: &Keys) {
        let wrong = &self.table.given.wrong;
        for field in &keys.fields {
            if !wrong.contains_key(&field.key) {
                self.out.fault("given.wrong", &format!("`{}` is missing", field.key));
            }
        }
        for (name, value) in wrong.iter().flat_map(|(name, values)| values.iter().map(move |v| (name, v))) {
            let mut given = self.table.given.keys.clone();
            given.insert(name.clone(), value.clone());
            match typed_in(keys, &given) {
                Ok(_) => self.out.fault("given.wrong", &format!("`{name}` is taken as {value:?}")),
                Err(fault) if !fault.starts_with(&format!("{name}:")) => {
                    self.out.fault("given.wrong", &fault);
                }
                Err(_) => {}
            }
        }
    }

    /// The calls that show whether the credential works, and what their answers say.
    pub(super) fn verify(&mut self, tokens: &Tokens) -> Result<(), String> {
        let provider = self.filled()?;
        let Some(calls) = &provider.verify else {
            return if self.table.verify.is_empty() { Ok(()) } else { Err("the provider has none".into()) };
        };
        let requests = verify::requests(calls, &provider.api, tokens).map_err(|e| e.to_string())?;
        self.out.value("number of [[verify]]", &self.table.verify.len(), &requests.len());
        for (i, (expected, request)) in self.table.verify.iter().zip(&requests).enumerate() {
            self.out.request(&format!("verify[{i}]"), expected, request);
        }
        for answer in &self.table.verify_answers {
            let status = StatusCode::from_u16(answer.status).expect("a status");
            let verdict = match verify::read(calls, status, answer.body.as_bytes()) {
                Verdict::Works => "works",
                Verdict::Refused => "refused",
                Verdict::AskNext => "ask_next",
                Verdict::Unknown => "unknown",
            };
            self.out.text(&format!("verify_answers, {}", answer.name), &answer.verdict, verdict);
        }
        Ok(())
    }
}

/// What is typed makes: a credential, or what a client's token is fetched with.
pub(super) fn typed_in(keys: &Keys, given: &Texts) -> Result<Tokens, String> {
    if let Some(name) = given.keys().find(|name| !keys.fields.iter().any(|field| field.key == **name)) {
        return Err(format!("there is no field `{name}`"));
    }
    let given = table_keys(given);
    if keys.kind.fetches() {
        let typed = keys::checked(keys, &given).map_err(|error| error.to_string())?;
        return Ok(Tokens { typed, ..Tokens::of(Secret::new(""), "Bearer") });
    }
    keys::tokens(keys, &given).map_err(|error| error.to_string())
}

fn table_keys(given: &Texts) -> BTreeMap<String, Secret> {
    given.iter().map(|(name, value)| (name.clone(), Secret::new(value.as_str()))).collect()
}
