//! One connection whose token is fetched with what is typed in, in one request of the provider's own making: the request
//! and its answers, the account, a call. A token is fetched again by the same request.

use claviger_catalog::Keys;
use claviger_protocol::{
    keys,
    oauth2::{TokenError, Tokens},
    secret::Secret,
    steps::{self, Saved},
};
use http::{HeaderMap, StatusCode};

use super::{NOW, Walk};
use crate::table::Answer;

impl Walk<'_> {
    pub(super) fn stepped(&mut self, keys: &Keys) {
        let of_others =
            ["temporary", "authorize", "upgrade", "refresh", "revoke", "given.scopes", "given.callback"];
        self.without(&of_others, "the token is fetched with what is typed in");
        self.wrong(keys);
        let given =
            self.table.given.keys.iter().map(|(name, value)| (name.clone(), Secret::new(value.as_str())));
        let typed = match keys::checked(keys, &given.collect()) {
            Ok(typed) => typed,
            Err(error) => return self.out.fault("given.keys", &error.to_string()),
        };
        self.values.extend(keys::plain(keys, &typed));
        let read = |walk: &Self, answer: &Answer| -> Result<Tokens, TokenError> {
            let steps = walk.provider.steps().expect("steps");
            let status = StatusCode::from_u16(answer.status).expect("a status");
            let (headers, body) = (HeaderMap::new(), answer.body.as_bytes());
            steps::last(steps, Saved::default(), typed.clone(), status, &headers, body, NOW)
        };
        self.step("exchange", |walk| {
            let provider = walk.filled()?;
            let steps = provider.steps().ok_or("no steps")?;
            let [step] = steps.request.as_slice() else { return Err("tables have one step only".into()) };
            let values = provider.values(&walk.values).map_err(|e| e.to_string())?;
            let known = |name: &str| {
                typed.get(name).map(Secret::expose).or_else(|| values.get(name).map(String::as_str))
            };
            let request = steps::request(step, known).map_err(|e| e.to_string())?;
            let expected = walk.table.exchange.as_ref().ok_or("[exchange] is missing")?;
            walk.out.request("exchange", expected, &request);
            for answer in &walk.table.answers {
                walk.out.answer(&format!("answers, {}", answer.name), answer, &read(walk, answer));
            }
            Ok(())
        });
        let Some(Ok(tokens)) = self.table.answers.first().map(|answer| read(self, answer)) else {
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
}
