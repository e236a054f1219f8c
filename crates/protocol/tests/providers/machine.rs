//! One connection whose token a client gets for itself: what can be typed, the request and its answers, the account, a
//! call. A token is fetched again by the same request.

use claviger_catalog::Keys;
use claviger_protocol::{
    keys,
    oauth2::{Client, Tokens, token},
};

use super::{Walk, oauth2, typed::typed_in};

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
                Some((id, secret)) => Client { id, secret: Some(secret), auth: oauth2.client_auth, assertion: None },
                None => self.client(oauth2),
            };
            let url = oauth2.endpoints.token_url.as_deref().unwrap_or_default();
            token::client_credentials(oauth2, url, &client, &self.table.given.scopes)
        };
        let expected = self.table.exchange.as_ref().ok_or("[exchange] is missing")?;
        self.out.request("exchange", expected, &request.map_err(|e| e.to_string())?);
        for answer in &self.table.answers {
            let read = self.read(answer, None);
            self.out.answer(&format!("answers, {}", answer.name), answer, &read);
        }
        Ok(())
    }
}
