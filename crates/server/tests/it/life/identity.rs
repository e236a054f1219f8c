//! Whose account it is: ID tokens are believed only as their issuer signed them, and whoever reconnects with another
//! account is held up, told of, or let through, as the integration says.

mod accounts;

use std::sync::{Arc, Mutex};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use axum::{body::Body, response::Response};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use claviger_engine::{
    domain::{
        credential::Credential,
        event::EventKind,
        integration::{AccountCheck, Config},
        share::{Level, Principal},
    },
    id::{ConnectionId, IntegrationId},
};
use http::Method;
use serde_json::{Value, json};

use super::reconnect::{follow, url};
use crate::{
    informer::someone,
    management::ask,
    membrane::front::{self, Front},
    support::{
        Answer, Browser, CB, Leg, Options, TestApp, Upstream,
        app::{OWNER, new_integration},
        on_each, on_each_with, sandbox,
        upstream::{Head, json as says, say},
        value,
    },
};

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn key_pair() -> EcdsaKeyPair {
    let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref()).unwrap()
}

fn jwk(kid: &str, pair: &EcdsaKeyPair) -> Value {
    let point = pair.public_key().as_ref();
    json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": encoded(&point[1..33]), "y": encoded(&point[33..]) })
}

fn signed(kid: &str, pair: &EcdsaKeyPair, claims: &Value) -> String {
    let head = json!({ "alg": "ES256", "kid": kid });
    let input = format!("{}.{}", encoded(head.to_string()), encoded(claims.to_string()));
    let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    format!("{input}.{}", encoded(signature.as_ref()))
}

/// An OpenID provider that says what it is told to.
#[derive(Default)]
struct Says {
    /// The ID token of the next token answer.
    id_token: Option<String>,
    /// The keys that it lists.
    keys: Vec<Value>,
    /// Whether its keys can't be had.
    keys_away: bool,
    /// Whether it advertises that it signs with the client's secret too.
    hmac: bool,
    /// What its userinfo endpoint tells.
    userinfo: Value,
}

struct Provider {
    up: Upstream,
    integration: IntegrationId,
    says: Arc<Mutex<Says>>,
    pair: EcdsaKeyPair,
}

fn answer(says: &Mutex<Says>, origin: &str, head: &Head) -> Response {
    let says_now = says.lock().unwrap();
    match head.target.as_str() {
        "/.well-known/oauth-authorization-server" => says_text(&json!({
            "issuer": origin, "authorization_endpoint": format!("{origin}/authorize"),
            "token_endpoint": format!("{origin}/token"), "userinfo_endpoint": format!("{origin}/userinfo"),
            "revocation_endpoint": format!("{origin}/revoke"), "jwks_uri": format!("{origin}/keys"),
            "id_token_signing_alg_values_supported": if says_now.hmac { vec!["ES256", "HS256"] } else { vec!["ES256"] },
        })),
        "/keys" if says_now.keys_away => say(503, &[], ""),
        "/keys" => says_text(&json!({ "keys": says_now.keys })),
        "/userinfo" => says_text(&says_now.userinfo),
        "/token" => says_text(&json!({
            "access_token": "canary_a", "refresh_token": "canary_r", "token_type": "Bearer", "expires_in": 3600,
            "id_token": says_now.id_token,
        })),
        _ => says_text(&json!({})),
    }
}

fn says_text(value: &Value) -> Response {
    says(&value.to_string())
}

impl Provider {
    async fn start(app: &TestApp) -> Self {
        Self::start_as(app, "oidc").await
    }

    /// One that this provider file is about.
    async fn start_as(app: &TestApp, provider: &str) -> Self {
        let (says, pair) = (Arc::<Mutex<Says>>::default(), key_pair());
        says.lock().unwrap().keys = vec![jwk("k1", &pair)];
        says.lock().unwrap().userinfo = json!({ "sub": "user-1", "name": "From userinfo" });
        let telling = says.clone();
        let up = Upstream::whole(move |head: Head, _: Body| {
            let host = format!("http://{}", head.all("host")[0]);
            std::future::ready(answer(&telling, &host, &head))
        })
        .await;
        let config = Config { issuer: Some(up.origin.clone()), ..Config::default() };
        let integration = app.integrate_as(&app.acme, new_integration("id", provider, config)).await;
        Self { up, integration, says, pair }
    }

    fn claims(&self, app: &TestApp, leg: &Leg) -> Value {
        let now = app.broker.clock.now().0 / 1000;
        json!({
            "iss": self.up.origin, "aud": sandbox::CLIENT, "sub": "user-1", "iat": now, "exp": now + 300,
            "nonce": value(&leg.params, "nonce"), "email": "ada@id.test",
        })
    }

    fn gives(&self, id_token: String) {
        self.says.lock().unwrap().id_token = Some(id_token);
    }

    fn asked(&self, path: &str) -> usize {
        self.up.seen().iter().filter(|head| head.target == path).count()
    }
}

async fn set_out(app: &TestApp, browser: &Browser) -> Leg {
    browser.set_out(app, &app.acme, &[("integration_id", "id"), ("external_id", OWNER)]).await
}

async fn back(browser: &Browser, leg: &Leg) -> Answer {
    browser.get(&leg.back(&[("code", "c")])).await
}

#[tokio::test]
async fn a_checked_id_token_names_the_account() {
    on_each(async |app| {
        let (provider, browser) = (Provider::start(app).await, Browser::new());
        let (one, two) = (set_out(app, &browser).await, set_out(app, &browser).await);
        assert_ne!(value(&one.params, "nonce"), value(&two.params, "nonce"));
        provider.gives(signed("k1", &provider.pair, &provider.claims(app, &one)));
        let done = back(&browser, &one).await;
        let made = app.connection(&app.acme, value(&done.redirect().1, "connection_id")).await;
        let account = &made.account;
        assert_eq!((account.id.as_deref(), account.email.as_deref()), (Some("user-1"), Some("ada@id.test")));
        assert_eq!(provider.asked("/userinfo"), 0, "it told enough");

        // A token that names nothing to show leaves that to the userinfo endpoint, of the same account only.
        for (sub, name) in [("user-1", Some("From userinfo")), ("user-2", None)] {
            provider.says.lock().unwrap().userinfo = json!({ "sub": sub, "name": "From userinfo" });
            let leg = set_out(app, &browser).await;
            let mut claims = provider.claims(app, &leg);
            claims.as_object_mut().unwrap().remove("email");
            provider.gives(signed("k1", &provider.pair, &claims));
            let done = back(&browser, &leg).await;
            let made = app.connection(&app.acme, value(&done.redirect().1, "connection_id")).await;
            assert_eq!((made.account.id.as_deref(), made.account.name.as_deref()), (Some("user-1"), name));
        }
        assert_eq!(provider.asked("/keys"), 1, "kept for a while");
    })
    .await;
}

#[tokio::test]
async fn a_hostile_id_token_connects_nothing_and_its_tokens_are_revoked() {
    on_each(async |app| {
        let (provider, browser) = (Provider::start(app).await, Browser::new());
        let other = key_pair();
        let hmac = |claims: &Value| {
            let input = format!(
                "{}.{}",
                encoded(json!({ "alg": "HS256", "kid": "k1" }).to_string()),
                encoded(claims.to_string())
            );
            let key = aws_lc_rs::hmac::Key::new(
                aws_lc_rs::hmac::HMAC_SHA256,
                jwk("k1", &provider.pair)["x"].as_str().unwrap().as_bytes(),
            );
            format!("{input}.{}", encoded(aws_lc_rs::hmac::sign(&key, input.as_bytes())))
        };
        let none = |claims: &Value| {
            format!("{}.{}.", encoded(json!({ "alg": "none" }).to_string()), encoded(claims.to_string()))
        };
        let changed = |claims: &Value, name: &str, to: Value| {
            let mut claims = claims.clone();
            claims[name] = to;
            signed("k1", &provider.pair, &claims)
        };
        let now = app.broker.clock.now().0 / 1000;
        type Forge<'a> = Box<dyn Fn(&Value) -> String + 'a>;
        let cases: Vec<(&str, Forge<'_>)> = vec![
            ("alg none", Box::new(none)),
            ("an HMAC with what is public", Box::new(hmac)),
            ("another's key under our name", Box::new(|claims| signed("k1", &other, claims))),
            ("another's key", Box::new(|claims| signed("k9", &other, claims))),
            ("another issuer", Box::new(|claims| changed(claims, "iss", json!("https://evil.test")))),
            ("another audience", Box::new(|claims| changed(claims, "aud", json!("other")))),
            ("another party", Box::new(|claims| changed(claims, "azp", json!("other")))),
            ("expired", Box::new(move |claims| changed(claims, "exp", json!(now - 3600)))),
            ("another nonce", Box::new(|claims| changed(claims, "nonce", json!("n")))),
            ("no nonce", Box::new(|claims| changed(claims, "nonce", Value::Null))),
            ("nobody", Box::new(|claims| changed(claims, "sub", Value::Null))),
        ];
        for (n, (name, forge)) in (1..).zip(cases) {
            let leg = set_out(app, &browser).await;
            provider.gives(forge(&provider.claims(app, &leg)));
            let done = back(&browser, &leg).await;
            let pairs = done.redirect().1;
            assert_eq!(value(&pairs, "error"), "server_error", "{name}");
            assert_eq!(provider.asked("/token"), n, "{name}");
            // The refresh token and the access token.
            assert_eq!(provider.asked("/revoke"), 2 * n, "{name}: nobody else holds them");
        }
        app.assert_nothing_connected(&app.acme).await;
        // An ID token of another flow, which is another browser's.
        let (mine, theirs) = (set_out(app, &browser).await, set_out(app, &Browser::new()).await);
        provider.gives(signed("k1", &provider.pair, &provider.claims(app, &theirs)));
        assert_eq!(value(&back(&browser, &mine).await.redirect().1, "error"), "server_error");
        app.assert_nothing_connected(&app.acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_new_key_is_looked_for_once_and_keys_that_are_away_leave_it_to_the_identity_call() {
    on_each(async |app| {
        let (provider, browser) = (Provider::start(app).await, Browser::new());
        let (next, unlisted) = (key_pair(), key_pair());
        let connect = async |kid: &str, pair: &EcdsaKeyPair| {
            let leg = set_out(app, &browser).await;
            provider.gives(signed(kid, pair, &provider.claims(app, &leg)));
            let done = back(&browser, &leg).await;
            let pairs = done.redirect().1;
            !pairs.iter().any(|(name, _)| name == "error")
        };
        assert!(connect("k1", &provider.pair).await);
        provider.says.lock().unwrap().keys.push(jwk("k2", &next));
        app.pass(std::time::Duration::from_secs(61));
        assert!(connect("k2", &next).await, "its issuer has a new key");
        assert_eq!(provider.asked("/keys"), 2);
        for _hostile in 0..3 {
            assert!(!connect("k3", &unlisted).await);
        }
        assert_eq!(provider.asked("/keys"), 2, "a hostile token does not make us hammer");
        app.pass(std::time::Duration::from_secs(61));
        assert!(!connect("k3", &unlisted).await);
        assert_eq!(provider.asked("/keys"), 3);

        provider.says.lock().unwrap().keys_away = true;
        app.pass(std::time::Duration::from_secs(601));
        assert!(connect("k1", &provider.pair).await);
        let newest = &app.connections(&app.acme).await[0];
        assert_eq!(newest.account.name.as_deref(), Some("From userinfo"));
    })
    .await;
}

#[tokio::test]
async fn an_id_token_that_can_not_be_checked_leaves_it_to_the_identity_call() {
    on_each(async |app| {
        let (provider, browser) = (Provider::start(app).await, Browser::new());
        provider.says.lock().unwrap().hmac = true;
        for (head, parts) in [(json!({ "alg": "HS256" }), 1), (json!({ "alg": "dir", "enc": "A256GCM" }), 3)]
        {
            let leg = set_out(app, &browser).await;
            let claims = json!({ "sub": "somebody else", "nonce": value(&leg.params, "nonce") });
            let rest = vec![encoded("x"); parts].join(".");
            provider.gives(format!("{}.{}.{rest}", encoded(head.to_string()), encoded(claims.to_string())));
            let done = back(&browser, &leg).await;
            let made = app.connection(&app.acme, value(&done.redirect().1, "connection_id")).await;
            assert_eq!(made.account.id.as_deref(), Some("user-1"), "{head}");
        }
        assert_eq!(provider.asked("/userinfo"), 2);
        assert_eq!(provider.asked("/revoke"), 0);
    })
    .await;
}
