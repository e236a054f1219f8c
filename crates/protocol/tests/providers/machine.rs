//! One connection whose token a client gets for itself: what can be typed, the request and its answers, the account, a
//! call. A token is fetched again by the same request.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use claviger_catalog::{Grant, Keys, OAuth2};
use claviger_protocol::{
    assertion::grant::{self, Asked},
    keys,
    oauth2::{Client, Tokens, authorize, token},
    secret::Secret,
};
use serde_json::Value;

use super::{NOW, Walk, oauth2, typed::typed_in};

impl Walk<'_> {
    pub(super) fn machine(&mut self, keys: Option<&Keys>) {
        let of_users = ["temporary", "authorize", "upgrade", "refresh", "revoke", "given.callback"];
        self.without(&of_users, "a client gets the token for itself");
        let held = match keys {
            None => {
                self.without(&["given.keys", "given.wrong"], "the client is the integration's");
                None
            }
            Some(keys) => {
                self.wrong(keys);
                match typed_in(keys, &self.table.given.keys) {
                    Ok(held) => Some(held),
                    Err(fault) => return self.out.fault("given.keys", &fault),
                }
            }
        };
        self.step("exchange", |walk| walk.fetch(held.as_ref()));
        let Some(documented) = self.table.answers.first() else {
            return self.out.fault("answers", "there are none");
        };
        let Ok(tokens) = self.read(documented, None) else {
            return self.out.fault("answers", "the first must be a success; nothing after it was looked at");
        };
        self.values.extend(tokens.saved.clone());
        self.step("identity", |walk| walk.identity(&tokens));
        if !self.table.verify.is_empty() {
            self.step("verify", |walk| walk.verify(&tokens));
        }
        self.step("call", |walk| walk.call(&tokens));
        self.limited();
    }

    fn fetch(&mut self, held: Option<&Tokens>) -> Result<(), String> {
        let provider = self.filled()?;
        let oauth2 = oauth2(&provider)?;
        let typed = held.and_then(|held| keys::client(&held.typed));
        let request = {
            let client = match typed {
                Some((id, secret)) => {
                    Client { id, secret: Some(secret), auth: oauth2.client_auth, assertion: None }
                }
                None => self.client(oauth2),
            };
            let url = oauth2.endpoints.token_url.as_deref().unwrap_or_default();
            let scopes = &self.table.given.scopes;
            if oauth2.grant == Grant::JwtBearer {
                self.asserted(oauth2, url, held)?;
                // Each signature may be another: in the request a word stands for it.
                let word = Secret::new("ASSERTION");
                let nobody = Client { id: "", secret: None, auth: oauth2.client_auth, assertion: None };
                token::jwt_bearer(oauth2, url, &nobody, &word, scopes)
            } else {
                token::client_credentials(oauth2, url, &client, scopes)
            }
        };
        let expected = self.table.exchange.as_ref().ok_or("[exchange] is missing")?;
        self.out.request("exchange", expected, &request.map_err(|e| e.to_string())?);
        for answer in &self.table.answers {
            let read = self.read(answer, None);
            self.out.answer(&format!("answers, {}", answer.name), answer, &read);
        }
        Ok(())
    }

    /// What the assertion says, and that the typed key signs it.
    fn asserted(&mut self, oauth2: &OAuth2, token_url: &str, held: Option<&Tokens>) -> Result<(), String> {
        let none = BTreeMap::new();
        let scopes = authorize::scopes(oauth2, &self.table.given.scopes);
        let asked = Asked {
            client_id: None,
            issuer: oauth2.endpoints.issuer.as_deref(),
            token_url,
            typed: held.map_or(&none, |held| &held.typed),
            scopes: &scopes,
            id: "jti-1",
            now: NOW,
        };
        let signer = grant::typed(oauth2, &asked).map_err(|why| format!("{why:?}"))?;
        let signer = signer.ok_or("the key is the integration's own")?;
        let made = grant::make(oauth2, &asked, &signer).map_err(|why| format!("{why:?}"))?;
        let expected = self.table.assertion.as_ref().ok_or("[assertion] is missing")?;
        for (name, part, told) in [("head", 0, &expected.head), ("claims", 1, &expected.claims)] {
            let part = made.expose().split('.').nth(part).unwrap_or_default();
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|e| e.to_string())?;
            let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).map_err(|e| e.to_string());
            let (told, said) = (read(told.as_bytes())?, read(&bytes)?);
            if told != said {
                self.out.text(&format!("assertion.{name}"), &told.to_string(), &said.to_string());
            }
        }
        Ok(())
    }
}
