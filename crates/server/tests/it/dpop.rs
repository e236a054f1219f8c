//! Tokens that are bound to a key (RFC 9449), at a provider that looks at each proof as the standard says (§4.3) and wants
//! nonces of its own.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey},
};
use axum::{body::Body, response::Response};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use claviger_engine::domain::{connection::Status, integration::Config};
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::support::{
    Browser, TestApp, Upstream,
    app::{at, new_integration},
    decode, on_each,
    upstream::{Head, say},
    value,
    wire::{call, send},
};

/// What the provider is like, and what it has seen.
#[derive(Default)]
struct State {
    /// Who it is, as proofs say.
    origin: String,
    /// What each proof must hold; none is wanted where it is empty.
    nonces: [&'static str; 2],
    /// The type that its tokens have.
    token_type: &'static str,
    /// Ids of proofs so far.
    jtis: BTreeSet<String>,
    /// The thumbprint of the key of each token request, refused ones too.
    keys: Vec<String>,
    /// What was shown at the token endpoint, in order: grant and code or refresh token.
    shown: Vec<(String, String)>,
    /// Codes and refresh tokens that were redeemed.
    spent: Vec<String>,
    /// The key that the tokens in use are bound to.
    bound: String,
    given: usize,
    /// Headers of its API's calls that say anything of a credential.
    used: Vec<(String, bool)>,
    /// The token endpoint looks at no proof.
    careless: bool,
    /// The API wants a nonce whatever it is shown.
    never_content: bool,
    /// Tokens that the API takes no more.
    ended: Vec<String>,
}

/// Looks at a proof; the thumbprint of its key, or what is wrong.
fn look(state: &mut State, head: &Head, token: Option<&str>, nonce: &str) -> Result<String, &'static str> {
    let [proof] = head.all("dpop")[..] else { return Err("invalid_dpop_proof") };
    let parts: Vec<&str> = proof.split('.').collect();
    let part = |text: &str| -> Value { serde_json::from_slice(&BASE64.decode(text).unwrap()).unwrap() };
    let (head_part, claims) = (part(parts[0]), part(parts[1]));
    let jwk = &head_part["jwk"];
    let number = |name: &str| BASE64.decode(jwk[name].as_str().unwrap()).unwrap();
    let point = [vec![4], number("x"), number("y")].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    let signed = format!("{}.{}", parts[0], parts[1]);
    let sound = key.verify(signed.as_bytes(), &BASE64.decode(parts[2]).unwrap()).is_ok()
        && head_part["typ"] == "dpop+jwt"
        && head_part["alg"] == "ES256"
        && jwk.as_object().unwrap().len() == 4
        && claims["htm"] == head.method.as_str()
        && claims["htu"] == format!("{}{}", state.origin, head.target.split('?').next().unwrap())
        && claims["ath"].as_str()
            == token.map(|token| BASE64.encode(digest(&SHA256, token.as_bytes()))).as_deref()
        && state.jtis.insert(claims["jti"].as_str().unwrap().to_owned());
    if !sound {
        return Err("invalid_dpop_proof");
    }
    if !nonce.is_empty() && claims["nonce"] != nonce {
        return Err("use_dpop_nonce");
    }
    let public = format!(r#"{{"crv":"P-256","kty":"EC","x":{},"y":{}}}"#, jwk["x"], jwk["y"]);
    Ok(BASE64.encode(digest(&SHA256, public.as_bytes())))
}

fn answer(state: &mut State, head: &Head, body: &[u8]) -> Response {
    let json_of = |status, nonce: &str, body: Value| {
        let mut headers = vec![("content-type", "application/json")];
        if !nonce.is_empty() {
            headers.push(("dpop-nonce", nonce));
        }
        say(status, &headers, body.to_string())
    };
    let [at_server, at_api] = state.nonces;
    if head.target == "/token" {
        let form = decode(std::str::from_utf8(body).unwrap());
        let grant = value(&form, "grant_type").to_owned();
        let name = if grant == "refresh_token" { "refresh_token" } else { "code" };
        let shown = value(&form, name).to_owned();
        state.shown.push((grant, shown.clone()));
        let looked = if state.careless { Ok(String::new()) } else { look(state, head, None, at_server) };
        match looked {
            Err(why) => return json_of(400, at_server, json!({ "error": why })),
            Ok(key) => {
                if name == "refresh_token" && key != state.bound {
                    return json_of(400, at_server, json!({ "error": "invalid_grant" }));
                }
                state.bound.clone_from(&key);
                state.keys.push(key);
            }
        }
        if state.spent.contains(&shown) {
            return json_of(400, "", json!({ "error": "invalid_grant" }));
        }
        state.spent.push(shown);
        state.given += 1;
        let n = state.given;
        return json_of(
            200,
            at_server,
            json!({
                "access_token": format!("canary-bound-{n}"), "refresh_token": format!("canary-refresh-{n}"),
                "token_type": state.token_type, "expires_in": 3600,
            }),
        );
    }
    let shown = head.all("authorization").join(", ");
    state.used.push((shown.clone(), head.headers.contains_key("dpop")));
    let Some(token) = shown.strip_prefix("DPoP ") else {
        return json_of(if state.token_type == "Bearer" { 200 } else { 401 }, "", json!({ "sub": "u" }));
    };
    let challenge = |why: &str| {
        let words = format!("DPoP algs=\"ES256\", error=\"{why}\"");
        say(
            401,
            &[
                ("www-authenticate", &words),
                ("dpop-nonce", if at_api.is_empty() { "unused" } else { at_api }),
            ],
            "no",
        )
    };
    if state.never_content {
        return say(401, &[("www-authenticate", "DPoP error=\"use_dpop_nonce\""), ("dpop-nonce", "x")], "no");
    }
    match look(state, head, Some(token), at_api) {
        Err(why) => challenge(why),
        Ok(key) if key != state.bound || state.ended.iter().any(|ended| ended == token) => {
            challenge("invalid_token")
        }
        Ok(_) => json_of(200, "", json!({ "sub": "bound-user", "name": "Bound User" })),
    }
}

struct Bound {
    up: Upstream,
    state: Arc<Mutex<State>>,
}

impl Bound {
    async fn start(nonces: [&'static str; 2], token_type: &'static str) -> Self {
        let state = Arc::new(Mutex::new(State { nonces, token_type, ..State::default() }));
        let held = state.clone();
        let up = Upstream::whole(move |head: Head, body: Body| {
            let state = held.clone();
            async move {
                let body = body.collect().await.expect("a whole body").to_bytes();
                answer(&mut state.lock().unwrap(), &head, &body)
            }
        });
        let up = up.await;
        state.lock().unwrap().origin.clone_from(&up.origin);
        Self { up, state }
    }

    /// Connects an account here; gives the connection's id.
    async fn connect(&self, app: &TestApp, key: &str) -> String {
        let config = Config { dpop: Some(true), ..at(&self.up.origin) };
        app.integrate_as(&app.acme, new_integration(key, "oauth2", config)).await;
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("integration_id", key)]).await;
        let done = browser.get(&leg.back(&[("code", &format!("code-{key}"))])).await;
        assert_eq!(done.status, 302, "{}", done.text());
        value(&done.redirect().1, "connection_id").to_owned()
    }

    fn used(&self) -> Vec<(String, bool)> {
        std::mem::take(&mut self.state.lock().unwrap().used)
    }
}

fn proven(token: &str) -> (String, bool) {
    (format!("DPoP {token}"), true)
}

#[tokio::test]
async fn a_connections_tokens_are_bound_to_a_key_of_its_own_that_stays() {
    on_each(async |app| {
        let provider = Bound::start(["", ""], "dpop").await;
        let one = provider.connect(app, "one").await;
        assert_eq!(app.connection(&app.acme, &one).await.account.name.as_deref(), Some("Bound User"));
        assert_eq!(app.call(&app.acme.key, &one, "/x?y=1").await.status, 200);
        assert_eq!(provider.used(), [proven("canary-bound-1"), proven("canary-bound-1")]);
        // An hour later it is refreshed, with a proof by the same key, or it would be refused.
        app.pass(Duration::from_secs(3600));
        assert_eq!(app.call(&app.acme.key, &one, "/x").await.status, 200);
        assert_eq!(provider.used(), [proven("canary-bound-2")]);
        provider.connect(app, "two").await;
        let keys = provider.state.lock().unwrap().keys.clone();
        assert_eq!((keys.len(), &keys[0]), (3, &keys[1]));
        assert_ne!(keys[1], keys[2], "each connection has its own");
    })
    .await;
}

/// Neither the code nor the refresh token is spent by a refusal for want of a nonce, and nothing is refreshed for one.
#[tokio::test]
async fn a_server_that_wants_its_nonce_is_asked_once_more_with_it() {
    on_each(async |app| {
        let provider = Bound::start(["server-1", "api-1"], "DPoP").await;
        let id = provider.connect(app, "one").await;
        let code = ("authorization_code".to_owned(), "code-one".to_owned());
        assert_eq!(provider.state.lock().unwrap().shown, [code.clone(), code]);
        // The account was asked for with the server's nonce first: both are of one origin here.
        assert_eq!(provider.used().len(), 2);
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(provider.used().len(), 1, "what was said last is said again");
        provider.state.lock().unwrap().nonces = ["server-2", "api-2"];
        let body = Bytes::from_static(b"a body");
        let answer = Browser::new().send(call(app, Method::POST, &id, "/y"), body).await;
        assert_eq!(answer.status, 200, "a call that is not safe, too: it was not looked at");
        assert_eq!(provider.used(), [proven("canary-bound-1"), proven("canary-bound-1")]);
        app.pass(Duration::from_secs(3600));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        let shown = provider.state.lock().unwrap().shown.clone();
        let refresh = ("refresh_token".to_owned(), "canary-refresh-1".to_owned());
        assert_eq!(shown[2..], [refresh.clone(), refresh]);
        assert_eq!(app.connection(&app.acme, &id).await.status, Status::Active);
    })
    .await;
}

/// A server that is never content gets two proofs, and its answer is handed back; no refresh is spent on it.
#[tokio::test]
async fn a_nonce_is_tried_once_per_call_and_a_real_401_refreshes() {
    on_each(async |app| {
        let provider = Bound::start(["", ""], "DPoP").await;
        let id = provider.connect(app, "one").await;
        provider.used();
        app.pass(Duration::from_secs(120));
        provider.state.lock().unwrap().ended.push("canary-bound-1".to_owned());
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        assert_eq!(provider.used(), [proven("canary-bound-1"), proven("canary-bound-2")]);
        app.pass(Duration::from_secs(120));
        provider.state.lock().unwrap().never_content = true;
        let answer = app.call(&app.acme.key, &id, "/x").await;
        assert_eq!((answer.status.as_u16(), answer.text()), (401, "no"));
        assert_eq!(provider.used().len(), 2);
        assert_eq!(provider.state.lock().unwrap().given, 2, "nothing was refreshed");
    })
    .await;
}

/// What the answer says its token is decides, not what was asked for.
#[tokio::test]
async fn a_bearer_token_is_shown_alone() {
    on_each(async |app| {
        let provider = Bound::start(["", ""], "Bearer").await;
        let id = provider.connect(app, "one").await;
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        let bearer = ("Bearer canary-bound-1".to_owned(), false);
        assert_eq!(provider.used(), [bearer.clone(), bearer]);
        app.pass(Duration::from_secs(3600));
        assert_eq!(app.call(&app.acme.key, &id, "/x").await.status, 200);
        let keys = provider.state.lock().unwrap().keys.clone();
        assert_eq!(keys[0], keys[1], "the refresh token may be bound all the same");
    })
    .await;
}

/// Callers neither plant a proof nor a nonce, with tokens that need one or not.
#[tokio::test]
async fn a_callers_proof_stops_here() {
    on_each(async |app| {
        for kind in ["DPoP", "Bearer"] {
            let provider = Bound::start(["", ""], kind).await;
            let id = provider.connect(app, &kind.to_lowercase()).await;
            let request =
                call(app, Method::GET, &id, "/x").header("DPoP", "planted").header("DPoP-Nonce", "n");
            assert_eq!(send(request).await.status, 200);
            let last = provider.up.calls().pop().expect("a call");
            let proofs = last.all("dpop");
            assert!(proofs.len() == usize::from(kind == "DPoP") && !proofs.contains(&"planted"), "{kind}");
            assert!(last.all("dpop-nonce").is_empty());
        }
    })
    .await;
}

/// A token that needs a proof is no use to whoever proved no key for it.
#[tokio::test]
async fn a_bound_token_that_nobody_asked_for_is_refused() {
    on_each(async |app| {
        let provider = Bound::start(["", ""], "DPoP").await;
        provider.state.lock().unwrap().careless = true;
        app.integrate(&app.acme, "plain", &provider.up.origin).await;
        let browser = Browser::new();
        let leg = browser.set_out(app, &app.acme, &[("integration_id", "plain")]).await;
        let (_, query) = browser.get(&leg.back(&[("code", "c")])).await.redirect();
        assert_eq!(value(&query, "error"), "server_error");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}
