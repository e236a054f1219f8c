//! Assertions: words that we sign, in place of a client's secret or of anybody's consent; and the keys that we publish
//! for them. What is signed for one server is worth nothing at another.

mod typed;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::{
    hmac,
    signature::{
        ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
    },
};
use axum::{body::Body, response::Response};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use claviger_engine::{
    connect,
    domain::{
        audit::Actor,
        client_key::Purpose,
        connection::{Owner, OwnerKind, Status},
        integration::Config,
        share::{Level, Principal},
    },
    error::Error,
    id::{ConnectionId, IntegrationId},
    secret::Secret,
    setup::{self, Change, NewIntegration},
};
use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::{
    informer::{Someone, ask, assert_problem, someone},
    membrane,
    support::{
        Answer, Browser, CB, Leg, Options, TestApp, Upstream,
        app::{at as by_hand, new_integration},
        decode, on_each, on_each_with,
        upstream::{Head, json as says, say},
        value,
    },
};

const CLIENT: &str = "our-client";
const SECRET: &str = "canary-client-secret-of-some-length";
const HOUR: Duration = Duration::from_secs(3600);

/// A server that takes signed words in place of everything, gives numbered tokens for them, and writes them down.
struct Signs {
    up: Upstream,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// The forms of its token requests.
    forms: Vec<Vec<(String, String)>>,
    /// The forms of its revocations.
    revoked: Vec<Vec<(String, String)>>,
    /// What it answers instead of a token: a code and words.
    refusal: Option<(&'static str, &'static str)>,
    /// What its metadata says, where it has any.
    metadata: Option<Value>,
    /// What the API answers 401 to.
    refused: BTreeSet<String>,
}

impl Signs {
    async fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let held = state.clone();
        let up = Upstream::whole(move |head: Head, body: Body| {
            let state = held.clone();
            async move {
                let body = body.collect().await.expect("a whole body").to_bytes();
                answer(&mut state.lock().unwrap(), &head, &body)
            }
        });
        Self { up: up.await, state }
    }

    /// Its token requests so far.
    fn forms(&self) -> Vec<Vec<(String, String)>> {
        self.state.lock().unwrap().forms.clone()
    }

    /// The last of them.
    fn last(&self) -> Vec<(String, String)> {
        self.forms().last().cloned().expect("a token request")
    }

    fn refuses(&self, refusal: Option<(&'static str, &'static str)>) {
        self.state.lock().unwrap().refusal = refusal;
    }

    /// The endpoints, hand-entered.
    fn by_hand(&self) -> Config {
        Config { authorize_params: BTreeMap::new(), ..by_hand(&self.up.origin) }
    }

    /// What a provider of files whose endpoints are the integration's needs where no browser goes anywhere.
    fn config(&self) -> Config {
        let origin = &self.up.origin;
        Config {
            token_url: Some(format!("{origin}/token")),
            base_url: Some(format!("{origin}/api")),
            ..Config::default()
        }
    }
}

fn answer(state: &mut State, head: &Head, body: &[u8]) -> Response {
    let path = head.target.split('?').next().unwrap_or_default();
    match path {
        "/token" => {
            state.forms.push(decode(std::str::from_utf8(body).expect("a form")));
            if let Some((code, words)) = state.refusal {
                // A server that says back what it was sent.
                let echo = format!("{words} {}", String::from_utf8_lossy(body));
                let told = json!({ "error": code, "error_description": echo }).to_string();
                return say(400, &[("content-type", "application/json")], told);
            }
            let token = format!("canary-token-{}", state.forms.len());
            let given = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600, "refresh_token": "canary-refresh" });
            says(&given.to_string())
        }
        "/revoke" => {
            state.revoked.push(decode(std::str::from_utf8(body).expect("a form")));
            say(200, &[], "")
        }
        "/userinfo" => says(r#"{"sub":"u","name":"U"}"#),
        "/.well-known/oauth-authorization-server" => match &state.metadata {
            Some(told) => says(&told.to_string()),
            None => say(404, &[], "{}"),
        },
        path if path.starts_with("/.well-known/") => say(404, &[], "{}"),
        _ => {
            let token = head.all("authorization")[0].to_owned();
            say(if state.refused.contains(&token) { 401 } else { 200 }, &[], "ok")
        }
    }
}

/// Head and claims of a JWT, and what was signed with the signature.
fn opened(token: &str) -> (Value, Value, String, Vec<u8>) {
    let parts: Vec<&str> = token.split('.').collect();
    let [head, claims, signature] = parts[..] else { panic!("no JWT: {token}") };
    let json = |part: &str| {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
    };
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    (json(head), json(claims), format!("{head}.{claims}"), signature)
}

/// The keys that are published under an id.
async fn keys(app: &TestApp, id: &str) -> Vec<Value> {
    let shown = Browser::new().get(&format!("{}/oauth2/jwks/{id}", app.origin)).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    assert_eq!(shown.header("cache-control"), Some("public, max-age=300"));
    shown.json()["keys"].as_array().expect("keys").clone()
}

/// The claims of a JWT that one of the published keys signed; fails where none did.
async fn verified(app: &TestApp, id: &str, token: &str) -> Value {
    let (head, claims, input, signature) = opened(token);
    let published = keys(app, id).await;
    let key = published.iter().find(|key| key["kid"] == head["kid"]).expect("a published key");
    assert_eq!((&key["alg"], &key["use"], key.get("d")), (&head["alg"], &json!("sig"), None));
    let part =
        |name: &str| BASE64_URL_SAFE_NO_PAD.decode(key[name].as_str().expect("text")).expect("base64url");
    match head["alg"].as_str() {
        Some("RS256") => RsaPublicKeyComponents { n: part("n"), e: part("e") }
            .verify(&RSA_PKCS1_2048_8192_SHA256, input.as_bytes(), &signature)
            .expect("signed"),
        Some("ES256") => {
            let point = [vec![4], part("x"), part("y")].concat();
            let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
            public.verify(input.as_bytes(), &signature).expect("signed");
        }
        other => panic!("{other:?}"),
    }
    claims
}

fn with(auth: &str, config: Config) -> Config {
    Config { client_auth: Some(auth.to_owned()), ..config }
}

fn wish(provider: &str, config: Config, secret: Option<&str>) -> NewIntegration {
    NewIntegration {
        client_id: Some(CLIENT.to_owned()),
        client_secret: secret.map(Secret::new),
        ..new_integration("it", provider, config)
    }
}

fn url(app: &TestApp) -> String {
    app.authorize_url(&app.acme, &[("integration_id", "it"), ("external_id", "u"), ("state", "s")])
}

#[track_caller]
fn connected(done: &Answer) -> String {
    let (target, pairs) = done.redirect();
    assert_eq!((target.as_str(), value(&pairs, "state")), (CB, "s"), "{pairs:?}");
    value(&pairs, "connection_id").to_owned()
}

/// A connection by an authorization code.
async fn by_code(app: &TestApp) -> String {
    let browser = Browser::new();
    let leg = Leg::of(browser.get(&url(app)).await.location());
    connected(&browser.get(&leg.back(&[("code", "canary-code")])).await)
}

async fn share(app: &TestApp, id: &IntegrationId, name: &str) -> Someone {
    let one = someone(app, &app.acme, name, &[]).await;
    let (ws, to) = (&app.acme.workspace, Principal::User(one.user.id.clone()));
    app.change(async |change| change.conn.set_share(ws, id, &to, Level::Use).await.map(drop)).await;
    one
}

#[tokio::test]
async fn a_client_shows_who_it_is_with_a_key_of_ours() {
    on_each(async |app| {
        let at = Signs::start().await;
        let config = with("private_key_jwt", at.by_hand());
        let id = app.integrate_as(&app.acme, wish("oauth2", config, None)).await;
        let connection = by_code(app).await;
        app.pass(HOUR);
        assert_eq!(app.call(&app.acme.key, &connection, "/x").await.status, 200);
        let forms = at.forms();
        assert_eq!(forms.len(), 2, "the exchange and a refresh");
        let mut ids = BTreeSet::new();
        for (form, grant) in forms.iter().zip(["authorization_code", "refresh_token"]) {
            assert_eq!((value(form, "grant_type"), value(form, "client_id")), (grant, CLIENT));
            assert!(form.iter().all(|(name, _)| name != "client_secret"), "{form:?}");
            let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            assert_eq!(value(form, "client_assertion_type"), kind);
            let claims = verified(app, id.as_str(), value(form, "client_assertion")).await;
            assert_eq!((&claims["iss"], &claims["sub"]), (&json!(CLIENT), &json!(CLIENT)));
            // Nobody said what the issuer is: the one endpoint that it is sent to.
            assert_eq!(claims["aud"], json!(format!("{}/token", at.up.origin)));
            let life = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
            assert!((1..=60).contains(&life), "{claims}");
            assert!(ids.insert(claims["jti"].to_string()), "an assertion is for one request");
        }
        let iat = opened(value(&at.last(), "client_assertion")).1["iat"].as_i64().unwrap();
        let now = app.broker.clock.now().0 / 1000;
        assert!((5..=30).contains(&(now - iat)), "a clock that is a little behind takes it: {iat}, {now}");
        // What is kept of it is sealed.
        let kept =
            app.read().await.client_keys(&app.acme.workspace, &id, None, Purpose::Signing).await.unwrap();
        assert_eq!((kept.len(), kept[0].secret.as_str().starts_with("v1.")), (1, true));
    })
    .await;
}

#[tokio::test]
async fn a_client_shows_who_it_is_with_its_secret_and_never_the_secret() {
    on_each(async |app| {
        let at = Signs::start().await;
        let issuer = Some("https://login.acme.example".to_owned());
        let config = Config { issuer, ..with("client_secret_jwt", at.by_hand()) };
        let id = app.integrate_as(&app.acme, wish("oauth2", config, Some(SECRET))).await;
        by_code(app).await;
        let form = at.last();
        assert!(form.iter().all(|(_, value)| !value.contains(SECRET)), "{form:?}");
        let (head, claims, input, signature) = opened(value(&form, "client_assertion"));
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        hmac::verify(&key, input.as_bytes(), &signature).expect("signed");
        // Nobody has looked whether the issuer that was typed in beside the endpoints is theirs.
        assert_eq!(
            (&head["alg"], &claims["aud"]),
            (&json!("HS256"), &json!(format!("{}/token", at.up.origin)))
        );
        let missing = Browser::new().get(&format!("{}/oauth2/jwks/{id}", app.origin)).await;
        assert_eq!((missing.status, missing.text()), (StatusCode::NOT_FOUND, r#"{"error":"not_found"}"#));
    })
    .await;
}

/// A hostile server that has an assertion signed gets one that is good at nobody else's.
#[tokio::test]
async fn an_assertion_is_for_the_issuer_that_was_asked_wherever_it_is_sent() {
    on_each(async |app| {
        let (honest, hostile) = (Signs::start().await, Signs::start().await);
        let (its, theirs) = (honest.up.origin.clone(), hostile.up.origin.clone());
        let metadata = |issuer: &str, token: &str| {
            json!({ "issuer": issuer, "authorization_endpoint": format!("{theirs}/authorize"),
                    "token_endpoint": format!("{token}/token") })
        };
        let config = Config { issuer: Some(theirs.clone()), ..with("private_key_jwt", Config::default()) };
        let id = app.integrate_as(&app.acme, wish("oidc", config, None)).await;

        // It says that it is the honest one: nothing is sent to anybody.
        hostile.state.lock().unwrap().metadata = Some(metadata(&its, &its));
        let refused = Browser::new().get(&url(app)).await;
        assert_eq!(value(&refused.redirect().1, "error"), "temporarily_unavailable");
        assert!(honest.forms().is_empty() && hostile.forms().is_empty());

        // It names the honest one's token endpoint as its own: what is signed is for the hostile issuer all the same.
        hostile.state.lock().unwrap().metadata = Some(metadata(&theirs, &its));
        by_code(app).await;
        let claims = verified(app, id.as_str(), value(&honest.last(), "client_assertion")).await;
        assert_eq!((&claims["aud"], hostile.forms().len()), (&json!(theirs), 0));
    })
    .await;
}

/// Each request to endpoints that were entered by hand has an assertion for itself, whatever issuer stands beside them.
#[tokio::test]
async fn an_assertion_for_endpoints_entered_by_hand_is_for_the_one_it_is_sent_to() {
    on_each_with(typed::providers, async |app| {
        let at = Signs::start().await;
        let issuer = Some("https://login.honest.example".to_owned());
        let config = Config { issuer: issuer.clone(), ..with("private_key_jwt", at.by_hand()) };
        let id = app.integrate_as(&app.acme, wish("oauth2", config, None)).await;
        let browser = Browser::new();
        let leg = Leg::of(browser.get(&url(app)).await.location());
        let back = [("code", "canary-code"), ("iss", "https://login.honest.example")];
        let connection = connected(&browser.get(&leg.back(&back)).await);
        let claims = verified(app, id.as_str(), value(&at.last(), "client_assertion")).await;
        assert_eq!(claims["aud"], json!(format!("{}/token", at.up.origin)));

        let ending = ConnectionId::parse(&connection).unwrap();
        connect::end(&app.broker, &app.acme.workspace, &ending, Actor::Cli).await.unwrap();
        let revoked = at.state.lock().unwrap().revoked.clone();
        assert_eq!(revoked.len(), 2, "{revoked:?}");
        let mut ids = BTreeSet::new();
        for form in &revoked {
            let claims = verified(app, id.as_str(), value(form, "client_assertion")).await;
            assert_eq!(claims["aud"], json!(format!("{}/revoke", at.up.origin)));
            assert!(ids.insert(claims["jti"].to_string()), "an assertion is for one request");
        }

        let inputs = [("account".to_owned(), "ada".to_owned())].into();
        let wished = wish("own", Config { inputs, issuer, ..at.config() }, None);
        let own = app.integrate_as(&app.acme, NewIntegration { key: "own".to_owned(), ..wished }).await;
        let asked = [("integration_id", "own"), ("external_id", "u"), ("state", "s")];
        connected(&Browser::new().get(&app.authorize_url(&app.acme, &asked)).await);
        let claims = verified(app, own.as_str(), value(&at.last(), "assertion")).await;
        assert_eq!(claims["aud"], json!(format!("{}/token", at.up.origin)));
    })
    .await;
}

#[tokio::test]
async fn keys_are_an_integrations_own_and_change_when_it_is_pointed_elsewhere() {
    on_each(async |app| {
        let at = Signs::start().await;
        let config = with("private_key_jwt", at.by_hand());
        let id = app.integrate_as(&app.acme, wish("oauth2", config.clone(), None)).await;
        let es = Config { client_auth_alg: Some("ES256".to_owned()), ..config.clone() };
        let wished = NewIntegration { key: "other".to_owned(), ..wish("oauth2", es, None) };
        let other = app.integrate_as(&app.acme, wished).await;
        let (first, its) = (keys(app, id.as_str()).await, keys(app, other.as_str()).await);
        assert_eq!((first.len(), its.len()), (1, 1));
        assert_eq!((&first[0]["alg"], &its[0]["alg"]), (&json!("RS256"), &json!("ES256")));
        let (one, two) = tokio::join!(keys(app, id.as_str()), keys(app, id.as_str()));
        assert_eq!((&one, &two), (&first, &first), "asked for again it is the same");

        let alice = share(app, &id, "alice").await;
        let told = async || {
            let shown = ask(app, &alice.token, Method::GET, "/api/integrations/it", None).await.json();
            let told = shown["jwksUri"].as_str().expect("an address").to_owned();
            told.rsplit_once('/').expect("a path").1.to_owned()
        };
        app.reconfigure(&app.acme, &id, |config| config.authorize_params = [("a".into(), "b".into())].into())
            .await;
        assert_eq!((told().await.as_str(), keys(app, id.as_str()).await), (id.as_str(), first.clone()));
        // Whoever trusts what is published at an address must not trust what takes its place: the client's own token
        // would be called with elsewhere, and what is signed shown there.
        let mut before = (id.as_str().to_owned(), first);
        let elsewhere = format!("{}/other/token", at.up.origin);
        let moves: [&dyn Fn(&mut Config); 4] = [
            &|config| config.base_url = Some("https://api.else.test".into()),
            &|config| config.allowed_hosts = vec!["api.else.test".into()],
            &|config| config.userinfo_url = None,
            &|config| config.token_url = Some(elsewhere.clone()),
        ];
        for change in moves {
            app.reconfigure(&app.acme, &id, change).await;
            let at = told().await;
            assert!(at != before.0 && at.starts_with(&format!("{id}-")), "{at}");
            for gone in [id.as_str(), &before.0, &format!("{at}0"), &format!("{id}-")] {
                let missing = Browser::new().get(&format!("{}/oauth2/jwks/{gone}", app.origin)).await;
                assert_eq!(missing.status, 404, "{gone}: {}", missing.text());
            }
            let moved = keys(app, &at).await;
            assert!(moved.len() == 1 && moved != before.1, "and there are others");
            before = (at, moved);
        }

        for nobody in
            ["int_00000000000000000000000000000000", "opt_x", "%FF", app.acme.integration.as_str(), "it"]
        {
            let missing = Browser::new().get(&format!("{}/oauth2/jwks/{nobody}", app.origin)).await;
            assert_eq!(missing.status, 404, "{nobody}: {}", missing.text());
        }
    })
    .await;
}

#[tokio::test]
async fn a_rotated_key_is_published_before_it_signs() {
    on_each(async |app| {
        let at = Signs::start().await;
        let config = with("private_key_jwt", at.by_hand());
        let id = app.integrate_as(&app.acme, wish("oauth2", config, None)).await;
        by_code(app).await;
        let kid = || opened(value(&at.last(), "client_assertion")).0["kid"].clone();
        let first = kid();
        let of = app.integration(&app.acme, &id).await;
        app.change(async |to| setup::client_key::rotate_client_keys(to, &of, HOUR).await).await;
        assert_eq!(keys(app, id.as_str()).await.len(), 2);
        by_code(app).await;
        assert_eq!(kid(), first, "the new one is published only");
        let there =
            app.read().await.client_keys(&app.acme.workspace, &id, None, Purpose::Signing).await.unwrap();
        let mut conn = app.broker.store.begin(Actor::Cli, app.broker.clock.now()).await.unwrap();
        let mut to = Change::of(&app.broker, &mut conn);
        let refused = setup::client_key::remove_client_key(&mut to, &of, &there[0].id, false).await;
        assert!(matches!(refused, Err(Error::Conflict { .. })), "it signs");
        drop(conn);
        app.pass(HOUR);
        by_code(app).await;
        assert_ne!(kid(), first);
        verified(app, id.as_str(), value(&at.last(), "client_assertion")).await;
        app.change(async |to| setup::client_key::remove_client_key(to, &of, &there[0].id, false).await).await;
        let left = keys(app, id.as_str()).await;
        assert_eq!((left.len(), &left[0]["kid"]), (1, &kid()));
    })
    .await;
}
