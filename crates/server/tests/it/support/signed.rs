//! An OAuth 1.0a provider (RFC 5849) that checks every signature by code of its own, nonces and form bodies too. What it
//! finds wrong it answers with 401, and says so.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};

use aws_lc_rs::hmac;
use axum::{body::Body, response::Response};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http_body_util::BodyExt as _;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::json;

use super::{
    Upstream, decode,
    upstream::{Head, say},
};

/// The consumer that the server under test is.
pub const CONSUMER: &str = "consumer & key";
/// Its secret.
pub const CONSUMER_SECRET: &str = "canary+consumer/secret=";
/// What the owner's consent is shown by.
pub const VERIFIER: &str = "canary verifier";

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

type Pairs = Vec<(String, String)>;

/// A running provider.
pub struct Signed {
    pub up: Upstream,
    state: Arc<Mutex<State>>,
}

/// A request that it found signed.
#[derive(Clone)]
pub struct Taken {
    pub path: String,
    /// The protocol's parameters.
    pub own: BTreeMap<String, String>,
    /// Those of the query and of a form body, in order.
    pub params: Pairs,
}

#[derive(Default)]
struct State {
    taken: Vec<Taken>,
    /// The secrets of the tokens that it gave, and of temporary credentials.
    secrets: BTreeMap<String, String>,
    nonces: BTreeSet<(String, String)>,
    /// What it says next instead of an answer: at a path, a status and a body.
    instead: VecDeque<(&'static str, u16, &'static str)>,
    hangs: Option<&'static str>,
    given: usize,
}

impl Signed {
    pub async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let held = state.clone();
        let up = Upstream::whole(move |head: Head, body: Body| {
            let state = held.clone();
            async move {
                let body = body.collect().await.expect("a whole body").to_bytes();
                let path = head.target.split('?').next().unwrap_or_default().to_owned();
                if state.lock().unwrap().hangs.is_some_and(|at| at == path) {
                    std::future::pending::<()>().await;
                }
                answer(&state, &head, &path, &body)
            }
        });
        Self { up: up.await, state }
    }

    /// What it found signed at a path that begins so.
    pub fn taken(&self, path: &str) -> Vec<Taken> {
        let state = self.state.lock().unwrap();
        state.taken.iter().filter(|one| one.path.starts_with(path)).cloned().collect()
    }

    /// What it says to the next signed request at this path.
    pub fn instead(&self, path: &'static str, status: u16, body: &'static str) {
        self.state.lock().unwrap().instead.push_back((path, status, body));
    }

    /// From now on it never answers at this path.
    pub fn hang(&self, path: &'static str) {
        self.state.lock().unwrap().hangs = Some(path);
    }
}

fn answer(state: &Mutex<State>, head: &Head, path: &str, body: &[u8]) -> Response {
    let mut state = state.lock().unwrap();
    let found = match check(&mut state, head, path, body) {
        Ok(found) => found,
        Err(why) => {
            let problem = format!("oauth_problem=signature_invalid&oauth_problem_advice={why}");
            return say(401, &[("content-type", "application/x-www-form-urlencoded")], problem);
        }
    };
    state.taken.push(found.clone());
    if let Some(at) = state.instead.iter().position(|(at, ..)| *at == path) {
        let (_, status, text) = state.instead.remove(at).expect("it is there");
        return say(status, &[], text);
    }
    let form = |text: String| say(200, &[("content-type", "application/x-www-form-urlencoded")], text);
    match path {
        "/request_token" => {
            let token = given(&mut state, "temporary");
            form(format!(
                "oauth_token={token}&oauth_token_secret=canary%2Bof%2F{token}&oauth_callback_confirmed=true"
            ))
        }
        "/access_token" => {
            if found.own.get("oauth_verifier").map(String::as_str) != Some(VERIFIER) {
                return say(401, &[], "oauth_problem=permission_denied");
            }
            let used = found.own["oauth_token"].clone();
            state.secrets.remove(&used);
            let token = given(&mut state, "access");
            form(format!("oauth_token={token}&oauth_token_secret=canary%2Bof%2F{token}&account=acc-1"))
        }
        _ => {
            let authorization = head.all("authorization").first().map_or("", |value| value).to_owned();
            let body = json!({ "path": path, "params": found.params, "id": "acc-1", "name": "Ada" });
            // All that was shown, and the signature alone.
            let signature =
                authorization.split_once("oauth_signature=\"").and_then(|(_, rest)| rest.split_once('"'));
            let signature = percent_decode_str(signature.expect("a signature").0).decode_utf8_lossy();
            let echoes = [("x-echo", authorization.as_str()), ("x-signature", signature.as_ref())];
            say(200, &[&[("content-type", "application/json")][..], &echoes].concat(), body.to_string())
        }
    }
}

fn given(state: &mut State, kind: &str) -> String {
    state.given += 1;
    let token = format!("{kind}-token-{}", state.given);
    state.secrets.insert(token.clone(), format!("canary+of/{token}"));
    token
}

/// Finds the request signed, or says why not.
fn check(state: &mut State, head: &Head, path: &str, body: &[u8]) -> Result<Taken, String> {
    let shown = head.all("authorization");
    let [shown] = shown.as_slice() else { return Err(format!("{} authorizations", shown.len())) };
    let shown = shown.strip_prefix("OAuth ").ok_or("another scheme")?;
    let mut own = BTreeMap::new();
    for pair in shown.split(", ") {
        let (name, value) = pair.split_once('=').ok_or("no pair")?;
        if name == "realm" {
            continue;
        }
        let value = value.trim_matches('"');
        let decoded = percent_decode_str(value).decode_utf8().map_err(|_| "no text")?.into_owned();
        own.insert(name.to_owned(), decoded);
    }
    let signature = own.remove("oauth_signature").ok_or("no signature")?;
    let of = |name: &str| own.get(name).cloned().ok_or(format!("no {name}"));
    if of("oauth_consumer_key")? != CONSUMER || of("oauth_version")? != "1.0" {
        return Err("another consumer".to_owned());
    }
    if !state.nonces.insert((of("oauth_nonce")?, of("oauth_timestamp")?)) {
        return Err("a used nonce".to_owned());
    }
    let secret = match own.get("oauth_token") {
        Some(token) => state.secrets.get(token).ok_or("an unknown token")?.clone(),
        None => String::new(),
    };
    let mut params = decode(head.target.split_once('?').map_or("", |(_, query)| query));
    if head.all("content-type") == ["application/x-www-form-urlencoded"] {
        params.extend(decode(std::str::from_utf8(body).map_err(|_| "no text")?));
    }
    let mut pairs: Vec<(String, String)> = params
        .iter()
        .chain(&own.clone().into_iter().collect::<Pairs>())
        .map(|(n, v)| (enc(n), enc(v)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let url = format!("http://{}{path}", head.all("host")[0]);
    let base = format!("{}&{}&{}", head.method, enc(&url), enc(&pairs.join("&")));
    let key = format!("{}&{}", enc(CONSUMER_SECRET), enc(&secret));
    let right = match of("oauth_signature_method")?.as_str() {
        "HMAC-SHA1" => mac(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key, &base),
        "HMAC-SHA256" => mac(hmac::HMAC_SHA256, &key, &base),
        "PLAINTEXT" => key,
        _ => return Err("another method".to_owned()),
    };
    if right != signature {
        return Err("another signature".to_owned());
    }
    Ok(Taken { path: path.to_owned(), own, params })
}

fn mac(algorithm: hmac::Algorithm, key: &str, base: &str) -> String {
    BASE64_STANDARD.encode(hmac::sign(&hmac::Key::new(algorithm, key.as_bytes()), base.as_bytes()))
}

fn enc(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}
