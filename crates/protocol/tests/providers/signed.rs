//! One connection by OAuth 1: temporary credentials, the authorization URL, the token, the account, a signed call.

use std::collections::BTreeMap;

use claviger_catalog::OAuth1;
use claviger_protocol::{
    oauth1::{Client, Stamp, dance, read},
    oauth2::{TokenError, Tokens},
    secret::Secret,
};
use http::{HeaderMap, StatusCode};

use super::{CLIENT_ID, NOW, Provider, REDIRECT_URI, Walk};
use crate::table::Answer;

pub(super) const STAMP: Stamp<'static> = Stamp { nonce: "nonce-1", timestamp: NOW / 1000 };
const VERIFIER: &str = "verifier-1";

impl Walk<'_> {
    pub(super) fn signed(&mut self) {
        let of_others = ["upgrade", "refresh", "revoke", "given.scopes", "given.callback", "given.keys"];
        self.without(&of_others, "calls are signed, and nothing is refreshed");
        let temporary = match self.temporary() {
            Ok(temporary) => temporary,
            Err(fault) => return self.out.fault("temporary", &fault),
        };
        self.step("authorize", |walk| walk.send_off(&temporary));
        let tokens = match self.verified(&temporary) {
            Ok(tokens) => tokens,
            Err(fault) => return self.out.fault("exchange", &fault),
        };
        self.values.extend(tokens.saved.clone());
        self.step("identity", |walk| walk.identity(&tokens));
        self.step("call", |walk| walk.call(&tokens));
        self.limited();
    }

    pub(super) fn consumer(&self) -> Client<'_> {
        Client { key: CLIENT_ID, secret: &self.secret }
    }

    fn temporary(&mut self) -> Result<Tokens, String> {
        let provider = self.filled()?;
        let oauth1 = oauth1(&provider)?;
        let url = oauth1.endpoints.request_token_url.as_deref().unwrap_or_default();
        let request = dance::temporary(oauth1, url, &self.consumer(), REDIRECT_URI, STAMP);
        let expected = self.table.temporary.as_ref().ok_or("[temporary] is missing")?;
        self.out.request("temporary", expected, &request.map_err(|e| e.to_string())?);
        let read =
            |answer: &Answer| read::temporary(status(answer), &HeaderMap::new(), answer.body.as_bytes(), NOW);
        for answer in &self.table.temporary_answers {
            self.out.answer(&format!("temporary_answers, {}", answer.name), answer, &read(answer));
        }
        let documented = self.table.temporary_answers.first().ok_or("there are no temporary_answers")?;
        read(documented).map_err(|e| e.to_string())
    }

    fn send_off(&mut self, temporary: &Tokens) -> Result<(), String> {
        let provider = self.filled()?;
        let oauth1 = oauth1(&provider)?;
        let url = oauth1.endpoints.authorize_url.as_deref().unwrap_or_default();
        let made = dance::authorize_url(oauth1, url, &self.consumer(), temporary, &BTreeMap::new());
        let expected = self.table.authorize.as_ref().ok_or("[authorize] is missing")?;
        self.out.text("authorize.url", &expected.url, &made.map_err(|e| e.to_string())?);
        Ok(())
    }

    fn verified(&mut self, temporary: &Tokens) -> Result<Tokens, String> {
        let provider = self.filled()?;
        let oauth1 = oauth1(&provider)?;
        let url = oauth1.endpoints.access_token_url.as_deref().unwrap_or_default();
        let verifier = Secret::new(VERIFIER);
        let request = dance::token(oauth1, url, &self.consumer(), temporary, &verifier, STAMP);
        let expected = self.table.exchange.as_ref().ok_or("[exchange] is missing")?;
        self.out.request("exchange", expected, &request.map_err(|e| e.to_string())?);
        let read = |answer: &Answer| -> Result<Tokens, TokenError> {
            read::tokens(oauth1, status(answer), &HeaderMap::new(), answer.body.as_bytes(), NOW)
        };
        for answer in &self.table.answers {
            self.out.answer(&format!("answers, {}", answer.name), answer, &read(answer));
        }
        let documented = self.table.answers.first().ok_or("there are no answers")?;
        read(documented).map_err(|e| e.to_string())
    }
}

fn oauth1(provider: &Provider) -> Result<&OAuth1, String> {
    provider.oauth1().ok_or_else(|| "not OAuth 1".to_owned())
}

fn status(answer: &Answer) -> StatusCode {
    StatusCode::from_u16(answer.status).expect("a status")
}
