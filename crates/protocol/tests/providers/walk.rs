//! One connection, from the authorization URL to its end, as the engine makes its steps. Where the credential is typed
//! in: [`typed`]; where a client gets a token for itself: [`machine`]; where each call is signed: [`signed`].

#[path = "machine.rs"]
mod machine;
#[path = "signed.rs"]
mod signed;
#[path = "steps.rs"]
mod steps;
#[path = "typed.rs"]
mod typed;

use std::collections::BTreeMap;

use claviger_catalog::{KeyKind, Kind, OAuth2, Provider, RefreshWith};
use claviger_protocol::{
    apply, identity,
    oauth1::sign,
    oauth2::{Client, TokenError, Tokens, authorize, callback, pkce, read, revoke, token},
    secret::Secret,
    sigv4::{self, Payload},
    throttle,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};

use crate::{
    compare::{Differences, headers},
    table::{Answer, Call, Identity, Limited, Table},
};

pub(crate) type Texts = BTreeMap<String, String>;

/// The time of every table, in milliseconds since 1970.
pub(crate) const NOW: i64 = 1_800_000_000_000;
const CLIENT_ID: &str = "client-1";
const REDIRECT_URI: &str = "https://connect.example/oauth2/callback";
const STATE: &str = "state-1";
/// RFC 7636 Appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CODE: &str = "code-1";

/// A provider on its way through a table.
struct Walk<'a> {
    provider: &'a Provider,
    table: &'a Table,
    secret: Secret,
    /// What is known of the connection so far.
    values: Texts,
    out: Differences,
}

/// Everything in which a provider differs from its table.
pub(crate) fn differences(provider: &Provider, table: &Table) -> Vec<String> {
    let values = table.given.inputs.clone();
    let secret = Secret::new("secret-1");
    let mut walk = Walk { provider, table, secret, values, out: Differences::default() };
    walk.all();
    walk.out.0
}

impl Walk<'_> {
    fn all(&mut self) {
        let named = |url: &String| url.starts_with("https://");
        if self.table.sources.is_empty() || !self.table.sources.iter().all(named) {
            self.out.fault("sources", "must name the provider's own pages");
        }
        self.check_given();
        self.check_refused();
        match (self.provider.kind(), self.provider.keys()) {
            (Kind::OAuth2Code, _) => {}
            (Kind::OAuth1, _) => return self.signed(),
            (Kind::Typed, Some(keys)) if keys.kind == KeyKind::Steps => return self.stepped(keys),
            (Kind::Typed, Some(keys)) if !matches!(keys.kind, KeyKind::Client | KeyKind::Grant) => {
                return self.typed(keys);
            }
            (Kind::Typed | Kind::ClientCredentials, keys) => return self.machine(keys),
            (Kind::WorkspaceToken | Kind::DeviceCode, _) => {
                return self.out.fault(".", "there are no bytes to compare");
            }
        }
        self.step("authorize", Self::authorize);
        self.step("callback", Self::callback);
        self.step("exchange", Self::exchange);
        let Some(documented) = self.table.answers.first() else {
            return self.out.fault("answers", "there are none");
        };
        let Ok(first) = self.read(documented, None) else {
            return self.out.fault("answers", "the first must be a success; nothing after it was looked at");
        };
        self.values.extend(first.saved.clone());
        let tokens = match self.upgraded(first.clone()) {
            Ok(tokens) => tokens,
            Err(fault) => {
                self.out.fault("upgrade", &fault);
                first
            }
        };
        self.values.extend(tokens.saved.clone());
        self.step("identity", |walk| walk.identity(&tokens));
        if !self.table.verify.is_empty() {
            self.step("verify", |walk| walk.verify(&tokens));
        }
        self.step("call", |walk| walk.call(&tokens));
        self.step("refresh", |walk| walk.refresh(tokens.clone()));
        self.step("revoke", |walk| walk.revoke(&tokens));
        self.limited();
    }

    /// One step; one that can't be made does not keep the others from being looked at.
    fn step(&mut self, name: &str, make: impl FnOnce(&mut Self) -> Result<(), String>) {
        if let Err(fault) = make(self) {
            self.out.fault(name, &fault);
        }
    }

    /// What a table may not have, for providers of this kind do not.
    fn without(&mut self, names: &[&str], why: &str) {
        let table = self.table;
        let all = [
            ("temporary", table.temporary.is_some() || !table.temporary_answers.is_empty()),
            ("authorize", table.authorize.is_some()),
            ("exchange", table.exchange.is_some()),
            ("answers", !table.answers.is_empty()),
            ("upgrade", table.upgrade.is_some() || !table.upgrade_answers.is_empty()),
            ("refresh", table.refresh.is_some() || !table.refresh_answers.is_empty()),
            ("revoke", !table.revoke.is_empty()),
            ("given.scopes", !table.given.scopes.is_empty()),
            ("given.callback", !table.given.callback.is_empty()),
            ("given.keys", !table.given.keys.is_empty()),
            ("given.wrong", !table.given.wrong.is_empty()),
        ];
        for (name, _) in all.iter().filter(|(name, there)| *there && names.contains(name)) {
            self.out.fault(name, &format!("can't stand here: {why}"));
        }
    }

    /// Inputs that no field of the file has would say nothing.
    fn check_given(&mut self) {
        for name in self.table.given.inputs.keys() {
            if !self.provider.inputs.iter().any(|input| input.key == *name) {
                self.out.fault("given.inputs", &format!("the provider has no input `{name}`"));
            }
        }
        for input in self.provider.inputs.iter().filter(|input| input.is_needed()) {
            if !self.table.given.inputs.contains_key(&input.key) {
                self.out.fault("given.inputs", &format!("`{}` is needed", input.key));
            }
        }
    }

    /// Values that would lead a connection astray.
    fn check_refused(&mut self) {
        let refused = &self.table.given.refused;
        for (name, value) in refused.iter().flat_map(|(name, values)| values.iter().map(move |v| (name, v))) {
            let input = self.provider.inputs.iter().any(|input| input.key == *name);
            let given = Texts::from([(name.clone(), value.clone())]);
            if !input || self.provider.values(&given).is_ok() {
                self.out.fault("given.refused", &format!("`{name}` is taken as {value:?}"));
            }
        }
    }

    /// The provider with the values known by now.
    fn filled(&self) -> Result<Provider, String> {
        self.provider.filled(&self.values).map_err(|e| e.to_string())
    }

    fn client<'c>(&'c self, oauth2: &OAuth2) -> Client<'c> {
        Client { id: CLIENT_ID, secret: Some(&self.secret), auth: oauth2.client_auth, assertion: None }
    }

    fn authorize(&mut self) -> Result<(), String> {
        let provider = self.filled()?;
        let oauth2 = oauth2(&provider)?;
        let challenge = pkce::challenge(&Secret::new(VERIFIER));
        let request = authorize::Request {
            authorize_url: oauth2.endpoints.authorize_url.as_deref().unwrap_or_default(),
            client_id: CLIENT_ID,
            redirect_uri: REDIRECT_URI,
            state: &Secret::new(STATE),
            scopes: &self.table.given.scopes,
            challenge: Some(&challenge),
            extra: &Texts::new(),
            grown: false,
        };
        let url = authorize::url(oauth2, &request).map_err(|e| e.to_string())?;
        let expected = self.table.authorize.as_ref().ok_or("[authorize] is missing")?;
        self.out.text("authorize.url", &expected.url, &url);
        let grown = authorize::Request { grown: true, ..request };
        let grown = authorize::url(oauth2, &grown).map_err(|e| e.to_string())?;
        let more = grown.strip_prefix(&url).unwrap_or(&grown);
        self.out.text("authorize.grown", expected.grown.as_deref().unwrap_or_default(), more);
        Ok(())
    }

    /// The callback brings the code and what else the table says.
    fn callback(&mut self) -> Result<(), String> {
        let oauth2 = oauth2(self.provider)?;
        let shape = &oauth2.callback;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair(&shape.code_param, CODE).append_pair(&shape.state_param, STATE);
        for (name, value) in &self.table.given.callback {
            let saved = shape
                .save
                .get(name)
                .ok_or_else(|| format!("given.callback: the provider saves no `{name}`"))?;
            query.append_pair(&saved.param, value);
        }
        match callback::read(oauth2, &query.finish()) {
            Ok(callback::Answer::Code { saved, .. }) => {
                self.values.extend(saved);
                Ok(())
            }
            Ok(callback::Answer::Error { error, .. }) => Err(error),
            Err(error) => Err(error.to_string()),
        }
    }

    fn exchange(&mut self) -> Result<(), String> {
        let provider = self.filled()?;
        let oauth2 = oauth2(&provider)?;
        let url = oauth2.endpoints.token_url.as_deref().unwrap_or_default();
        let mut extra = Texts::new();
        if oauth2.token.resend_state {
            extra.insert("state".to_owned(), STATE.to_owned());
        }
        let (code, verifier) = (Secret::new(CODE), Secret::new(VERIFIER));
        let client = self.client(oauth2);
        let request = token::exchange(oauth2, url, &client, &code, REDIRECT_URI, Some(&verifier), &extra)
            .map_err(|e| e.to_string())?;
        let expected = self.table.exchange.as_ref().ok_or("[exchange] is missing")?;
        self.out.request("exchange", expected, &request);
        for answer in &self.table.answers {
            let read = self.read(answer, None);
            self.out.answer(&format!("answers, {}", answer.name), answer, &read);
        }
        Ok(())
    }

    /// Reads an answer: to the exchange, or to a refresh of the tokens `before`.
    fn read(&self, answer: &Answer, before: Option<Tokens>) -> Result<Tokens, TokenError> {
        let oauth2 = self.provider.oauth2().expect("OAuth 2");
        let status = StatusCode::from_u16(answer.status).expect("a status");
        let kind = HeaderValue::from_str(&answer.content_type).expect("a content type");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
        match before {
            None => read::tokens(oauth2, status, &headers, answer.body.as_bytes(), NOW),
            Some(before) => read::refreshed(oauth2, before, status, &headers, answer.body.as_bytes(), NOW),
        }
    }

    /// The tokens after the upgrade, where the file has one.
    fn upgraded(&mut self, first: Tokens) -> Result<Tokens, String> {
        let provider = self.filled()?;
        let oauth2 = oauth2(&provider)?;
        let request = token::upgrade(oauth2, &self.client(oauth2), &first).map_err(|e| e.to_string())?;
        match (&self.table.upgrade, request) {
            (None, None) => return Ok(first),
            (Some(expected), Some(request)) => self.out.request("upgrade", expected, &request),
            (Some(_), None) => return Err("the provider has none".into()),
            (None, Some(_)) => return Err("[upgrade] is missing: the provider has one".into()),
        }
        for answer in &self.table.upgrade_answers {
            let read = self.read(answer, None).map(|newer| first.clone().renewed(newer));
            self.out.answer(&format!("upgrade_answers, {}", answer.name), answer, &read);
        }
        let documented = self.table.upgrade_answers.first().ok_or("there are no upgrade_answers")?;
        let newer = self.read(documented, None).map_err(|e| format!("first upgrade answer: {e}"))?;
        Ok(first.renewed(newer))
    }

    fn identity(&mut self, tokens: &Tokens) -> Result<(), String> {
        let provider = self.filled()?;
        let (about, expected) = match (&provider.identity, &self.table.identity) {
            (None, None) => return Ok(()),
            (Some(_), None) => return Err("[identity] is missing: the provider has one".into()),
            (None, Some(_)) => return Err("the provider has none".into()),
            (Some(about), Some(expected)) => (about, expected),
        };
        let userinfo = provider.oauth2().and_then(|oauth2| oauth2.endpoints.userinfo_url.as_deref());
        let request = identity::request(about, userinfo, &provider.api, tokens).map_err(|e| e.to_string())?;
        let account = match (request, sent(expected)) {
            (Some(request), Some(sent)) => {
                self.out.request("identity", &sent, &request);
                let answer = expected.answer.as_deref().ok_or("`answer` is missing")?;
                identity::read(about, answer.as_bytes())
            }
            (None, None) => identity::from_tokens(about, tokens).ok_or("nothing tells it")?,
            (Some(_), None) => return Err("method, url and headers are missing".into()),
            (None, Some(_)) => return Err("nothing is asked; only `account` can stand there".into()),
        };
        self.out.value("identity.account.id", &expected.account.id, &account.id);
        self.out.value("identity.account.name", &expected.account.name, &account.name);
        self.out.value("identity.account.email", &expected.account.email, &account.email);
        self.out.texts("identity.saved", &expected.saved, &account.saved);
        self.values.extend(account.saved);
        Ok(())
    }

    /// A call, as the proxy makes it.
    fn call(&mut self, tokens: &Tokens) -> Result<(), String> {
        let provider = self.filled()?;
        let expected: &Call = match (&provider.api.base_url, &self.table.call) {
            (None, None) => return Ok(()),
            (Some(_), None) => return Err("[call] is missing: the provider has an API".into()),
            (_, Some(expected)) => expected,
        };
        let base = provider.api.base_url.as_deref().ok_or("the provider has no base URL")?;
        let base = provider.expand(base, &self.values).map_err(|e| e.to_string())?;
        let url = format!("{}{}", base.trim_end_matches('/'), expected.path);
        let (mut parts, ()) = Request::get(url).body(()).map_err(|e| e.to_string())?.into_parts();
        apply::credential(&provider.api, tokens, &mut parts).map_err(|e| e.to_string())?;
        if let Some(oauth1) = provider.oauth1() {
            sign::call(oauth1, &self.consumer(), tokens, &mut parts, None, signed::STAMP)
                .map_err(|e| e.to_string())?;
        }
        if let Some(table) = provider.sigv4() {
            sigv4::call(table, tokens, &mut parts, Payload::Whole(b""), NOW).map_err(|e| e.to_string())?;
        }
        self.out.text("call.url", &expected.url, &parts.uri.to_string());
        self.out.texts("call.headers", &expected.headers, &headers(&parts.headers));
        Ok(())
    }

    fn refresh(&mut self, tokens: Tokens) -> Result<(), String> {
        let provider = self.filled()?;
        let oauth2 = oauth2(&provider)?;
        let by_token = oauth2.refresh.with == RefreshWith::RefreshToken;
        let renewable = |tokens: &Tokens| !by_token || tokens.refresh_token.is_some();
        let others = self.table.answers.iter().filter_map(|answer| self.read(answer, None).ok());
        let before = std::iter::once(tokens).chain(others).find(renewable);
        let (before, expected) = match (before, &self.table.refresh) {
            (None, None) => return Ok(()),
            (Some(_), None) => return Err("[refresh] is missing: there is an answer to refresh".into()),
            (None, Some(_)) => return Err("no answer has a refresh token".into()),
            (Some(before), Some(expected)) => (before, expected),
        };
        let ends = &oauth2.endpoints;
        let url = ends.refresh_url.as_deref().or(ends.token_url.as_deref()).unwrap_or_default();
        let request =
            token::refresh(oauth2, url, &self.client(oauth2), &before).map_err(|e| e.to_string())?;
        self.out.request("refresh", expected, &request);
        if self.table.refresh_answers.iter().all(|answer| answer.tokens.is_none()) {
            self.out.fault("refresh_answers", "none of them is a success");
        }
        for answer in &self.table.refresh_answers {
            let read = self.read(answer, Some(before.clone()));
            self.out.answer(&format!("refresh_answers, {}", answer.name), answer, &read);
        }
        Ok(())
    }

    fn revoke(&mut self, tokens: &Tokens) -> Result<(), String> {
        let provider = self.filled()?;
        let oauth2 = oauth2(&provider)?;
        let url = oauth2.endpoints.revoke_url.as_deref();
        let made = |call: &_| revoke::request(oauth2, call, &self.client(oauth2), tokens);
        let requests: Result<Vec<_>, _> = revoke::calls(oauth2, url, tokens).iter().map(made).collect();
        let requests = requests.map_err(|e| e.to_string())?;
        self.out.value("number of [[revoke]]", &self.table.revoke.len(), &requests.len());
        for (i, (expected, request)) in self.table.revoke.iter().zip(&requests).enumerate() {
            self.out.request(&format!("revoke[{i}]"), expected, request);
        }
        Ok(())
    }

    fn limited(&mut self) {
        for (i, Limited { status, headers, body, wait_ms }) in self.table.limited.iter().enumerate() {
            let map = headers.iter().map(|(name, value)| {
                let name: HeaderName = name.parse().expect("a header's name");
                (name, HeaderValue::from_str(value).expect("a header's value"))
            });
            let status = StatusCode::from_u16(*status).expect("a status");
            let limit = self.provider.rate_limit.as_ref();
            let body = Some(body.as_bytes());
            match throttle::read(limit, status, &HeaderMap::from_iter(map), body, NOW) {
                Some(told) => self.out.value(&format!("limited[{i}].wait_ms"), wait_ms, &told.wait_ms),
                None => self.out.fault(&format!("limited[{i}]"), "is not taken for a limit"),
            }
        }
    }
}

fn oauth2(provider: &Provider) -> Result<&OAuth2, String> {
    provider.oauth2().ok_or_else(|| "not OAuth 2".to_owned())
}

/// The request that a table expects for the identity; `None` when it names no URL.
fn sent(identity: &Identity) -> Option<crate::table::Sent> {
    let Identity { method, url, headers, body, .. } = identity;
    let named = method.is_some() || url.is_some() || headers.is_some() || body.is_some();
    named.then(|| crate::table::Sent {
        method: method.clone().unwrap_or_default(),
        url: url.clone().unwrap_or_default(),
        headers: headers.clone().unwrap_or_default(),
        body: body.clone().unwrap_or_default(),
    })
}
